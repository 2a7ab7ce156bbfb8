//! `kratos-external-idp` (interface external_provider): identity providers with which one may log in.
//!
//! Each relation may bring several; each that can be used is answered with the address that the provider has to be
//! told. Both generations of the interface are read alike, whatever names they give their fields. An item that Kratos
//! would refuse is left out, so that it does not take the others with it (docs/behaviour.md#weakness-6 to #weakness-9).

mod item;

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::publish::{Keys, Publication};
use super::related::{Given, ReadContext, Related};
use super::relation::{ByRelation, Relation, Remote, Sifted};
use crate::kratos::WorkloadVersion;
use crate::kratos::facts::provider::OidcProvider;
use crate::kratos::facts::public_url::PublicUrl;

/// Only application databags count.
pub const ENDPOINT: Endpoint =
    Endpoint { read, answer: Some(answer), ..Endpoint::new("kratos-external-idp") };

const PROVIDERS: &str = "providers";

/// What Go, in which Kratos is written, leaves as it is in the path of a URL.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

fn read(related: &mut Related, given: &mut Given<'_>, context: ReadContext<'_>) {
    let (used, conflicts) = join(given.sifted(|relation| providers(relation, context.version)));
    given.conflicts(conflicts);
    related.providers = used;
}

fn answer(publication: &Publication<'_>, relation: &Relation) -> Option<Keys> {
    let Related { providers, public_url, .. } = publication.related;
    let of_relation = providers.iter().filter(|(giver, _)| *giver == relation.id);
    Some(redirect_uris(of_relation.map(|(_, provider)| provider), public_url.as_ref()))
}

/// The providers of one relation that Kratos of that version can use.
pub fn providers(
    relation: &Relation,
    version: Option<&WorkloadVersion>,
) -> Remote<Sifted<Vec<OidcProvider>>> {
    let Some(text) = relation.value(PROVIDERS) else { return Remote::Absent };
    let Ok(Value::Array(items)) = serde_json::from_str(text) else {
        return Remote::Invalid(format!("{PROVIDERS} is no JSON list"));
    };
    let mut providers = Sifted { used: vec![], refused: vec![] };
    for (index, item) in items.into_iter().enumerate() {
        let read = item::provider(item).and_then(|provider| provider.check(version).map(|()| provider));
        match read {
            Ok(provider) => providers.used.push(provider),
            Err(reason) => providers.refused.push(format!("provider {}: {reason}", index + 1)),
        }
    }
    providers.into_remote()
}

/// Joins the providers of several relations, which come in the order of their numbers. Kratos needs different ids: the
/// first of the same id is used, and the second list says which are not.
pub fn join(given: ByRelation<Vec<OidcProvider>>) -> (ByRelation<OidcProvider>, ByRelation<String>) {
    let mut joined: ByRelation<OidcProvider> = Vec::new();
    let mut conflicts = Vec::new();
    for (id, providers) in given {
        for provider in providers {
            match joined.iter().find(|(_, other)| other.id == provider.id) {
                None => joined.push((id.clone(), provider)),
                Some((giver, other)) => {
                    let kind = &other.provider;
                    let text =
                        format!("a provider has the id of a {kind} provider of {giver}, which is used");
                    conflicts.push((id.clone(), text));
                }
            }
        }
    }
    (joined, conflicts)
}

/// Our answer to one relation: for each of its providers in use, the address to which it sends browsers back
/// (docs/behaviour.md#row-77 and #row-78). Nothing while there is no provider or no public address.
pub fn redirect_uris<'a>(
    providers: impl Iterator<Item = &'a OidcProvider>,
    public_url: Option<&PublicUrl>,
) -> Keys {
    let entries: Vec<Value> = public_url.map_or_else(Vec::new, |public_url| {
        let entry = |provider: &OidcProvider| {
            json!({"provider_id": provider.id, "redirect_uri": redirect_uri(public_url, &provider.id)})
        };
        providers.map(entry).collect()
    });
    let text = (!entries.is_empty()).then(|| Value::from(entries).to_string());
    BTreeMap::from([(PROVIDERS.to_owned(), text)])
}

fn redirect_uri(public_url: &PublicUrl, id: &str) -> String {
    format!("{public_url}/self-service/methods/oidc/callback/{}", utf8_percent_encode(id, KEPT))
}

#[cfg(test)]
mod tests;

//! `receive-ca-cert` (interface certificate_transfer): certificate authorities that Kratos has to trust.
//!
//! Of the interface's two generations the newer writes a list into the application databag, the older single texts into
//! the databag of each unit, some of them as JSON, some bare. Every text is taken apart into its certificates, and each
//! is written down in one form, so that the same one is the same text whoever sends it (docs/behaviour.md#weakness-57).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::endpoint::Endpoint;
use super::publish::{Keys, Publication};
use super::related::{Given, ReadContext, Related};
use super::relation::{Relation, Remote, Sifted};
use crate::postgres::check_ca;

/// Both sides' application databags, and those of the remote units.
pub const ENDPOINT: Endpoint =
    Endpoint { remote_units: true, read, answer: Some(answer), ..Endpoint::new("receive-ca-cert") };

const CERTIFICATES: &str = "certificates";
const VERSION: &str = "version";
/// The generation of the interface that we ask for.
const GENERATION: &str = "1";
/// Where the older generation writes its texts.
const OLDER: [&str; 3] = ["ca", "chain", "certificate"];

fn read(related: &mut Related, given: &mut Given<'_>, _: ReadContext<'_>) {
    related.certificates = given.sifted(certificates).into_iter().flat_map(|(_, found)| found).collect();
}

fn answer(_: &Publication<'_>, _: &Relation) -> Option<Keys> {
    Some(request())
}

/// The certificates of one relation as PEM texts, sorted.
pub fn certificates(relation: &Relation) -> Remote<Sifted<BTreeSet<String>>> {
    let mut sifted = Sifted { used: BTreeSet::new(), refused: vec![] };
    let is_newer = relation.value(VERSION) == Some(GENERATION) || relation.remote.contains_key(CERTIFICATES);
    if is_newer {
        take(&mut sifted, CERTIFICATES, relation.value(CERTIFICATES));
    } else {
        for (unit, bag) in &relation.remote_units {
            for key in OLDER {
                let text = bag.get(key).map(String::as_str).filter(|text| !text.trim().is_empty());
                take(&mut sifted, &format!("{key} of {unit}"), text);
            }
        }
    }
    sifted.into_remote()
}

/// What the leader publishes: which generation it understands.
fn request() -> Keys {
    BTreeMap::from([(VERSION.to_owned(), Some(GENERATION.to_owned()))])
}

/// Takes the certificates out of a value: a JSON list of texts, a JSON text or a bare text.
fn take(sifted: &mut Sifted<BTreeSet<String>>, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    match serde_json::from_str(value) {
        Ok(Value::Array(texts)) => {
            for (index, text) in texts.iter().enumerate() {
                take_text(
                    sifted,
                    &format!("text {} of {name}", index + 1),
                    text.as_str().unwrap_or_default(),
                );
            }
        }
        Ok(Value::String(text)) => take_text(sifted, name, &text),
        _ => take_text(sifted, name, value),
    }
}

fn take_text(sifted: &mut Sifted<BTreeSet<String>>, name: &str, text: &str) {
    let mut found = false;
    for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
        found = true;
        let pem = certificate.ok().map(|certificate| pem(&certificate)).filter(|pem| check_ca(pem).is_ok());
        match pem {
            Some(pem) => drop(sifted.used.insert(pem)),
            None => sifted.refused.push(format!("{name} is no certificate")),
        }
    }
    if !found {
        sifted.refused.push(format!("{name} holds no PEM certificate"));
    }
}

/// A certificate in the one form of RFC 7468: lines of 64 characters.
fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = BASE64_STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII.
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem + "-----END CERTIFICATE-----"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::integrations::sample::{bag, certificate, relation};

    fn newer(value: &str) -> Remote<Sifted<BTreeSet<String>>> {
        certificates(&relation("receive-ca-cert:4", &[(CERTIFICATES, value), (VERSION, "1")]))
    }

    fn older(units: &[&[(&str, &str)]]) -> Remote<Sifted<BTreeSet<String>>> {
        let mut relation = relation("receive-ca-cert:4", &[]);
        let unit = |(number, pairs): (usize, &&[(&str, &str)])| {
            (format!("tls/{number}").parse().unwrap(), bag(pairs))
        };
        relation.remote_units = units.iter().enumerate().map(unit).collect();
        certificates(&relation)
    }

    fn used(remote: Remote<Sifted<BTreeSet<String>>>) -> Vec<String> {
        let sifted = remote.ready().unwrap();
        assert!(sifted.refused.is_empty(), "{:?}", sifted.refused);
        sifted.used.into_iter().collect()
    }

    fn sorted(texts: &[&String]) -> Vec<String> {
        texts.iter().map(|text| text.trim().to_owned()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    #[test]
    fn the_newer_generation_writes_a_list_for_all() {
        let (a, b) = (certificate("a"), certificate("b"));
        let twice = json!([a, b, format!("# b\r\n{}", b.replace('\n', "\r\n"))]).to_string();
        assert_eq!(used(newer(&twice)), sorted(&[&a, &b]));
        assert_eq!(used(newer(&json!([format!("{a}\n{b}")]).to_string())), sorted(&[&a, &b]), "a bundle");
        assert_eq!(newer("[]"), Remote::Absent);
        assert_eq!(certificates(&relation("receive-ca-cert:4", &[(VERSION, "1")])), Remote::Absent);
    }

    #[test]
    fn weakness_57_the_older_generation_is_read_from_all_units_in_every_form() {
        let (a, b, c) = (certificate("a"), certificate("b"), certificate("c"));
        let chain = json!([b, a]).to_string();
        assert_eq!(
            used(older(&[&[("certificate", &b), ("ca", &a), ("chain", &chain), (VERSION, "0")]])),
            sorted(&[&a, &b])
        );
        let quoted = json!(c).to_string();
        assert_eq!(used(older(&[&[], &[("ca", &a)], &[("ca", &quoted)]])), sorted(&[&a, &c]));
        assert_eq!(older(&[&[], &[("ca", "")]]), Remote::Absent);
    }

    #[test]
    fn a_text_that_is_no_certificate_is_left_out() {
        let a = certificate("a");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let sifted = newer(&json!([7, "junk", a, broken]).to_string()).ready().unwrap();
        assert_eq!(sifted.used.into_iter().collect::<Vec<_>>(), sorted(&[&a]));
        let holds_none = |number| format!("text {number} of certificates holds no PEM certificate");
        assert_eq!(
            sifted.refused,
            [holds_none(1), holds_none(2), "text 4 of certificates is no certificate".to_owned()]
        );
        for value in ["junk", "{}", "7", "{"] {
            assert_eq!(
                newer(value),
                Remote::Invalid("certificates holds no PEM certificate".to_owned()),
                "{value}"
            );
        }
        let unit = older(&[&[("ca", "junk")]]);
        assert_eq!(unit, Remote::Invalid("ca of tls/0 holds no PEM certificate".to_owned()));
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert!(matches!(newer(&json!([key]).to_string()), Remote::Invalid(_)), "a private key is not taken");
    }

    #[test]
    fn the_request_is_a_json_number() {
        assert_eq!(request()[VERSION].as_deref(), Some("1"));
    }
}

//! The calls of the admin API, by what they are for. An identity is the JSON that Kratos gives.

use percent_encoding::percent_decode_str;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Admin, Error, Exact, NO_BODY, Result};
use crate::kratos::facts::secret::Secret;

/// A page of the list of identities, by their ids, without credentials.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub identities: Vec<Value>,
    /// Where the next page begins; `None`: this is the last. Opaque: its form differs between versions.
    pub next: Option<String>,
}

/// A code with which a person sets a new password. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct RecoveryCode {
    pub recovery_link: String,
    pub recovery_code: String,
    #[serde(default)]
    pub expires_at: Option<String>,
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "RecoveryCode(***, until {:?})", self.expires_at)
    }
}

/// An identity schema as the running Kratos has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PublishedSchema {
    pub id: String,
    #[serde(default)]
    pub schema: Value,
}

impl Admin {
    /// One identity; of the credential types in `include` also what they hold (hashes, tokens).
    pub async fn identity(&self, id: &str, include: &[&str]) -> Result<Value> {
        let query: Vec<_> = include.iter().map(|kind| ("include_credential", *kind)).collect();
        self.call(Method::GET, &["identities", id], &query, NO_BODY).await?.json()
    }

    /// The same with the exact text of what can be written again.
    pub async fn exact_identity(&self, id: &str, include: &[&str]) -> Result<Exact> {
        let query: Vec<_> = include.iter().map(|kind| ("include_credential", *kind)).collect();
        self.call(Method::GET, &["identities", id], &query, NO_BODY).await?.exact()
    }

    /// The identities that sign in with this identifier, with any credential.
    pub async fn with_identifier(&self, identifier: &str) -> Result<Vec<Value>> {
        let query = [("credentials_identifier", identifier)];
        self.call(Method::GET, &["identities"], &query, NO_BODY).await?.json()
    }

    /// At most `size` identities from `token` on; from the first without one.
    pub async fn page(&self, size: usize, token: Option<&str>) -> Result<Page> {
        let size = size.to_string();
        let mut query = vec![("page_size", size.as_str())];
        query.extend(token.map(|token| ("page_token", token)));
        let answer = self.call(Method::GET, &["identities"], &query, NO_BODY).await?;
        Ok(Page { identities: answer.json()?, next: next_token(&answer.links) })
    }

    /// Makes an identity; `secret` is what the body holds and no error may show.
    pub async fn create(&self, body: &(impl Serialize + Sync), secret: Option<&Secret>) -> Result<Value> {
        let answer = self.call(Method::POST, &["identities"], &[], Some(body)).await;
        answer.map_err(|error| masked(error, secret))?.json()
    }

    /// Replaces an identity. What the body leaves out of metadata is wiped; credentials that it does not name stay.
    pub async fn replace(
        &self,
        id: &str,
        body: &(impl Serialize + Sync),
        secret: Option<&Secret>,
    ) -> Result<Value> {
        let answer = self.call(Method::PUT, &["identities", id], &[], Some(body)).await;
        answer.map_err(|error| masked(error, secret))?.json()
    }

    /// Gives an identity (a UUID) another schema. Kratos validates it and works out anew what follows from the schema.
    pub async fn set_schema(&self, id: &str, schema: &str) -> Result<()> {
        let patch = json!([{"op": "replace", "path": "/schema_id", "value": schema}]);
        self.call(Method::PATCH, &["identities", id], &[], Some(&patch)).await.map(drop)
    }

    /// Deletes an identity.
    pub async fn delete(&self, id: &str) -> Result<()> {
        self.call(Method::DELETE, &["identities", id], &[], NO_BODY).await?.nothing()
    }

    /// Ends all sessions of an identity; not found: it has none, or there is no such identity.
    pub async fn end_sessions(&self, id: &str) -> Result<()> {
        self.call(Method::DELETE, &["identities", id, "sessions"], &[], NO_BODY).await?.nothing()
    }

    /// Takes a credential from an identity; of `oidc` the one that `identifier` (`provider:subject`) names.
    pub async fn remove_credential(&self, id: &str, kind: &str, identifier: Option<&str>) -> Result<()> {
        let query: Vec<_> = identifier.map(|identifier| ("identifier", identifier)).into_iter().collect();
        let path = ["identities", id, "credentials", kind];
        self.call(Method::DELETE, &path, &query, NO_BODY).await?.nothing()
    }

    /// Makes a recovery code that is valid for `expires_in`, e.g. `1h`.
    pub async fn recovery_code(&self, id: &str, expires_in: &str) -> Result<RecoveryCode> {
        let body = json!({ "identity_id": id, "expires_in": expires_in });
        self.call(Method::POST, &["recovery", "code"], &[], Some(&body)).await?.json()
    }

    /// The identity schemas of the running Kratos, in its order.
    pub async fn schemas(&self) -> Result<Vec<PublishedSchema>> {
        let query = [("per_page", "500")];
        self.send(&self.public, Method::GET, &["schemas"], &query, NO_BODY).await?.json()
    }
}

fn masked(error: Error, secret: Option<&Secret>) -> Error {
    match secret {
        Some(secret) => error.without(secret),
        None => error,
    }
}

/// The `page_token` of the link with `rel="next"`.
fn next_token(links: &str) -> Option<String> {
    let next = links.split('<').find(|link| {
        link.split_once('>').is_some_and(|(_, attributes)| attributes.contains("rel=\"next\""))
    })?;
    let (target, _) = next.split_once('>')?;
    let (_, query) = target.split_once('?')?;
    let token = query.split('&').find_map(|pair| pair.strip_prefix("page_token="))?;
    let token = percent_decode_str(token).decode_utf8().ok()?.into_owned();
    Some(token).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::next_token;

    #[test]
    fn the_next_page_is_found_among_the_links() {
        let first =
            "</admin/identities?page_size=1&page_token=00000000-0000-0000-0000-000000000000>; rel=\"first\"";
        let next =
            "</admin/identities?page_size=1&page_token=202a3877-4bb2-4316-8a5e-f59991ce68a9>; rel=\"next\"";
        let token = Some("202a3877-4bb2-4316-8a5e-f59991ce68a9".to_owned());
        assert_eq!(next_token(&format!("{first},{next}")), token);
        assert_eq!(next_token(next), token);
        assert_eq!(next_token(first), None);
        assert_eq!(next_token(""), None);
        let opaque = "<http://h/admin/identities?page_token=a%3D%3D&page_size=2>; rel=\"next\"";
        assert_eq!(next_token(opaque).as_deref(), Some("a=="));
    }
}

//! `pg-database` (interface postgresql_client, v0): what we ask PostgreSQL for, and what it answered.
//!
//! Given the relation's databags and the contents of the secrets that they name, [`DatabaseRelation::answer`]
//! tells whether there is a database to use. Nothing that the other side writes is an error: it is `Absent`,
//! `Invalid` with a reason for the status, or `Ready`.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::relation::SecretContent;
use crate::juju::{Databag, RelationId};
use crate::postgres::{Dsn, DsnParts, HostPort, Tls, check_ca};

/// The endpoint's name in metadata.yaml.
pub const ENDPOINT: &str = "pg-database";
/// The key that names the secret with user name and password.
pub const USER_SECRET: &str = "secret-user";
/// The key that names the secret with `tls` and `tls-ca`.
pub const TLS_SECRET: &str = "secret-tls";

/// PostgreSQL charms never answer a longer name.
const LONGEST_NAME: usize = 49;

/// Everything that may hold a credential is asked for as a secret: what is not, an older provider writes in
/// plain text into the databag. The list is the one that the Python charm publishes, so a refresh changes nothing.
const REQUESTED_SECRETS: &str = r#"["username", "password", "tls", "tls-ca", "uris", "read-only-uris", "entity-name", "entity-password"]"#;

/// What the relation shows to this unit. `Debug` shows which keys are there, but no values.
#[derive(Clone)]
pub struct DatabaseRelation {
    pub id: RelationId,
    /// Our application databag, which only the leader may read.
    pub own: Option<Databag>,
    /// The provider's application databag.
    pub remote: Databag,
    /// The databags of the provider's units.
    pub remote_units: Vec<Databag>,
    /// The secret named by [`USER_SECRET`].
    pub user: SecretContent,
    /// The secret named by [`TLS_SECRET`].
    pub tls: SecretContent,
}

impl fmt::Debug for DatabaseRelation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DatabaseRelation")
            .field("id", &self.id)
            .field("remote", &self.remote.keys())
            .field("user", &self.user)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// What the provider has answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Not yet.
    Absent,
    /// Something that cannot be used, and what it is.
    Invalid(String),
    Ready(Dsn),
}

impl DatabaseRelation {
    /// The database that the provider made for us; `ca_file` is where its CA certificate will lie.
    pub fn answer(&self, requested: &str, ca_file: &str) -> Answer {
        match self.dsn(requested, ca_file) {
            Ok(Some(dsn)) => Answer::Ready(dsn),
            Ok(None) => Answer::Absent,
            Err(reason) => Answer::Invalid(format!("{}: {reason}", self.id)),
        }
    }

    fn dsn(&self, requested: &str, ca_file: &str) -> Result<Option<Dsn>, String> {
        let is_subordinated = self.remote.get("subordinated").is_some_and(|value| value == "true");
        let is_unit_ready = |unit: &Databag| unit.get("state").is_some_and(|state| state == "ready");
        if is_subordinated && !self.remote_units.iter().any(is_unit_ready) {
            return Ok(None);
        }
        let username = self.value(&self.user, USER_SECRET, "username")?;
        let password = self.value(&self.user, USER_SECRET, "password")?;
        let endpoints = filled(self.remote.get("endpoints"));
        let (Some(username), Some(password), Some(endpoints)) = (username, password, endpoints) else {
            return Ok(None);
        };
        let endpoints = HostPort::parse_list(endpoints).map_err(|error| error.to_string())?;
        // The provider may have made another database than the one asked for.
        let own = self.own.as_ref().and_then(|own| filled(own.get("database")));
        let database = filled(self.remote.get("database")).or(own).unwrap_or(requested);
        let parts = DsnParts {
            username: username.to_owned(),
            password: password.to_owned(),
            endpoints,
            database: database.to_owned(),
            tls: self.tls(ca_file)?,
        };
        Dsn::new(parts).map(Some).map_err(|error| error.to_string())
    }

    fn tls(&self, ca_file: &str) -> Result<Tls, String> {
        let is_on = self.value(&self.tls, TLS_SECRET, "tls")?;
        if !is_on.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Tls::Prefer);
        }
        let Some(ca_pem) = self.value(&self.tls, TLS_SECRET, "tls-ca")? else {
            return Ok(Tls::Require);
        };
        check_ca(ca_pem).map_err(|error| format!("tls-ca: {error}"))?;
        Ok(Tls::VerifyCa { ca_pem: ca_pem.to_owned(), ca_file: ca_file.to_owned() })
    }

    /// A value out of its secret or, from a provider that knows no secrets, out of the databag.
    fn value<'a>(
        &'a self,
        secret: &'a SecretContent,
        name: &str,
        key: &str,
    ) -> Result<Option<&'a str>, String> {
        match secret {
            SecretContent::Content(content) => Ok(filled(content.get(key))),
            SecretContent::Unreadable(reason) => Err(format!("{name} cannot be read: {reason}")),
            SecretContent::Absent => Ok(filled(self.remote.get(key))),
        }
    }

    /// What the leader publishes. What was published before stays: providers refuse or ignore a change of the
    /// database name and fail on changed roles, so a database of the Python charm is kept as it was asked for.
    pub fn request(&self, name: &str) -> BTreeMap<String, String> {
        let kept = |key: &str| self.own.as_ref().and_then(|own| filled(own.get(key)));
        let entry = |key: &str, default: &str| (key.to_owned(), kept(key).unwrap_or(default).to_owned());
        BTreeMap::from([entry("database", name), entry("requested-secrets", REQUESTED_SECRETS)])
    }
}

fn filled(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|value| !value.trim().is_empty())
}

/// The database that an application asks for: `<model>_<application>`, as the Python charm did, cut to what
/// PostgreSQL charms accept with a digest of the whole name in place of the rest.
pub fn database_name(model: &str, application: &str) -> String {
    let name = format!("{model}_{application}");
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest: String = Sha256::digest(&name).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let kept: String = name.chars().take(LONGEST_NAME - digest.len() - 1).collect();
    format!("{kept}_{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(pairs: &[(&str, &str)]) -> Databag {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn relation(remote: &[(&str, &str)]) -> DatabaseRelation {
        DatabaseRelation {
            id: "pg-database:3".parse().unwrap(),
            own: None,
            remote: bag(remote),
            remote_units: vec![],
            user: SecretContent::Absent,
            tls: SecretContent::Absent,
        }
    }

    fn url(relation: &DatabaseRelation) -> String {
        match relation.answer("idp_kratos", "/ca.pem") {
            Answer::Ready(dsn) => dsn.url(),
            Answer::Absent => "absent".to_owned(),
            Answer::Invalid(reason) => format!("invalid: {reason}"),
        }
    }

    const PLAIN: [(&str, &str); 3] = [("username", "u"), ("password", "p@/#?"), ("endpoints", "db:5432")];

    #[test]
    fn weakness_13_each_part_of_the_answer_is_needed_and_encoded() {
        assert_eq!(url(&relation(&PLAIN)), "postgres://u:p%40%2F%23%3F@db:5432/idp_kratos");
        for (missing, _) in PLAIN {
            let mut pairs: Vec<_> = PLAIN.into_iter().filter(|(key, _)| *key != missing).collect();
            assert_eq!(url(&relation(&pairs)), "absent");
            pairs.push((missing, " "));
            assert_eq!(url(&relation(&pairs)), "absent");
        }
    }

    #[test]
    fn weakness_14_the_database_that_was_made_is_the_one_used() {
        let mut pairs = PLAIN.to_vec();
        pairs.push(("database", "other"));
        assert!(url(&relation(&pairs)).ends_with("/other"));
        let mut asked_before = relation(&PLAIN);
        asked_before.own = Some(bag(&[("database", "of_python")]));
        assert!(url(&asked_before).ends_with("/of_python"));
    }

    #[test]
    fn secrets_win_and_unreadable_ones_make_wait() {
        let mut relation =
            relation(&[("endpoints", "db"), ("secret-user", "secret:a"), ("username", "plain")]);
        relation.user = SecretContent::Content(bag(&[("username", "s"), ("password", "q")]));
        assert_eq!(url(&relation), "postgres://s:q@db:5432/idp_kratos");
        relation.tls = SecretContent::Unreadable("permission denied".to_owned());
        assert_eq!(url(&relation), "invalid: pg-database:3: secret-tls cannot be read: permission denied");
        relation.user = SecretContent::Unreadable("not found".to_owned());
        assert_eq!(url(&relation), "invalid: pg-database:3: secret-user cannot be read: not found");
    }

    #[test]
    fn weakness_14_tls_is_verified_when_a_ca_is_given() {
        let mut pairs = PLAIN.to_vec();
        pairs.push(("tls", "True"));
        assert!(url(&relation(&pairs)).ends_with("?sslmode=require"));
        pairs.push(("tls-ca", "not a certificate"));
        assert!(
            url(&relation(&pairs)).starts_with("invalid: pg-database:3: tls-ca:"),
            "{}",
            url(&relation(&pairs))
        );
        pairs[3] = ("tls", "false");
        assert!(url(&relation(&pairs)).ends_with("/idp_kratos"), "a CA without TLS is not used");
    }

    #[test]
    fn a_bad_endpoint_is_named() {
        let pairs = [("username", "u"), ("password", "p"), ("endpoints", "db:5432:5432")];
        assert!(url(&relation(&pairs)).contains("db:5432:5432"), "{}", url(&relation(&pairs)));
    }

    #[test]
    fn weakness_14_several_endpoints_are_all_used() {
        let pairs = [("username", "u"), ("password", "p"), ("endpoints", "a:1,b:2")];
        assert_eq!(
            url(&relation(&pairs)),
            "postgres://u:p@a,b/idp_kratos?port=1%2C2&target_session_attrs=primary"
        );
    }

    #[test]
    fn a_subordinate_pooler_is_waited_for() {
        let mut pairs = PLAIN.to_vec();
        pairs.push(("subordinated", "true"));
        let mut relation = relation(&pairs);
        assert_eq!(url(&relation), "absent");
        relation.remote_units = vec![bag(&[]), bag(&[("state", "ready")])];
        assert_ne!(url(&relation), "absent");
    }

    #[test]
    fn weakness_36_no_superuser_is_requested_and_what_the_python_charm_asked_for_is_kept() {
        let mut relation = relation(&[]);
        let fresh = relation.request("m_kratos");
        assert_eq!(fresh["database"], "m_kratos");
        assert!(fresh["requested-secrets"].contains("read-only-uris"));
        assert!(!fresh.contains_key("extra-user-roles"));
        relation.own =
            Some(bag(&[("database", "old"), ("requested-secrets", "[]"), ("extra-user-roles", "SUPERUSER")]));
        assert_eq!(relation.request("m_kratos"), bag(&[("database", "old"), ("requested-secrets", "[]")]));
    }

    #[test]
    fn weakness_37_long_names_are_cut_to_what_providers_accept() {
        assert_eq!(database_name("idp", "kratos"), "idp_kratos");
        let long = database_name(&"m".repeat(60), "kratos");
        assert_eq!(long.len(), 49);
        assert_ne!(long, database_name(&"m".repeat(60), "other"));
        assert_eq!(database_name(&"m".repeat(42), "kratos").len(), 49);
    }
}

//! The rules of `postgresql_client` as the PostgreSQL charms keep them: what is asked, what is refused, what goes where.
//!
//! A refusal blocks the charm and leaves the relation unanswered. An error is a hook error, where the real charms raise.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};

use anyhow::{Context, Result, bail};

use stand_ins::Bag;

/// PostgreSQL itself would take 63; the charms need the rest for names they derive.
const LONGEST_NAME: usize = 49;
const RESERVED: [&str; 4] = ["databases", "postgres", "template0", "template1"];
/// Roles that are silently dropped from a request.
const ACCESS_GROUPS: [&str; 3] = ["identity_access", "internal_access", "relation_access"];
/// What `extra-user-roles` may name, with the attribute it becomes.
const ROLES: [(&str, &str); 3] =
    [("superuser", "SUPERUSER"), ("createdb", "CREATEDB"), ("createrole", "CREATEROLE")];

/// What a requirer wants.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub database: String,
    /// Attributes for CREATE ROLE.
    pub attributes: Vec<&'static str>,
    /// Keys that go into secrets; all others go into the databag in plain text.
    pub secret_keys: Vec<String>,
    /// The requirer's databag as it was, for the key `data`.
    pub seen: Bag,
}

/// Why a relation is not answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Name(String),
    Roles(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "invalid database name: {name}"),
            Self::Roles(_) => f.write_str("invalid role(s) for extra user roles"),
        }
    }
}

impl Request {
    /// Reads the requirer's databag in the light of our own earlier answer. `None`: nothing is asked yet.
    pub fn parse(asked: &Bag, own: &Bag) -> Result<Option<Result<Self, Refusal>>> {
        let seen: Bag =
            asked.iter().filter(|(key, _)| *key != "data").map(|(k, v)| (k.clone(), v.clone())).collect();
        let Some(database) = asked.get("database").filter(|name| !name.is_empty()) else { return Ok(None) };
        let requested: Vec<String> = match asked.get("requested-secrets") {
            Some(text) => {
                serde_json::from_str(text).context("requested-secrets is no JSON list of strings")?
            }
            None => Vec::new(),
        };
        let roles = asked.get("extra-user-roles").map(String::as_str).unwrap_or_default();
        if let Some(data) = own.get("data") {
            let before: Bag = serde_json::from_str(data).context("our own key `data` is damaged")?;
            let before = before.get("extra-user-roles").map(String::as_str).unwrap_or_default();
            if !before.is_empty() && !roles.is_empty() && before != roles {
                bail!("Cannot change extra-user-roles from `{before}` to `{roles}`");
            }
        }
        // An answered relation keeps its database, and stays with plain text if it began so.
        let database = own.get("database").unwrap_or(database).clone();
        let secret_keys = if own.contains_key("username") { Vec::new() } else { requested };
        if database.len() > LONGEST_NAME || RESERVED.contains(&database.as_str()) || database.contains('\0') {
            return Ok(Some(Err(Refusal::Name(database))));
        }
        let mut attributes = Vec::new();
        for role in roles.split(',').map(|role| role.trim().to_lowercase()) {
            match ROLES.iter().find(|(name, _)| *name == role) {
                Some((_, attribute)) => attributes.push(*attribute),
                None if role.is_empty() || ACCESS_GROUPS.contains(&role.as_str()) => {}
                None => return Ok(Some(Err(Refusal::Roles(role)))),
            }
        }
        Ok(Some(Ok(Self { database, attributes, secret_keys, seen })))
    }
}

/// What there is to publish.
#[derive(Debug)]
pub struct Offer {
    pub username: String,
    pub password: String,
    pub endpoints: String,
    pub version: String,
    pub tls: bool,
    /// PEM, or "".
    pub tls_ca: String,
}

/// Where each value goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub bag: Bag,
    /// Secret contents by group: `user`, `tls`.
    pub secrets: BTreeMap<&'static str, Bag>,
}

impl Answer {
    pub fn new(request: &Request, offer: &Offer) -> Self {
        let Offer { username, password, endpoints, version, .. } = offer;
        let database = &request.database;
        let uris = format!("postgresql://{username}:{password}@{endpoints}/{database}");
        // Spelled as Python spells it.
        let tls = if offer.tls { "True" } else { "False" };
        let open = [("database", database.as_str()), ("endpoints", endpoints), ("version", version)];
        let mut bag: Bag = open.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let mut secrets: BTreeMap<&'static str, Bag> = BTreeMap::new();
        for (group, key, value) in [
            ("user", "username", username.as_str()),
            ("user", "password", password),
            ("user", "uris", &uris),
            ("tls", "tls", tls),
            ("tls", "tls-ca", &offer.tls_ca),
        ] {
            if value.is_empty() {
                continue;
            }
            let secret = request.secret_keys.iter().any(|wanted| wanted == key);
            let target = if secret { secrets.entry(group).or_default() } else { &mut bag };
            target.insert(key.to_owned(), value.to_owned());
        }
        Self { bag, secrets }
    }
}

/// 16 random letters and digits.
pub fn random_password() -> Result<String> {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let source = File::open("/dev/urandom").context("cannot open /dev/urandom")?;
    let mut password = String::new();
    for byte in BufReader::new(source).bytes() {
        // Six bits choose one of 64; the two numbers without a letter are passed over, so that all are equally likely.
        match ALPHABET.get(usize::from(byte.context("cannot read /dev/urandom")? & 63)) {
            Some(letter) => password.push(char::from(*letter)),
            None => continue,
        }
        if password.len() == 16 {
            break;
        }
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(pairs: &[(&str, &str)]) -> Bag {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn parse(asked: &[(&str, &str)], own: &[(&str, &str)]) -> Option<Result<Request, Refusal>> {
        Request::parse(&bag(asked), &bag(own)).unwrap()
    }

    fn offer() -> Offer {
        Offer {
            username: "relation_id_7".into(),
            password: "pw".into(),
            endpoints: "db:5432".into(),
            version: "15.18".into(),
            tls: true,
            tls_ca: "PEM".into(),
        }
    }

    #[test]
    fn nothing_is_answered_before_a_database_is_asked_for() {
        assert_eq!(parse(&[("requested-secrets", "[]")], &[]), None);
        assert_eq!(parse(&[("database", "")], &[]), None);
    }

    #[test]
    fn names_that_the_charms_refuse_are_refused() {
        let long = "n".repeat(50);
        for name in [long.as_str(), "databases", "postgres", "template0", "template1"] {
            assert_eq!(parse(&[("database", name)], &[]), Some(Err(Refusal::Name(name.to_owned()))));
        }
        assert!(parse(&[("database", &long[..49])], &[]).unwrap().is_ok());
    }

    #[test]
    fn roles_are_lower_cased_and_access_groups_dropped() {
        let roles = |text| {
            parse(&[("database", "d"), ("extra-user-roles", text)], &[]).unwrap().map(|r| r.attributes)
        };
        assert_eq!(roles("SUPERUSER, createdb,relation_access"), Ok(vec!["SUPERUSER", "CREATEDB"]));
        assert_eq!(roles(""), Ok(vec![]));
        assert_eq!(roles("wizard"), Err(Refusal::Roles("wizard".into())));
    }

    #[test]
    fn malformed_and_changed_requests_are_hook_errors() {
        let malformed = Request::parse(&bag(&[("database", "d"), ("requested-secrets", "[")]), &Bag::new());
        assert!(malformed.unwrap_err().to_string().contains("requested-secrets"));
        let own = bag(&[("data", r#"{"extra-user-roles":"SUPERUSER"}"#)]);
        let changed = Request::parse(&bag(&[("database", "d"), ("extra-user-roles", "createdb")]), &own);
        assert!(changed.unwrap_err().to_string().contains("Cannot change"));
        let removed = Request::parse(&bag(&[("database", "d")]), &own);
        assert!(removed.unwrap().unwrap().is_ok());
    }

    #[test]
    fn an_answered_relation_keeps_its_database_and_its_plain_text() {
        let asked = [("database", "new"), ("requested-secrets", r#"["username"]"#)];
        let request = parse(&asked, &[("database", "old"), ("username", "u")]).unwrap().unwrap();
        assert_eq!((request.database.as_str(), request.secret_keys.len()), ("old", 0));
    }

    #[test]
    fn requested_keys_go_into_secrets_and_all_others_into_the_databag() {
        let asked =
            [("database", "d"), ("requested-secrets", r#"["username","password","tls","tls-ca","uris"]"#)];
        let answer = Answer::new(&parse(&asked, &[]).unwrap().unwrap(), &offer());
        assert_eq!(answer.bag, bag(&[("database", "d"), ("endpoints", "db:5432"), ("version", "15.18")]));
        let uris = "postgresql://relation_id_7:pw@db:5432/d";
        assert_eq!(
            answer.secrets["user"],
            bag(&[("username", "relation_id_7"), ("password", "pw"), ("uris", uris)])
        );
        assert_eq!(answer.secrets["tls"], bag(&[("tls", "True"), ("tls-ca", "PEM")]));

        let plain = Answer::new(&parse(&[("database", "d")], &[]).unwrap().unwrap(), &offer());
        assert!(plain.secrets.is_empty());
        assert_eq!((plain.bag["password"].as_str(), plain.bag["tls"].as_str()), ("pw", "True"));
    }

    #[test]
    fn passwords_have_sixteen_letters_and_digits_and_differ() {
        let (one, two) = (random_password().unwrap(), random_password().unwrap());
        assert!(one.len() == 16 && one.chars().all(|c| c.is_ascii_alphanumeric()));
        assert_ne!(one, two);
    }
}

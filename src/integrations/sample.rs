//! Relations for tests.

use super::relation::{Relation, Remote, SecretContent};
use crate::juju::Databag;

pub fn bag(pairs: &[(&str, &str)]) -> Databag {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A relation whose remote application databag says this.
pub fn relation(id: &str, remote: &[(&str, &str)]) -> Relation {
    Relation { remote: bag(remote), ..Relation::new(id.parse().unwrap()) }
}

/// The same with a secret that Juju gives out.
pub fn with_secret(mut relation: Relation, key: &'static str, content: &[(&str, &str)]) -> Relation {
    relation.secrets.insert(key, SecretContent::Content(bag(content)));
    relation
}

/// The same with a secret that Juju does not give out.
pub fn with_unreadable_secret(mut relation: Relation, key: &'static str) -> Relation {
    relation.secrets.insert(key, SecretContent::Unreadable("permission denied".to_owned()));
    relation
}

/// A self-signed certificate authority as PEM.
pub fn certificate(name: &str) -> String {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

impl<T> Remote<T> {
    /// The data, if there is any to use.
    pub fn ready(self) -> Option<T> {
        match self {
            Self::Ready(data) => Some(data),
            Self::Absent | Self::Invalid(_) => None,
        }
    }
}

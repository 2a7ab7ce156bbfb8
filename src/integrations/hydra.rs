//! `hydra-endpoint-info` (interface hydra_endpoints): where Hydra's admin API is.
//!
//! Kratos accepts OAuth 2.0 logins there. The public endpoint that Hydra sends along is not needed.

use reqwest::Url;

use super::endpoint::Endpoint;
use super::relation::{Relation, Remote};
use crate::kratos::facts::uri::web_url;

/// Only application databags count; we write none.
pub const ENDPOINT: Endpoint = Endpoint {
    read: |related, given, _| related.hydra_admin_url = given.first(admin_url),
    ..Endpoint::new("hydra-endpoint-info")
};

const ADMIN: &str = "admin_endpoint";

/// Hydra's admin API (docs/behaviour.md#row-40).
pub fn admin_url(relation: &Relation) -> Remote<Url> {
    let Some(text) = relation.value(ADMIN) else { return Remote::Absent };
    match web_url(text.trim()) {
        Some(url) => Remote::Ready(url),
        None => Remote::Invalid(format!("{ADMIN} is no http(s) URL")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample::relation;

    fn read(pairs: &[(&str, &str)]) -> Remote<Url> {
        admin_url(&relation("hydra-endpoint-info:4", pairs))
    }

    #[test]
    fn the_admin_endpoint_alone_suffices() {
        let url = "http://hydra.m.svc.cluster.local:4445";
        assert_eq!(read(&[(ADMIN, url)]), Remote::Ready(url.parse().unwrap()));
        assert_eq!(read(&[("public_endpoint", url)]), Remote::Absent);
        assert_eq!(read(&[]), Remote::Absent);
        for text in ["hydra:4445", "ftp://hydra", "http://", "http://h y"] {
            assert_eq!(
                read(&[(ADMIN, text)]),
                Remote::Invalid("admin_endpoint is no http(s) URL".to_owned())
            );
        }
    }
}

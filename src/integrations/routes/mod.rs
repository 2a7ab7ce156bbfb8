//! `public-route` and `internal-route` (interface traefik_route, v0): how Traefik is told what to route, and under which
//! address it does.
//!
//! Given the remote databag, [`address`] tells the address; given it, [`public`] and [`internal`] tell what the leader
//! publishes. Rules name the host wherever one is known, so that two applications behind one Traefik do not take each
//! other's requests, and no TLS domain is ever made of a host that is not known (docs/behaviour.md#weakness-61).

mod traefik;

use std::collections::BTreeMap;

use super::endpoint::Endpoint;
use super::publish::RouteTarget;
use super::relation::{ByRelation, Relation, Remote};
use crate::juju::RelationId;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::names::{ADMIN_PORT, PUBLIC_PORT};
use traefik::{Dynamic, Route};

/// The way from outside. More than one relation is possible.
pub const PUBLIC: Endpoint = Endpoint {
    read: |related, given, _| {
        related.public_routes = given.each(address);
        let (public_url, conflicts) = join(related.public_routes.clone());
        given.conflicts(conflicts);
        related.public_url = public_url;
    },
    answer: Some(|publication, relation| {
        let mut routes = publication.related.public_routes.iter();
        let address = routes.find(|(route, _)| *route == relation.id).map(|(_, address)| address);
        Some(public(publication.backend(), address))
    }),
    ..Endpoint::new("public-route")
};
/// The way from other applications of the platform.
pub const INTERNAL: Endpoint = Endpoint {
    read: |related, given, _| related.internal_url = given.first(address),
    answer: Some(|publication, _| {
        Some(internal(publication.backend(), publication.related.internal_url.as_ref()))
    }),
    ..Endpoint::new("internal-route")
};

/// The address under which Traefik makes Kratos reachable; an empty host means that it does not know it yet.
pub fn address(relation: &Relation) -> Remote<PublicUrl> {
    let Some(host) = relation.value("external_host") else { return Remote::Absent };
    let scheme = relation.value("scheme").unwrap_or("http");
    match PublicUrl::parse(&format!("{scheme}://{host}")) {
        Ok(url) => Remote::Ready(url),
        Err(_) => Remote::Invalid("scheme and external_host make no http(s)://HOST[:PORT]".to_owned()),
    }
}

/// The public address: that of the oldest route, because Kratos knows only one. The others are told, unless they say the
/// same.
pub fn join(addresses: ByRelation<PublicUrl>) -> (Option<PublicUrl>, ByRelation<String>) {
    let mut addresses: std::collections::VecDeque<(RelationId, PublicUrl)> = addresses.into();
    let Some((first, url)) = addresses.pop_front() else { return (None, vec![]) };
    addresses.retain(|(_, other)| other != &url);
    let told = |(relation, _)| (relation, format!("{first} already says where browsers reach Kratos"));
    (Some(url), addresses.into_iter().map(told).collect())
}

/// What the leader publishes on a public route: what browsers have to reach directly. Without an address there is
/// nothing to route, and the empty configuration asks for one.
pub fn public(backend: RouteTarget<'_>, address: Option<&PublicUrl>) -> BTreeMap<String, Option<String>> {
    let mut dynamic = Dynamic::new(backend, address);
    if address.is_some() {
        dynamic.route("public-api", "well-known", Route::Exact("/.well-known/webauthn.js"));
        dynamic.route(
            "public-api",
            "self-service-oidc-callback",
            Route::Below("/self-service/methods/oidc/callback"),
        );
        dynamic.route("public-api", "schemas", Route::Below("/schemas"));
        dynamic.service("public-api", PUBLIC_PORT);
        // Kratos serves the script that browsers expect at the well-known place under another path.
        dynamic.replace_path("public-api", "well-known", "/.well-known/ory/webauthn.js");
    }
    databag(&dynamic)
}

/// What the leader publishes on the internal route: both APIs. Without an address the rules name no host.
pub fn internal(backend: RouteTarget<'_>, address: Option<&PublicUrl>) -> BTreeMap<String, Option<String>> {
    let mut dynamic = Dynamic::new(backend, address);
    for name in ["identities", "recovery", "sessions"] {
        dynamic.route("admin-api", name, Route::Below(&format!("/admin/{name}")));
    }
    for name in ["schemas", "self-service", "sessions"] {
        dynamic.route("public-api", name, Route::Below(&format!("/{name}")));
    }
    dynamic.service("admin-api", ADMIN_PORT);
    dynamic.service("public-api", PUBLIC_PORT);
    databag(&dynamic)
}

/// `raw` keeps Traefik from adding routers of its own.
fn databag(dynamic: &Dynamic) -> BTreeMap<String, Option<String>> {
    BTreeMap::from([
        ("config".to_owned(), Some(dynamic.to_text())),
        ("raw".to_owned(), Some("True".to_owned())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample::relation;
    use serde_json::{Value, json};

    const BACKEND: RouteTarget<'_> = RouteTarget { model: "idp", application: "kratos" };

    fn config(keys: &BTreeMap<String, Option<String>>) -> Value {
        assert_eq!(keys["raw"].as_deref(), Some("True"));
        serde_yaml::from_str(keys["config"].as_deref().unwrap()).unwrap()
    }

    fn url(text: &str) -> PublicUrl {
        PublicUrl::parse(text).unwrap()
    }

    #[test]
    fn an_address_needs_a_host() {
        let read = |pairs: &[(&str, &str)]| address(&relation("public-route:4", pairs));
        assert_eq!(read(&[]), Remote::Absent);
        assert_eq!(read(&[("external_host", " "), ("scheme", "https")]), Remote::Absent);
        let both = [("external_host", "id.example.com:8443"), ("scheme", "https")];
        assert_eq!(read(&both), Remote::Ready(url("https://id.example.com:8443")));
        assert_eq!(
            read(&[("external_host", "h/idp"), ("scheme", "http")]),
            Remote::Ready(url("http://h/idp"))
        );
        for (host, scheme) in [("a?b", "https"), ("x y", "http"), ("h", "ftp"), ("u@h", "http")] {
            let remote = read(&[("external_host", host), ("scheme", scheme)]);
            assert!(matches!(remote, Remote::Invalid(_)), "{remote:?}");
        }
    }

    #[test]
    fn weakness_05_of_several_public_routes_the_oldest_counts_and_the_others_are_told() {
        let id = |number: u32| format!("public-route:{number}").parse::<RelationId>().unwrap();
        let addresses = [(4, "https://a"), (7, "https://a"), (9, "https://b")];
        let addresses = addresses.map(|(number, text)| (id(number), url(text)));
        let told = vec![(id(9), "public-route:4 already says where browsers reach Kratos".to_owned())];
        assert_eq!(join(addresses.to_vec()), (Some(url("https://a")), told));
        assert_eq!(join(vec![]), (None, vec![]));
    }

    #[test]
    fn the_public_route_has_what_browsers_reach() {
        let config = config(&public(BACKEND, Some(&url("https://id.example.com:8443"))));
        let name = "juju-idp-kratos-public-api-router-well-known";
        let service = "juju-idp-kratos-public-api-service";
        let rule = "Host(`id.example.com`) && Path(`/.well-known/webauthn.js`)";
        let plain = json!({
            "entryPoints": ["web"], "middlewares": ["juju-sidecar-replace-path-idp-kratos"], "rule": rule, "service": service,
        });
        assert_eq!(config["http"]["routers"][name], plain);
        let mut encrypted = plain;
        encrypted["entryPoints"] = json!(["websecure"]);
        encrypted["tls"] = json!({"domains": [{"main": "id.example.com", "sans": ["*.id.example.com"]}]});
        assert_eq!(config["http"]["routers"][format!("{name}-tls")], encrypted);
        let server =
            json!({"loadBalancer": {"servers": [{"url": "http://kratos.idp.svc.cluster.local:4433"}]}});
        assert_eq!(config["http"]["services"], json!({ service: server }));
        let names: Vec<_> = config["http"]["routers"].as_object().unwrap().keys().cloned().collect();
        let parts = ["schemas", "self-service-oidc-callback", "well-known"];
        let all = parts.map(|part| format!("juju-idp-kratos-public-api-router-{part}"));
        let mut expected: Vec<_> =
            all.iter().cloned().chain(all.iter().map(|name| format!("{name}-tls"))).collect();
        expected.sort();
        assert_eq!(names, expected);
        assert_eq!(
            config["http"]["middlewares"],
            json!({"juju-sidecar-replace-path-idp-kratos": {"replacePath": {"path": "/.well-known/ory/webauthn.js"}}})
        );
    }

    #[test]
    fn weakness_61_without_a_host_nothing_names_one() {
        assert_eq!(config(&public(BACKEND, None)), json!({}));
        let internal = internal(BACKEND, None);
        let text = internal["config"].as_deref().unwrap();
        assert!(!text.contains("tls") && !text.contains("Host("), "{text}");
        let config = config(&internal);
        assert_eq!(
            config["http"]["routers"]["juju-idp-kratos-admin-api-router-identities"],
            json!({"entryPoints": ["web"], "rule": "PathPrefix(`/admin/identities`)", "service": "juju-idp-kratos-admin-api-service"})
        );
        assert_eq!(config["http"]["routers"].as_object().unwrap().len(), 6);
    }

    #[test]
    fn an_address_that_is_no_name_gets_no_certificate_for_names_below_it() {
        let config = config(&internal(BACKEND, Some(&url("http://10.1.2.3"))));
        let router = &config["http"]["routers"]["juju-idp-kratos-public-api-router-schemas-tls"];
        assert_eq!(router["rule"], "Host(`10.1.2.3`) && PathPrefix(`/schemas`)");
        assert_eq!(router["tls"], json!({}));
        assert_eq!(config["http"]["services"].as_object().unwrap().len(), 2);
    }
}

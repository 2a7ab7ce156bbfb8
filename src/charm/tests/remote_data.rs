//! What other applications say: the events of the endpoints and the reactions to bad data, row by row
//! (docs/behaviour.md#events-of-the-endpoints and #bad-data), for the endpoints through which Kratos is told something.

use super::*;
use crate::integrations::{ENDPOINTS, Relation, sample};
use crate::juju::RelationId;
use crate::kratos::Facts;

const PROVIDERS: &str = r#"[{"provider": "google", "client_id": "c", "client_secret": "sesame", "id": "g"}]"#;
const RECEIVERS: &str =
    r#"[{"protocol": {"name": "otlp_http", "type": "http"}, "url": "https://tempo:4318"}]"#;
const SMTP: &[(&str, &str)] =
    &[("host", "mail"), ("port", "25"), ("auth_type", "none"), ("transport_security", "none")];
const HOOK: &[(&str, &str)] = &[
    ("url", "https://h/x"),
    ("body", "base64://e30="),
    ("method", "POST"),
    ("response_ignore", "false"),
    ("response_parse", "false"),
];

fn facts(observed: &Observed) -> Facts {
    situation(observed).kratos.unwrap().facts
}

/// A relation that has never been answered.
fn related(id: &str, remote: &[(&str, &str)]) -> Relation {
    let own = Some(Databag::new());
    Relation { own, ..sample::relation(id, remote) }
}

fn with(relations: impl IntoIterator<Item = Relation>) -> Observed {
    Observed { relations: relations.into_iter().collect(), ..ready() }
}

/// A public route with its address.
fn route() -> Relation {
    related("public-route:9", &[("scheme", "https"), ("external_host", "id.example.com")])
}

/// What is said on a relation, by key.
fn said(observed: &Observed, id: &str) -> BTreeMap<String, Option<String>> {
    let id: RelationId = id.parse().unwrap();
    let bags = desired(observed).databags.into_iter().filter(|bag| bag.relation == id);
    bags.flat_map(|bag| bag.keys).collect()
}

/// Whether the configuration is in force although something is wrong.
fn is_configured(observed: &Observed) -> bool {
    matches!(desired(observed).service, DesiredService::Running(_))
}

/// One row of the matrix: data, and what it makes known to Kratos.
type Fact = (&'static str, &'static [(&'static str, &'static str)], fn(&Facts) -> bool);

const FACTS: [Fact; 8] = [
    ("kratos-external-idp:4", &[("providers", PROVIDERS)], |facts| facts.related_providers.len() == 1),
    ("hydra-endpoint-info:4", &[("admin_endpoint", "http://hydra:4445")], |facts| {
        facts.hydra_admin_url.as_ref().is_some_and(|url| url.port() == Some(4445))
    }),
    ("ui-endpoint-info:4", &[("login_url", "/ui/login")], |facts| {
        facts.login_ui.login_url.as_deref() == Some("/ui/login")
    }),
    ("kratos-registration-webhook:4", HOOK, |facts| facts.registration_hooks.len() == 1),
    ("kratos-login-webhook:4", HOOK, |facts| facts.login_hooks.len() == 1),
    ("tracing:4", &[("receivers", RECEIVERS)], |facts| {
        facts.otlp.as_ref().is_some_and(|url| url.as_str() == "https://tempo:4318/")
    }),
    ("smtp:4", SMTP, |facts| facts.smtp.as_ref().is_some_and(|smtp| smtp.port == 25)),
    ("receive-ca-cert:4", &[("version", "1")], |facts| facts.certificates.len() == 1),
];

/// The data of a row; a certificate is made when it is needed.
fn row(id: &str, remote: &[(&str, &str)]) -> Relation {
    let mut relation = related(id, remote);
    if id.starts_with("receive-ca-cert") {
        relation.remote.insert("certificates".to_owned(), json!([sample::certificate("a")]).to_string());
    }
    relation
}

#[test]
fn every_endpoint_is_read_and_its_data_counts_while_it_is_there() {
    for (id, remote, is_known) in FACTS {
        let endpoint = id.split(':').next().unwrap();
        assert!(ENDPOINTS.iter().any(|read| read.name == endpoint), "{id} is not read");
        // changed, secret-changed, update-status: whatever the event, all of it is read anew.
        let mut observed = with([row(id, remote), route()]);
        assert!(is_known(&facts(&observed)), "{id}");
        assert!(
            is_configured(&observed) && status(&observed).starts_with("active"),
            "{id}: {}",
            status(&observed)
        );
        // created and joined: nothing was said yet.
        observed.relations[0].remote.clear();
        assert!(!is_known(&facts(&observed)), "{id}");
        assert!(status(&observed).starts_with("active"), "{id}: {}", status(&observed));
    }
}

#[test]
fn the_event_makes_no_difference() {
    // Every row of the event matrix reconciles all and publishes all; what is left is what was observed.
    let relations: Vec<_> = FACTS.iter().map(|(id, remote, _)| row(id, remote)).chain([route()]).collect();
    let outcome = |hook: &str| {
        let observed = Observed { context: context(&format!("hooks/{hook}")), ..with(relations.clone()) };
        let desired = desired(&observed);
        let DesiredService::Running(running) = desired.service else { panic!("{hook}") };
        (desired.databags, running.layer, running.files, status(&observed))
    };
    let expected = outcome("config-changed");
    let mut hooks = vec!["secret-changed".to_owned()];
    hooks.extend(
        ["update-status", "leader-elected", "upgrade-charm", "kratos-pebble-ready"].map(str::to_owned),
    );
    for (id, ..) in FACTS {
        let endpoint = id.split(':').next().unwrap();
        let events = ["created", "joined", "changed", "departed", "broken"];
        hooks.extend(events.map(|event| format!("{endpoint}-relation-{event}")));
    }
    for hook in hooks {
        assert!(outcome(&hook) == expected, "{hook}");
    }
}

#[test]
fn weakness_24_every_event_of_an_endpoint_is_declared_and_has_its_hook() {
    let metadata: serde_json::Value = serde_yaml::from_str(include_str!("../../../metadata.yaml")).unwrap();
    for (id, ..) in FACTS {
        let endpoint = id.split(':').next().unwrap();
        assert_eq!(metadata["requires"][endpoint]["optional"], true, "{endpoint}");
        for event in ["created", "joined", "changed", "departed", "broken"] {
            let hook = format!("{}/hooks/{endpoint}-relation-{event}", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&hook).is_file(), "{hook}");
        }
    }
}

#[test]
fn weakness_68_what_the_leader_owes_is_said_whatever_happened_before() {
    for hook in ["config-changed", "leader-elected", "upgrade-charm", "update-status"] {
        let mut observed = with([
            related("kratos-external-idp:4", &[("providers", PROVIDERS)]),
            related("tracing:5", &[]),
            related("receive-ca-cert:6", &[]),
            route(),
        ]);
        observed.context = context(&format!("hooks/{hook}"));
        let said = |id, key: &str| said(&observed, id).remove(key).flatten();
        assert_eq!(said("tracing:5", "receivers").as_deref(), Some(r#"["otlp_http"]"#));
        assert_eq!(said("receive-ca-cert:6", "version").as_deref(), Some("1"));
        let callback = "https://id.example.com/self-service/methods/oidc/callback/g";
        assert!(said("kratos-external-idp:4", "providers").unwrap().contains(callback), "{hook}");
        let follower = Observed { is_leader: false, ..observed.clone() };
        assert!(desired(&follower).databags.iter().all(|bag| bag.bag == Bag::Unit), "{hook}");
    }
}

#[test]
fn redirect_uris_are_taken_back_with_what_they_came_from() {
    let idp = || related("kratos-external-idp:4", &[("providers", PROVIDERS)]);
    let without_provider = with([related("kratos-external-idp:4", &[]), route()]);
    let without_route = with([idp()]);
    let without_host = with([idp(), related("public-route:9", &[("scheme", "https")])]);
    for observed in [without_provider, without_route, without_host] {
        assert_eq!(said(&observed, "kratos-external-idp:4")["providers"], None);
    }
}

#[test]
fn weakness_73_and_rows_8_and_9_a_missing_address_is_told_and_stops_nothing() {
    let idp = || related("kratos-external-idp:4", &[("providers", PROVIDERS)]);
    let cases = [
        (
            with([idp(), related("kratos-info:5", &[])]),
            "blocked Cannot send integration data without an external hostname. Please provide a traefik-route \
             relation. juju integrate kratos:public-route traefik-k8s:traefik-route",
        ),
        (
            with([idp()]),
            "waiting Waiting for public ingress: juju integrate kratos:public-route traefik-k8s:traefik-route",
        ),
        (
            with([idp(), related("public-route:9", &[("external_host", "")])]),
            "waiting Waiting for public ingress",
        ),
        (
            with([related("kratos-info:5", &[])]),
            "active kratos-info says nothing without a public address: juju integrate kratos:public-route traefik-k8s:traefik-route",
        ),
        (
            with([related("kratos-info:5", &[]), related("public-route:9", &[])]),
            "active kratos-info says nothing without a public address",
        ),
        (with([idp(), route(), related("kratos-info:5", &[])]), "active "),
    ];
    for (observed, expected) in cases {
        assert_eq!(status(&observed), expected);
        assert!(is_configured(&observed), "{expected}");
    }
}

/// One row of bad data: the relation, its data, a part of the status, and what is still known to Kratos.
type Bad = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const BAD: [Bad; 12] = [
    ("kratos-external-idp:7", &[("providers", "{")], "providers is no JSON list"),
    (
        "kratos-external-idp:7",
        &[("providers", r#"[{"provider": "google", "client_secret": "sesame"}]"#)],
        "provider 1: client_id is missing",
    ),
    ("kratos-registration-webhook:7", &[("url", "https://u:sesame@h")], "body is missing"),
    ("kratos-login-webhook:7", &[("url", "https://u:sesame@h")], "body is missing"),
    ("smtp:7", &[("host", "h"), ("port", "x"), ("password", "sesame")], "port is no number"),
    ("tracing:7", &[("receivers", "{")], "receivers is no JSON list"),
    ("receive-ca-cert:7", &[("certificates", "{")], "certificates holds no PEM certificate"),
    ("ui-endpoint-info:7", &[("login_url", "http://u:sesame@")], "login_url is no URL and no path"),
    ("hydra-endpoint-info:7", &[("admin_endpoint", "u:sesame@h")], "admin_endpoint is no http(s) URL"),
    ("ui-endpoint-info:7", &[("login_url", "/other")], "login_url is already given by ui-endpoint-info:4"),
    ("kratos-external-idp:7", &[("providers", PROVIDERS)], "a provider has the id of a google provider of"),
    ("kratos-login-webhook:7", &[("response_parse", "true")], "url is missing"),
];

#[test]
fn bad_data_is_named_with_its_relation_and_takes_nothing_else_with_it() {
    for (id, remote, expected) in BAD {
        let good = FACTS.iter().map(|(id, remote, _)| row(id, remote)).chain([route()]);
        let observed = with(good.chain([related(id, remote)]));
        let facts = facts(&observed);
        for (other, _, is_known) in FACTS {
            assert!(is_known(&facts), "{other} is lost by {id}: {expected}");
        }
        assert!(is_configured(&observed), "{expected}");
        let endpoint = id.split(':').next().unwrap();
        let text = status(&observed);
        assert!(text.starts_with(&format!("blocked Cannot use what {id} says: {expected}")), "{text}");
        assert!(
            text.ends_with(&format!("; look at it: juju show-unit kratos/0 --endpoint {endpoint}")),
            "{text}"
        );
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[test]
fn an_unreadable_secret_leaves_out_what_needs_it() {
    let hook = || related("kratos-login-webhook:7", HOOK);
    let plain = || {
        related(
            "smtp:7",
            &[
                ("host", "h"),
                ("port", "25"),
                ("user", "u"),
                ("auth_type", "plain"),
                ("transport_security", "tls"),
            ],
        )
    };
    for (relation, key) in [(hook(), "auth_config_value_secret"), (plain(), "password_id")] {
        let id = relation.id.clone();
        let observed = with([sample::with_unreadable_secret(relation, key)]);
        let facts = facts(&observed);
        assert!(facts.login_hooks.is_empty() && facts.smtp.is_none());
        let text = status(&observed);
        assert!(text.contains(&format!("{id} says: {key} cannot be read: permission denied")), "{text}");
        assert!(is_configured(&observed), "{text}");
    }
}

#[test]
fn weakness_22_without_a_mail_server_none_is_made_up() {
    let variables = |observed: &Observed| {
        let DesiredService::Running(running) = desired(observed).service else { panic!() };
        let services = running.layer.services.into_values();
        services
            .flat_map(|service| service.environment)
            .filter(|(name, _)| name.contains("SMTP_CONN"))
            .collect()
    };
    let none: Vec<(String, String)> = variables(&with([]));
    assert!(none.is_empty(), "{none:?}");
    let given: Vec<_> = variables(&with([related("smtp:7", SMTP)]));
    assert_eq!(
        given[0],
        ("COURIER_SMTP_CONNECTION_URI".to_owned(), "smtp://mail:25/?disable_starttls=true".to_owned())
    );
}

#[test]
fn a_mail_server_stays_in_use_while_its_relation_says_nonsense() {
    let mut observed = started(with([related("smtp:7", SMTP)]));
    observed.relations[0].remote.insert("port".to_owned(), "many".to_owned());
    assert!(status(&observed).contains("smtp:7 says: port is no number"), "{}", status(&observed));
    assert_eq!(facts(&observed).smtp.unwrap().uri().unwrap(), "smtp://mail:25/?disable_starttls=true");
    observed.relations[0].remote.clear();
    assert_eq!(facts(&observed).smtp, None, "what is taken back goes");
}

#[test]
fn the_oldest_of_two_relations_on_an_endpoint_for_one_is_used() {
    let server = |id: &str, host: &str| {
        let mut relation = related(id, SMTP);
        relation.remote.insert("host".to_owned(), host.to_owned());
        relation
    };
    let host = |first: Relation| facts(&with([first, server("smtp:11", "new")])).smtp.unwrap().host;
    assert_eq!(host(server("smtp:7", "old")), "old");
    assert_eq!(host(related("smtp:7", &[])), "new");
}

#[test]
fn weakness_72_what_is_not_related_is_not_spoken_of() {
    assert!(Parsed::new(&ready()).related.problems.is_empty());
}

#[test]
fn nothing_that_comes_in_is_shown() {
    let hook = sample::with_secret(
        related("kratos-login-webhook:5", HOOK),
        "auth_config_value_secret",
        &[("auth-config-value", "sesame")],
    );
    let observed = with([related("kratos-external-idp:4", &[("providers", PROVIDERS)]), hook, route()]);
    let facts = facts(&observed);
    assert_eq!(facts.login_hooks[0].auth.as_ref().unwrap().value, Secret("sesame".to_owned()));
    let text = format!("{observed:?}{:?}{facts:?}", Parsed::new(&observed).related);
    assert!(!text.contains("sesame"), "{text}");
}

//! A refresh from the Python charm: which keys of the databags that it left stay, change, come and go.

use super::*;
use crate::integrations::sample;

/// `=` as it was, `~` another text, `+` new, `-` gone.
const KEYS: &str = include_str!("takeover.keys");

/// A relation, whose databag, and what is in it.
type Left = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// What the Python charm writes. Where its text and ours are both its own JSON or YAML, it stands for one.
const BEFORE: [Left; 13] = [
    (
        "pg-database:3",
        "app",
        &[
            ("database", "idp_kratos"),
            ("extra-user-roles", "SUPERUSER"),
            ("provided-secrets", "[\"mtls-cert\"]"),
            ("requested-secrets", "[\"username\", \"password\"]"),
        ],
    ),
    ("pg-database:3", "unit", &[("data", "{}"), ("provided-secrets", "[]"), ("requested-secrets", "[]")]),
    (
        "kratos-peers:0",
        "app",
        &[
            ("leader", "\"kratos/0\""),
            ("migration_version_1", "\"v1.3.1\""),
            ("migration_version_3", "\"v26.2.0\""),
        ],
    ),
    ("public-route:4", "app", &[("config", "http: {}"), ("raw", "True")]),
    ("internal-route:2", "app", &[("config", "http: {}"), ("raw", "True")]),
    ("kratos-external-idp:8", "app", &[("providers", "[{}]")]),
    ("tracing:11", "app", &[("receivers", "[\"otlp_http\"]")]),
    ("receive-ca-cert:10", "app", &[("version", "1")]),
    (
        "kratos-info:5",
        "app",
        &[
            ("admin_endpoint", "http://kratos.idp.svc.cluster.local:4434"),
            ("public_endpoint", "http://kratos.idp.svc.cluster.local:4433"),
            ("login_browser_endpoint", "https://id.example.com/self-service/login/browser"),
            ("sessions_endpoint", "http://kratos.idp.svc.cluster.local:4433/sessions/whoami"),
            ("providers_configmap_name", "oidc-providers"),
            ("schemas_configmap_name", "identity-schemas"),
            ("configmaps_namespace", "idp"),
            ("mfa_enabled", "True"),
            ("oidc_webauthn_sequencing_enabled", "False"),
            ("verification_enabled", "False"),
            ("feature_flags", "password,webauthn"),
        ],
    ),
    ("metrics-endpoint:9", "app", &[("alert_rules", "{}"), ("scrape_jobs", "[]"), ("scrape_metadata", "{}")]),
    (
        "metrics-endpoint:9",
        "unit",
        &[("prometheus_scrape_unit_address", "10.1.2.3"), ("prometheus_scrape_unit_name", "kratos/0")],
    ),
    ("grafana-dashboard:6", "app", &[("dashboards", "{}")]),
    ("logging:7", "app", &[("alert_rules", "{}"), ("metadata", "{}")]),
];

/// What the other side says where it matters.
const REMOTE: [(&str, &[(&str, &str)]); 2] = [
    ("public-route:4", &[("external_host", "id.example.com"), ("scheme", "https")]),
    (
        "kratos-external-idp:8",
        &[("providers", r#"[{"provider": "google", "client_id": "c", "client_secret": "s", "id": "g"}]"#)],
    ),
];

fn left() -> Observed {
    let mut observed = ready();
    for (id, bag_of, pairs) in BEFORE {
        if id.starts_with("pg-database") {
            if bag_of == "app" {
                observed.databases[0].own = Some(bag(pairs));
            }
            continue;
        }
        if id.starts_with("kratos-peers") {
            observed.peers.as_mut().unwrap().application = bag(pairs);
            continue;
        }
        if !observed.relations.iter().any(|relation| relation.id.to_string() == id) {
            let remote = REMOTE.iter().find(|(of, _)| *of == id).map_or(&[][..], |(_, pairs)| pairs);
            let mut relation = sample::relation(id, remote);
            relation.address = id.starts_with("metrics").then(|| "10.1.2.3".to_owned());
            observed.relations.push(relation);
        }
        let relation = observed.relations.iter_mut().find(|relation| relation.id.to_string() == id).unwrap();
        match bag_of {
            "app" => relation.own = Some(bag(pairs)),
            _ => relation.own_unit = bag(pairs),
        }
    }
    observed
}

#[test]
fn what_the_python_charm_left_is_taken_over() {
    let desired = desired(&left());
    let mut bags: BTreeMap<String, BTreeMap<String, &str>> = BTreeMap::new();
    for (id, bag_of, pairs) in BEFORE {
        let signs = pairs.iter().map(|(key, _)| ((*key).to_owned(), "="));
        bags.insert(format!("{id} {bag_of}"), signs.collect());
    }
    for wanted in &desired.databags {
        let id = wanted.relation.to_string();
        let bag_of = if wanted.bag == Bag::App { "app" } else { "unit" };
        let before = BEFORE.iter().find(|(of, which, _)| *of == id && *which == bag_of);
        let before = before.map_or_else(Databag::new, |(_, _, pairs)| bag(pairs));
        let signs = bags.entry(format!("{id} {bag_of}")).or_default();
        for (key, value) in &wanted.keys {
            match (before.get(key), value) {
                (None, None) => {}
                (None, Some(_)) => drop(signs.insert(key.clone(), "+")),
                (Some(_), None) => drop(signs.insert(key.clone(), "-")),
                (Some(old), Some(new)) if old != new => drop(signs.insert(key.clone(), "~")),
                (Some(_), Some(_)) => {}
            }
        }
    }
    let line = |(name, signs): (&String, &BTreeMap<String, &str>)| {
        let keys = signs.iter().map(|(key, sign)| format!(" {sign}{key}")).collect::<String>();
        format!("{name}:{keys}\n")
    };
    let found: String = bags.iter().map(line).collect();
    assert!(found == KEYS, "takeover.keys should read\n{found}");
    assert!(desired.new_secrets.is_empty(), "sessions stay valid");
    assert!(matches!(desired.service, DesiredService::Running(_)), "nobody has to run anything");
}

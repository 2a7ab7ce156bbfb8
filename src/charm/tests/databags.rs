//! What others learn from us: the events of the endpoints (docs/behaviour.md#events-of-the-endpoints), row by row, and
//! the weaknesses of the Python charm there.

use super::*;
use crate::charm::situation::rejection;
use crate::integrations::{ENDPOINTS, Relation, sample};
use crate::juju::RelationId;
use crate::pebble::LogTarget;

fn related(id: &str, remote: &[(&str, &str)]) -> Relation {
    Relation { own: Some(Databag::new()), ..sample::relation(id, remote) }
}

fn with(relations: impl IntoIterator<Item = Relation>) -> Observed {
    Observed { relations: relations.into_iter().collect(), ..ready() }
}

fn route(id: &str, host: &str) -> Relation {
    related(id, &[("scheme", "https"), ("external_host", host)])
}

fn loki() -> Relation {
    let mut relation = related("logging:7", &[]);
    let endpoint = r#"{"url": "http://loki-0:3100/loki/api/v1/push"}"#;
    relation.remote_units.insert("loki/0".parse().unwrap(), sample::bag(&[("endpoint", endpoint)]));
    relation
}

/// One of each.
fn all() -> Vec<Relation> {
    let mut metrics = related("metrics-endpoint:5", &[]);
    metrics.address = Some("10.1.2.3".to_owned());
    vec![
        route("public-route:1", "id.example.com"),
        route("internal-route:2", "internal.example.com"),
        related("kratos-info:3", &[]),
        metrics,
        related("grafana-dashboard:6", &[]),
        loki(),
    ]
}

/// What is said on a relation, by key.
fn said(observed: &Observed, id: &str) -> BTreeMap<String, Option<String>> {
    let id: RelationId = id.parse().unwrap();
    let bags = desired(observed).databags.into_iter().filter(|bag| bag.relation == id);
    bags.flat_map(|bag| bag.keys).collect()
}

fn value(observed: &Observed, id: &str, key: &str) -> Option<String> {
    said(observed, id).remove(key).flatten()
}

#[test]
fn every_endpoint_is_declared_and_has_its_hooks() {
    let metadata: serde_json::Value = serde_yaml::from_str(include_str!("../../../metadata.yaml")).unwrap();
    for relation in all() {
        let endpoint = relation.id.endpoint();
        assert!(ENDPOINTS.iter().any(|read| read.name == endpoint), "{endpoint} is not read");
        let declared = ["requires", "provides"].map(|role| &metadata[role][endpoint]["optional"]);
        assert!(declared.contains(&&json!(true)), "{endpoint}");
        for event in ["created", "joined", "changed", "departed", "broken"] {
            let hook = format!("{}/hooks/{endpoint}-relation-{event}", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&hook).is_file(), "{hook}");
        }
    }
    assert_eq!(metadata["requires"]["internal-route"]["limit"], 1);
}

#[test]
fn weakness_75_juju_is_told_what_the_charm_cannot_do_without() {
    let metadata: serde_json::Value = serde_yaml::from_str(include_str!("../../../metadata.yaml")).unwrap();
    assert_eq!(metadata["assumes"], json!(["juju >= 3.6", "k8s-api"]));
    assert_eq!(
        metadata["requires"]["kratos-registration-webhook"]["interface"],
        "kratos_registration_webhook"
    );
}

#[test]
fn weakness_68_all_of_it_is_said_whatever_the_event_and_by_the_leader() {
    let keys = [
        ("public-route:1", &["config", "raw"][..]),
        ("internal-route:2", &["config", "raw"]),
        (
            "kratos-info:3",
            &["admin_endpoint", "login_browser_endpoint", "public_endpoint", "sessions_endpoint"],
        ),
        ("metrics-endpoint:5", &["alert_rules", "scrape_jobs", "scrape_metadata"]),
        ("grafana-dashboard:6", &["dashboards"]),
        ("logging:7", &["alert_rules", "metadata"]),
    ];
    for hook in ["config-changed", "leader-elected", "upgrade-charm", "update-status", "kratos-pebble-ready"]
    {
        let observed = Observed { context: context(&format!("hooks/{hook}")), ..with(all()) };
        for (id, keys) in keys {
            let said = said(&observed, id);
            for key in keys {
                assert!(said.get(*key).is_some_and(Option::is_some), "{hook}: {id} {key}");
            }
        }
        let follower = Observed { is_leader: false, ..observed };
        let bags = desired(&follower).databags;
        assert!(bags.iter().all(|bag| bag.bag == Bag::Unit), "{hook}");
        let address = value(&follower, "metrics-endpoint:5", "prometheus_scrape_unit_address");
        assert_eq!(address.as_deref(), Some("10.1.2.3"), "{hook}: every unit tells its own");
    }
}

#[test]
fn weakness_25_other_applications_hear_of_a_new_internal_address() {
    let admin = |observed: &Observed| value(observed, "kratos-info:3", "admin_endpoint").unwrap();
    let mut observed = with(all());
    assert_eq!(admin(&observed), "https://internal.example.com");
    observed.relations[1] = route("internal-route:2", "other.example.com");
    assert_eq!(admin(&observed), "https://other.example.com");
    observed.relations[1] = related("internal-route:2", &[("external_host", "")]);
    assert_eq!(admin(&observed), "http://kratos.idp.svc.cluster.local:4434");
    observed.relations.remove(1);
    assert_eq!(admin(&observed), "http://kratos.idp.svc.cluster.local:4434");
}

#[test]
fn weakness_26_without_a_public_address_nothing_old_is_left_and_it_is_told() {
    let mut observed = with(all());
    observed.relations.remove(0);
    let said = said(&observed, "kratos-info:3");
    assert!(said.len() == 11 && said.values().all(Option::is_none), "{said:?}");
    assert!(status(&observed).contains("kratos-info says nothing"), "{}", status(&observed));
}

#[test]
fn weakness_27_flags_follow_what_they_come_from() {
    const PROVIDERS: &str = r#"[{"provider": "google", "client_id": "c", "client_secret": "s", "id": "g"}]"#;
    let flags = |observed: &Observed| value(observed, "kratos-info:3", "feature_flags").unwrap_or_default();
    let mut observed = with(all());
    assert!(!flags(&observed).contains("account_linking"));
    observed.relations.push(related("kratos-external-idp:8", &[("providers", PROVIDERS)]));
    assert!(flags(&observed).contains("account_linking"));
    // Without a database Kratos is not configured: what was said stays.
    observed.databases.clear();
    let said = said(&observed, "kratos-info:3");
    assert!(!said.contains_key("feature_flags"), "{said:?}");
    // What consumers hand to Go is there whatever is not.
    for key in ["admin_endpoint", "mfa_enabled", "oidc_webauthn_sequencing_enabled", "verification_enabled"] {
        assert!(said[key].is_some(), "{key}");
    }
    observed.config.insert("log_level".into(), json!("loud"));
    assert!(
        self::said(&observed, "kratos-info:3").is_empty(),
        "while an option is invalid what was said stays"
    );
}

#[test]
fn weakness_05_two_public_routes_are_both_told_what_to_route_and_one_counts() {
    let observed =
        with([route("public-route:1", "id.example.com"), route("public-route:4", "other.example.com")]);
    assert_eq!(Parsed::new(&observed).related.public_url.unwrap().host(), "id.example.com");
    assert!(value(&observed, "public-route:4", "config").unwrap().contains("other.example.com"));
    let text = status(&observed);
    assert!(
        text.starts_with("blocked Cannot use what public-route:4 says: public-route:1 already says where"),
        "{text}"
    );
    let late = with([related("public-route:1", &[]), route("public-route:4", "other.example.com")]);
    assert_eq!(Parsed::new(&late).related.public_url.unwrap().host(), "other.example.com");
    assert!(status(&late).starts_with("active"), "{}", status(&late));
    let bad = with([related("public-route:1", &[("external_host", "a?b"), ("scheme", "http")])]);
    assert!(
        status(&bad).contains("public-route:1 says: scheme and external_host make no"),
        "{}",
        status(&bad)
    );
}

#[test]
fn weakness_61_a_route_without_host_is_empty_or_names_none() {
    let observed = with([related("public-route:1", &[]), related("internal-route:2", &[])]);
    assert_eq!(value(&observed, "public-route:1", "config").unwrap().trim(), "{}");
    assert!(!value(&observed, "internal-route:2", "config").unwrap().contains("main"));
}

#[test]
fn weakness_58_logs_go_where_the_relation_says_and_stop_when_it_goes() {
    let on: fn(&BTreeMap<String, LogTarget>) -> Vec<&str> = |targets| {
        targets.iter().filter(|(_, it)| it.services == ["all"]).map(|(name, _)| name.as_str()).collect()
    };
    let mut observed = with(all());
    let targets = desired(&observed).log_targets;
    assert_eq!(on(&targets), ["loki/0"]);
    container(&mut observed).plan.log_targets = targets.clone();
    assert_eq!(desired(&observed).log_targets, targets, "nothing changed");
    let follower = Observed { is_leader: false, ..observed.clone() };
    assert_eq!(desired(&follower).log_targets, targets, "every unit sends its own");
    observed.relations.pop();
    let targets = desired(&observed).log_targets;
    assert!(on(&targets).is_empty() && targets["loki/0"].services == ["-all"], "{targets:?}");
    // A new Pebble knows nothing.
    container(&mut observed).plan.log_targets.clear();
    assert!(desired(&observed).log_targets.is_empty());
    observed.relations.push(loki());
    observed.databases.clear();
    assert_eq!(on(&desired(&observed).log_targets), ["loki/0"], "whatever keeps Kratos from running");
}

#[test]
fn what_the_other_side_cannot_use_is_logged_once_when_it_says_so() {
    let event = |endpoint: &str, id: &str, event: &str| {
        let environment = Environment::from([
            ("JUJU_DISPATCH_PATH", format!("hooks/{endpoint}-relation-changed").as_str()),
            ("JUJU_UNIT_NAME", "kratos/0"),
            ("JUJU_MODEL_NAME", "idp"),
            ("JUJU_RELATION", endpoint),
            ("JUJU_RELATION_ID", id),
            ("JUJU_REMOTE_APP", "other"),
        ]);
        let context = Context::from_environment(&environment).unwrap();
        let observed = Observed { context, ..with([related(id, &[("event", event)])]) };
        rejection(&observed)
    };
    let scraped = r#"{"errors": "group x: bad\nrule", "scrape_job_errors": ""}"#;
    assert_eq!(
        event("metrics-endpoint", "metrics-endpoint:5", scraped).as_deref(),
        Some(r#"metrics-endpoint:5 cannot use something: "group x: bad\nrule""#)
    );
    let shown = r#"{"valid": false, "errors": [{"dashboard_id": "file:kratos.json", "error": "e"}]}"#;
    assert!(event("grafana-dashboard", "grafana-dashboard:6", shown).unwrap().contains("file:kratos.json"));
    assert!(event("logging", "logging:7", r#"{"valid": false, "errors": "e"}"#).is_some());
    for none in ["", "{", "[]", "7", r#"{"valid": true, "errors": ""}"#, r#"{"errors": null}"#] {
        assert_eq!(event("logging", "logging:7", none), None, "{none}");
    }
    assert_eq!(event("smtp", "smtp:4", scraped), None);
    assert_eq!(rejection(&with([related("logging:7", &[("event", scraped)])])), None, "only when it changed");
}

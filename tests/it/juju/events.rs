//! Every kind of hook, from its environment to its event and back to its name.

use kratos_operator::juju::{
    ActionEvent, Context, Environment, Event, RelationEvent, RelationEventKind, SecretEvent, SecretEventKind,
    StorageEvent, StorageEventKind, WorkloadEvent, WorkloadEventKind,
};

const BASE: [(&str, &str); 12] = [
    ("PATH", "/var/lib/juju/tools/unit-kratos-0:/usr/bin"),
    ("JUJU_UNIT_NAME", "kratos/0"),
    ("JUJU_MODEL_NAME", "dev"),
    ("JUJU_MODEL_UUID", "8b2b1c3e-0000-4000-8000-000000000001"),
    ("JUJU_CHARM_DIR", "/var/lib/juju/agents/unit-kratos-0/charm"),
    ("JUJU_VERSION", "3.6.26"),
    // Juju exports these empty where they mean nothing.
    ("JUJU_REMOTE_UNIT", ""),
    ("JUJU_REMOTE_APP", ""),
    ("JUJU_DEPARTING_UNIT", ""),
    ("JUJU_SECRET_LABEL", ""),
    ("JUJU_ACTION_UUID", ""),
    ("JUJU_MACHINE_ID", ""),
];

fn environment(path: &str, extra: &[(&str, &str)]) -> Environment {
    let dispatch = ("JUJU_DISPATCH_PATH", path);
    let all = BASE.iter().chain([&dispatch]).chain(extra);
    all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn without(environment_of: &str, extra: &[(&str, &str)], name: &str) -> Environment {
    let kept: Vec<(&str, &str)> = extra.iter().copied().filter(|(of, _)| *of != name).collect();
    environment(environment_of, &kept)
}

fn event(path: &str, extra: &[(&str, &str)]) -> Event {
    Context::from_environment(&environment(path, extra)).unwrap().event
}

const RELATION: [(&str, &str); 3] = [
    ("JUJU_RELATION", "pg-database"),
    ("JUJU_RELATION_ID", "pg-database:7"),
    ("JUJU_REMOTE_APP", "postgresql-k8s"),
];

fn relation(kind: RelationEventKind) -> RelationEvent {
    RelationEvent {
        kind,
        endpoint: "pg-database".to_owned(),
        id: "pg-database:7".parse().unwrap(),
        app: Some("postgresql-k8s".to_owned()),
        unit: None,
        departing_unit: None,
    }
}

#[test]
fn hooks_without_data_are_known_by_name() {
    let table = [
        ("install", Event::Install),
        ("start", Event::Start),
        ("config-changed", Event::ConfigChanged),
        ("upgrade-charm", Event::UpgradeCharm),
        ("stop", Event::Stop),
        ("remove", Event::Remove),
        ("update-status", Event::UpdateStatus),
        ("leader-elected", Event::LeaderElected),
        ("leader-settings-changed", Event::LeaderSettingsChanged),
        ("collect-metrics", Event::CollectMetrics),
        ("meter-status-changed", Event::MeterStatusChanged),
        ("pre-series-upgrade", Event::PreSeriesUpgrade),
        ("post-series-upgrade", Event::PostSeriesUpgrade),
    ];
    for (name, expected) in table {
        let event = event(&format!("hooks/{name}"), &[]);
        assert_eq!(event, expected);
        assert_eq!(event.to_string(), name);
    }
}

#[test]
fn relation_hooks_carry_who_and_what() {
    use RelationEventKind::{Broken, Changed, Created, Departed, Joined};
    for (name, kind) in [
        ("created", Created),
        ("joined", Joined),
        ("changed", Changed),
        ("departed", Departed),
        ("broken", Broken),
    ] {
        let path = format!("hooks/pg-database-relation-{name}");
        let read = event(&path, &RELATION);
        assert_eq!(read, Event::Relation(relation(kind)));
        assert_eq!(format!("hooks/{read}"), path);
        assert_eq!(read.broken_relation().is_some(), kind == Broken);
    }

    let departed =
        [&RELATION[..], &[("JUJU_REMOTE_UNIT", "pg/3"), ("JUJU_DEPARTING_UNIT", "kratos/0")]].concat();
    let expected = RelationEvent {
        unit: Some("pg/3".parse().unwrap()),
        departing_unit: Some("kratos/0".parse().unwrap()),
        ..relation(Departed)
    };
    assert_eq!(event("hooks/pg-database-relation-departed", &departed), Event::Relation(expected));

    // Late hooks may not name the application any more.
    let late = event("hooks/pg-database-relation-broken", &[("JUJU_RELATION_ID", "pg-database:7")]);
    assert_eq!(late, Event::Relation(RelationEvent { app: None, ..relation(Broken) }));
    let only_unit = [("JUJU_RELATION_ID", "pg-database:7"), ("JUJU_REMOTE_UNIT", "pg/3")];
    let Event::Relation(read) = event("hooks/pg-database-relation-joined", &only_unit) else { panic!() };
    assert_eq!(read.app.as_deref(), Some("pg"));
}

#[test]
fn workload_hooks_carry_notice_and_check() {
    let notice =
        [("JUJU_NOTICE_ID", "12"), ("JUJU_NOTICE_TYPE", "custom"), ("JUJU_NOTICE_KEY", "canonical.com/x")];
    let check = [("JUJU_PEBBLE_CHECK_NAME", "ready")];
    let table = [
        ("my-kratos-pebble-ready", &[("JUJU_WORKLOAD_NAME", "my-kratos")][..], WorkloadEventKind::Ready),
        (
            "my-kratos-pebble-custom-notice",
            &notice,
            WorkloadEventKind::CustomNotice {
                id: "12".to_owned(),
                notice_type: "custom".to_owned(),
                key: "canonical.com/x".to_owned(),
            },
        ),
        (
            "my-kratos-pebble-check-failed",
            &check,
            WorkloadEventKind::CheckFailed { check: "ready".to_owned() },
        ),
        (
            "my-kratos-pebble-check-recovered",
            &check,
            WorkloadEventKind::CheckRecovered { check: "ready".to_owned() },
        ),
    ];
    for (name, extra, kind) in table {
        let path = format!("hooks/{name}");
        let read = event(&path, extra);
        assert_eq!(read, Event::Workload(WorkloadEvent { container: "my-kratos".to_owned(), kind }));
        assert_eq!(read.to_string(), name);
        for (variable, _) in extra.iter().filter(|(variable, _)| *variable != "JUJU_WORKLOAD_NAME") {
            let read = Event::from_environment(&without(&path, extra, variable)).unwrap();
            assert_eq!(read, Event::Unknown(name.to_owned()), "{variable}");
        }
    }
}

#[test]
fn secret_hooks_carry_the_secret() {
    use SecretEventKind::{Changed, Expired, Remove, Rotate};
    let uri = "secret:9m4e2mr0ui3e8a215n4g";
    for (name, kind) in [("changed", Changed), ("expired", Expired), ("remove", Remove), ("rotate", Rotate)] {
        let name = format!("secret-{name}");
        let read = event(&format!("hooks/{name}"), &[("JUJU_SECRET_ID", uri)]);
        let expected = SecretEvent { kind, uri: uri.parse().unwrap(), label: None, revision: None };
        assert_eq!(read, Event::Secret(expected));
        assert_eq!(read.to_string(), name);
    }
    let extra = [("JUJU_SECRET_ID", uri), ("JUJU_SECRET_LABEL", "cookies"), ("JUJU_SECRET_REVISION", "3")];
    let expected = SecretEvent {
        kind: Remove,
        uri: uri.parse().unwrap(),
        label: Some("cookies".to_owned()),
        revision: Some(3),
    };
    assert_eq!(event("hooks/secret-remove", &extra), Event::Secret(expected));
}

#[test]
fn storage_hooks_carry_the_instance() {
    for (name, kind) in [("attached", StorageEventKind::Attached), ("detaching", StorageEventKind::Detaching)]
    {
        let name = format!("big-data-storage-{name}");
        let extra = [("JUJU_STORAGE_ID", "big-data/0"), ("JUJU_STORAGE_LOCATION", "/data")];
        let read = event(&format!("hooks/{name}"), &extra);
        let expected = StorageEvent {
            kind,
            storage: "big-data".to_owned(),
            id: "big-data/0".to_owned(),
            location: Some("/data".into()),
        };
        assert_eq!(read, Event::Storage(expected));
        assert_eq!(read.to_string(), name);
    }
}

#[test]
fn actions_carry_their_task() {
    let context =
        Context::from_environment(&environment("actions/run-migration", &[("JUJU_ACTION_UUID", "4")]))
            .unwrap();
    let expected = ActionEvent { name: "run-migration".to_owned(), uuid: "4".to_owned() };
    assert_eq!(context.event, Event::Action(expected));
    assert_eq!(context.task(), Some("4"));
    assert_eq!(context.event.to_string(), "run-migration");
    // An action may be named like a hook.
    let like_a_hook = event("actions/start", &[("JUJU_ACTION_UUID", "5")]);
    assert!(matches!(like_a_hook, Event::Action(_)));
}

#[test]
fn what_is_not_known_is_accepted() {
    for name in
        ["from-the-future", "secret-copied", "-relation-changed", "-pebble-ready", "db-relation-paused", ""]
    {
        let read = event(&format!("hooks/{name}"), &[]);
        assert_eq!(read, Event::Unknown(name.to_owned()));
        assert_eq!(read.to_string(), name);
    }
}

#[test]
fn a_detail_that_cannot_be_read_makes_an_event_unknown_and_no_failure() {
    let good =
        [("JUJU_RELATION_ID", "db:1"), ("JUJU_SECRET_ID", "secret:abc"), ("JUJU_STORAGE_ID", "data/0")];
    let table = [
        ("ghost-relation-changed", "JUJU_RELATION_ID", ""),
        ("ghost-relation-changed", "JUJU_RELATION_ID", "ghost"),
        ("db-relation-joined", "JUJU_REMOTE_UNIT", "pg/x"),
        ("secret-changed", "JUJU_SECRET_ID", ""),
        ("secret-changed", "JUJU_SECRET_ID", "secret://x"),
        ("secret-remove", "JUJU_SECRET_REVISION", "one"),
        ("data-storage-attached", "JUJU_STORAGE_ID", ""),
    ];
    for (hook, name, value) in table {
        let read = event(&format!("hooks/{hook}"), &[&good[..], &[(name, value)]].concat());
        assert_eq!(read, Event::Unknown(hook.to_owned()), "{name}={value}");
    }
}

#[test]
fn context_says_where_this_is() {
    let context = Context::from_environment(&environment("hooks/install", &[])).unwrap();
    assert_eq!(context.unit.to_string(), "kratos/0");
    assert_eq!(context.model, "dev");
    assert_eq!(context.model_uuid, "8b2b1c3e-0000-4000-8000-000000000001");
    assert_eq!(context.charm_dir.to_str(), Some("/var/lib/juju/agents/unit-kratos-0/charm"));
    assert_eq!(context.juju_version, "3.6.26");
    assert_eq!(context.task(), None);
}

#[test]
fn missing_variables_are_named() {
    for name in ["JUJU_DISPATCH_PATH", "JUJU_UNIT_NAME", "JUJU_MODEL_NAME"] {
        let error = Context::from_environment(&environment("hooks/install", &[(name, "")])).unwrap_err();
        assert_eq!(error.kind(), "missing-variable");
        assert!(error.to_string().contains(name), "{error}");
    }
    let table = [
        ("hooks/pg-database-relation-broken", "JUJU_RELATION_ID"),
        ("actions/run-migration", "JUJU_ACTION_UUID"),
    ];
    for (path, name) in table {
        let error = Context::from_environment(&environment(path, &[])).unwrap_err();
        assert_eq!(error.kind(), "missing-variable");
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = Context::from_environment(&Environment::from([])).unwrap_err();
    assert_eq!(error.kind(), "missing-variable");
}

#[test]
fn wrong_values_are_named() {
    let table = [
        ("hooks/install", "JUJU_UNIT_NAME", "kratos"),
        ("hooks/db-relation-broken", "JUJU_RELATION_ID", "db"),
    ];
    for (path, name, value) in table {
        let extra = [(name, value)];
        let error = Context::from_environment(&environment(path, &extra)).unwrap_err();
        assert_eq!(error.kind(), "invalid-variable");
        assert!(error.to_string().contains(name) && error.to_string().contains(value), "{error}");
    }
}

#[test]
fn an_environment_does_not_show_its_values() {
    let shown = format!("{:?}", Environment::from([("TOKEN", "hunter2")]));
    assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
}

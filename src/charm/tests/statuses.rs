//! What is wrong, and the text of the status that says so.

use super::*;

/// A change of the facts, and the status that it leads to.
type Rule = (fn(&mut Observed), &'static str);

const BLOCKED: [Rule; 21] = [
    (|o| o.workload = Workload::Unreachable, "waiting Container is not connected yet"),
    (
        |o| o.workload = Workload::Unusable("Pebble answered 401: access denied".into()),
        "blocked Cannot use the container's Pebble: Pebble answered 401: access denied; see: juju debug-log --include kratos/0",
    ),
    (|o| o.peers = None, "waiting Missing integration kratos-peers"),
    (|o| o.databases.clear(), "blocked Missing integration pg-database: juju integrate kratos:pg-database"),
    (|o| o.databases[0].remote.clear(), "waiting Waiting for database creation"),
    (
        |o| o.databases[0].user = SecretContent::Unreadable("permission denied".into()),
        "waiting Waiting for database creation: pg-database:3: secret-user cannot be read: permission denied",
    ),
    (
        |o| drop(o.databases[0].remote.insert("endpoints".into(), "db:x".into())),
        "waiting Waiting for database creation: pg-database:3: \"x\" in database endpoint \"db:x\"",
    ),
    (
        |o| {
            o.is_leader = false;
            o.cookie_secret = StoredSecret::Absent;
        },
        "waiting Waiting for secret creation",
    ),
    (
        |o| o.cookie_secret = StoredSecret::Unreadable("permission denied".into()),
        "waiting Waiting for secret creation: permission denied",
    ),
    (
        |o| drop(o.config.insert("log_level".into(), json!("loud"))),
        "blocked Invalid option log_level=loud: it is one of panic",
    ),
    (
        |o| drop(o.config.insert("identity_schemas".into(), json!("[]"))),
        "blocked Invalid option identity_schemas=[]: it is a JSON object from schema ids",
    ),
    (
        |o| {
            o.config.insert("enable_oidc_webauthn_sequencing".into(), json!(true));
            o.config.insert("enable_passwordless_login_method".into(), json!(true));
        },
        "blocked OIDC-WebAuthn sequencing mode requires `enable_passwordless_login_method=False`. Please change the config.",
    ),
    (
        |o| drop(o.config.insert("enable_passwordless_login_method".into(), json!(true))),
        "blocked Invalid option enable_passwordless_login_method=true: a security key is bound to a public host name",
    ),
    (
        |o| container(o).version = Version::Unknown("no such program".into()),
        "blocked Cannot tell the version of Kratos in the container: no such program; run: juju refresh kratos",
    ),
    (
        |o| o.schema = SchemaKnowledge::Unknown("cannot reach PostgreSQL".into()),
        "waiting Cannot read the database's schema: cannot reach PostgreSQL",
    ),
    (
        |o| o.schema = schema(&[APPLIED], false),
        "waiting Waiting for database migration (1 pending): juju run kratos/leader run-migration",
    ),
    (
        |o| {
            o.is_leader = false;
            o.schema = schema(&[APPLIED], false);
        },
        "waiting Waiting for leader unit to run the migration (1 pending): juju run kratos/leader run-migration",
    ),
    (
        |o| o.schema = schema(&[APPLIED, PENDING, "20270101000000000000"], false),
        "blocked The database was migrated by a newer Kratos (1 migrations are unknown to v26.2.0); go back to the newer charm, with a Kratos from after 2027-01-01: juju refresh kratos",
    ),
    (
        |o| {
            o.is_leader = false;
            o.schema = schema(&[], true);
            o.peers.as_mut().unwrap().application = bag(&[("migration_version_3", "\"v26.2.0\"")]);
        },
        "blocked The database was migrated to v26.2.0, and is empty now: restore its backup, or begin anew without what \
         was in it: juju run kratos/leader run-migration accept-empty=true",
    ),
    (
        |o| {
            o.schema = schema(&[APPLIED], false);
            o.migration = Some(Err(Failure::Program("no answer".into())));
        },
        "blocked Database migration failed: no answer; then run again: juju run kratos/leader run-migration",
    ),
    (
        |o| {
            o.workload = Workload::Unreachable;
            o.databases.clear();
        },
        "blocked Missing integration pg-database",
    ),
];

#[test]
fn each_blocker_has_its_status_and_nothing_is_started() {
    const MIGRATE: &str = "juju run kratos/leader run-migration";
    for (change, expected) in BLOCKED {
        let mut observed = ready();
        change(&mut observed);
        let text = status(&observed);
        assert!(text.starts_with(expected), "{text}\nshould begin with\n{expected}");
        assert!(!text.contains("sesame"), "{text}");
        let service = desired(&observed).service;
        assert!(matches!(service, DesiredService::AsItIs), "{expected}: {service:?}");
        if expected.contains("igration") && !expected.contains("integration") {
            assert!(text.contains(MIGRATE) || text.contains("juju refresh"), "{text}");
        }
    }
}

#[test]
fn a_warning_is_shown_and_everything_runs() {
    let rules: [Rule; 3] = [
        (
            |o| drop(o.config.insert("enable_verification".into(), json!(true))),
            "blocked enable_verification=true needs a mail server, and there is none: juju integrate kratos:smtp smtp-integrator:smtp",
        ),
        (
            |o| drop(o.config.insert("default_identity_schema_id".into(), json!("user_v1"))),
            "blocked Option default_identity_schema_id has no effect without identity_schemas: \
             juju config kratos identity_schemas=@schemas.json, or: juju config kratos --reset default_identity_schema_id",
        ),
        (
            |o| {
                let schemas = json!({"v1": {"properties": {"traits": {"properties": {"a": {}}}}}});
                o.config.insert("identity_schemas".into(), json!(schemas.to_string()));
            },
            "blocked Option identity_schemas has no effect without default_identity_schema_id: \
             juju config kratos default_identity_schema_id=v1, or: juju config kratos --reset identity_schemas",
        ),
    ];
    for (change, expected) in rules {
        let mut observed = ready();
        change(&mut observed);
        assert_eq!(status(&observed), expected);
        assert!(matches!(desired(&observed).service, DesiredService::Running(_)), "{expected}");
    }
}

#[test]
fn every_option_of_config_yaml_is_read() {
    let file: serde_yaml::Mapping = serde_yaml::from_str(include_str!("../../../config.yaml")).unwrap();
    for option in file["options"].as_mapping().unwrap().keys() {
        let option = option.as_str().unwrap();
        let mut observed = ready();
        observed.config.insert(option.to_owned(), json!([]));
        // A list is a value of no option, so whoever reads this one refuses it.
        let text = status(&observed);
        assert!(text.contains(&format!("{option}=[]: ")), "no code reads {option}: {text}");
    }
}

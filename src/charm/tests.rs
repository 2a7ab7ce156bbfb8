//! The product rules as tables: observed facts in, desired world and status out. No client is involved.

mod databags;
mod database;
mod notices;
mod remote_data;
mod services;
mod statuses;
mod takeover;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::apply::Applied;
use super::desired::{Desired, DesiredService, Running};
use super::migrate;
use super::observe::needs;
use super::observed::{Container, Observed, SchemaKnowledge, SecretValues, StoredSecret, Version, Workload};
use super::situation::{Parsed, Situation};
use crate::integrations::database::DatabaseRelation;
use crate::integrations::peers::PeerRelation;
use crate::integrations::{SecretContent, sample};
use crate::juju::{Bag, Context, Databag, Environment, Event, Port, Status, StatusKind};
use crate::kratos::names::{CA_PATH, CONFIG_PATH, STAMP_PATH};
use crate::kratos::{Place, Secret, WorkloadVersion};
use crate::migration::{Counts, Failure, Known, Migration, MigrationReport, MigrationVersion, Schema, Trail};
use crate::pebble::{CheckInfo, Service, ServiceInfo, Startup};

const PENDING: &str = "20260114175904000000";
const APPLIED: &str = "20150100000001000000";

fn bag(pairs: &[(&str, &str)]) -> Databag {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn content(key: &str, value: &str) -> SecretValues {
    SecretValues::from([(key.to_owned(), Secret(value.to_owned()))])
}

fn context(hook: &str) -> Context {
    let environment = Environment::from([
        ("JUJU_DISPATCH_PATH", hook),
        ("JUJU_UNIT_NAME", "kratos/0"),
        ("JUJU_MODEL_NAME", "idp"),
        ("JUJU_MODEL_UUID", "6f5b1b3e-0000-4000-8000-000000000000"),
        ("JUJU_CHARM_DIR", "/charm"),
        ("JUJU_VERSION", "3.6.26"),
        ("JUJU_WORKLOAD_NAME", "kratos"),
        ("JUJU_ACTION_UUID", "4"),
        ("JUJU_RELATION_ID", "kratos-peers:0"),
        ("JUJU_DEPARTING_UNIT", "other/0"),
        ("JUJU_SECRET_ID", "secret:9m4e2mr0ui3e8a215n4g"),
    ]);
    Context::from_environment(&environment).unwrap()
}

fn schema(rows: &[&str], is_unused: bool) -> SchemaKnowledge {
    let migration = |text| Migration { version: MigrationVersion::parse(text).unwrap(), name: String::new() };
    let known = Known::Listed([APPLIED, PENDING].map(migration).to_vec());
    let rows: BTreeSet<String> = rows.iter().map(|row| (*row).to_owned()).collect();
    SchemaKnowledge::Known(Schema::compare(&rows, &known, is_unused))
}

/// A leader with everything there: its database is migrated, nothing runs yet.
pub fn ready() -> Observed {
    Observed {
        context: context("hooks/config-changed"),
        place: Place::pod(),
        is_leader: true,
        config: BTreeMap::new(),
        peers: Some(PeerRelation {
            id: "kratos-peers:0".parse().unwrap(),
            application: Databag::new(),
            unit: Databag::new(),
            others: BTreeMap::new(),
        }),
        databases: vec![DatabaseRelation {
            id: "pg-database:3".parse().unwrap(),
            own: Some(Databag::new()),
            remote: bag(&[
                ("username", "u"),
                ("password", "sesame"),
                ("endpoints", "db:5432"),
                ("database", "idp"),
            ]),
            remote_units: vec![],
            user: SecretContent::Absent,
            tls: SecretContent::Absent,
        }],
        relations: vec![],
        cookie_secret: StoredSecret::Ready(content("cookiesecret", "cookie-of-before")),
        kratos_secrets: StoredSecret::Absent,
        fresh_secrets: [
            ("cookiesecret", "cookie-of-now"),
            ("default", "default-of-now"),
            ("cipher", "cipher-of-now"),
        ]
        .map(|(key, value)| (key.to_owned(), Secret(value.to_owned())))
        .into(),
        has_rotated: false,
        is_program_asked: false,
        verification_template: None,
        opened_ports: BTreeSet::new(),
        status: Status::new(StatusKind::Unknown, ""),
        workload: Workload::Reachable(Container {
            version: Version::Known(WorkloadVersion::parse("v26.2.0").unwrap()),
            ..Container::default()
        }),
        program: None,
        schema: migrated(),
        fence: None,
        migration: None,
        is_verdict_accepted: false,
        migration_took: Duration::ZERO,
        waived_units: Vec::new(),
        cluster: None,
        charm: None,
    }
}

/// A schema in which nothing is pending.
pub fn migrated() -> SchemaKnowledge {
    schema(&[APPLIED, PENDING], false)
}

/// The same before its migration.
pub fn pending() -> Observed {
    Observed { schema: schema(&[APPLIED], false), ..ready() }
}

fn container(observed: &mut Observed) -> &mut Container {
    match &mut observed.workload {
        Workload::Reachable(container) => container,
        other => panic!("{other:?}"),
    }
}

fn situation(observed: &Observed) -> Situation<'_> {
    Situation::new(observed, Parsed::new(observed))
}

fn desired(observed: &Observed) -> Desired {
    super::desired::desired(&situation(observed))
}

fn automatic_job(observed: &Observed) -> Option<crate::migration::Job> {
    migrate::automatic_job(observed, &Parsed::new(observed))
}

fn running(observed: &Observed) -> Running {
    match desired(observed).service {
        DesiredService::Running(running) => running,
        other => panic!("{other:?}"),
    }
}

/// Makes the observed container one in which exactly the desired runs.
fn started(mut observed: Observed) -> Observed {
    let running = running(&observed);
    let container = container(&mut observed);
    container.plan.services = running.layer.services.clone();
    container.plan.checks = running.layer.checks.clone();
    let service = |name: &str| json!({"name": name, "startup": "disabled", "current": "active"});
    let services =
        ["courier", "kratos"].map(|name| serde_json::from_value::<ServiceInfo>(service(name)).unwrap());
    container.services = services.to_vec();
    container.files =
        running.files.iter().map(|(path, text)| (path.clone(), text.clone().map(Into::into))).collect();
    container.files.insert(STAMP_PATH.to_owned(), Some(running.stamp.to_text().into_bytes()));
    container.version = Version::NotAsked;
    observed.schema = SchemaKnowledge::NotAsked;
    let peers = observed.peers.as_mut().unwrap();
    peers.unit = bag(&[("workload_version", "v26.2.0")]);
    peers.application = bag(&[("migration_version_3", "\"v26.2.0\""), ("leader", "\"kratos/0\"")]);
    observed
}

fn status(observed: &Observed) -> String {
    let status = super::status::status(&situation(observed), &Applied::default());
    format!("{} {}", status.kind.word(), status.message)
}

#[test]
fn only_the_leader_writes_application_databags() {
    let mut observed = ready();
    let keys = |observed: &Observed, bag: Bag| {
        let bags = desired(observed).databags.into_iter().filter(move |desired| desired.bag == bag);
        bags.flat_map(|bag| bag.keys.into_keys()).collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&observed, Bag::App),
        ["database", "requested-secrets", "identity_schemas", "leader", "migration_version_3"]
    );
    assert_eq!(keys(&observed, Bag::Unit), ["workload_version"]);
    observed.schema = schema(&[APPLIED], false);
    assert_eq!(
        keys(&observed, Bag::App),
        ["database", "requested-secrets", "leader"],
        "nothing is recorded early"
    );
    observed.is_leader = false;
    assert!(keys(&observed, Bag::App).is_empty());
}

#[test]
fn a_database_that_nobody_used_is_migrated_by_the_leader_alone() {
    let mut observed = ready();
    observed.schema = schema(&[], true);
    assert!(automatic_job(&observed).is_some());
    observed.schema = schema(&[APPLIED], true);
    assert!(automatic_job(&observed).is_some(), "one that was killed goes on");
    observed.schema = schema(&[APPLIED], false);
    assert!(automatic_job(&observed).is_none(), "identities may be in it");
    observed.schema = schema(&[APPLIED, PENDING], true);
    assert!(automatic_job(&observed).is_none(), "nothing is pending");
    observed.schema = schema(&[], true);
    observed.is_leader = false;
    assert!(automatic_job(&observed).is_none());
}

#[test]
fn costly_questions_are_asked_only_when_something_depends_on_them() {
    let quiet = started(ready());
    assert!(!needs::version(&quiet) && !needs::schema(&quiet, &Parsed::new(&quiet)));
    assert!(status(&quiet).starts_with("active"), "{}", status(&quiet));

    let mut asked: Vec<(&str, Observed)> = Vec::new();
    for hook in ["hooks/kratos-pebble-ready", "hooks/upgrade-charm"] {
        asked.push((hook, Observed { context: context(hook), ..quiet.clone() }));
    }
    let asking = Observed { is_program_asked: true, ..quiet.clone() };
    let mut answered = asking.clone();
    container(&mut answered).version = Version::Known(WorkloadVersion::parse("v26.2.0").unwrap());
    assert!(needs::schema(&answered, &Parsed::new(&answered)));
    asked.push(("an action that asks", asking));
    let mut down = quiet.clone();
    container(&mut down).services.clear();
    asked.push(("nothing runs", down));
    let mut unrecorded = quiet.clone();
    unrecorded.peers.as_mut().unwrap().application.remove("migration_version_3");
    asked.push(("no record", unrecorded));
    let mut failing = quiet;
    let check = json!({"name": "ready", "status": "down", "failures": 3, "threshold": 3});
    container(&mut failing).checks = vec![serde_json::from_value::<CheckInfo>(check).unwrap()];
    asked.push(("not ready", failing));
    for (why, observed) in asked {
        assert!(needs::version(&observed), "{why}");
    }

    // An action may take minutes, and a unit that does not serve may have no use for them.
    let is_early = |hook: &str, workload: &Workload| needs::config_maps_early(&context(hook).event, workload);
    let serving = started(ready()).workload;
    assert!(is_early("hooks/update-status", &serving) && !is_early("actions/get-identity", &serving));
    assert!(!is_early("hooks/update-status", &ready().workload));
}

#[test]
fn a_program_that_cannot_tell_is_trusted_after_it_migrated() {
    let mut observed = ready();
    container(&mut observed).version = Version::Known(WorkloadVersion::parse("v1.1.0").unwrap());
    let known = Known::without_status(&WorkloadVersion::parse("v1.1.0").unwrap());
    let untold = Schema::compare(&BTreeSet::from([APPLIED.to_owned()]), &known, false);
    observed.schema = SchemaKnowledge::Known(untold.clone());
    assert!(status(&observed).contains("Waiting for database migration: juju run"), "{}", status(&observed));
    let (counts, trail) = (Counts::new(), Trail::default());
    let report = MigrationReport { applied: 1, elapsed: Duration::ZERO, schema: untold, counts, trail };
    let migrated = Observed { migration: Some(Ok(report)), ..observed.clone() };
    assert!(matches!(desired(&migrated).service, DesiredService::Running(_)));
    observed.peers.as_mut().unwrap().application = bag(&[("migration_version_3", "\"v1.1.0\"")]);
    assert!(matches!(desired(&observed).service, DesiredService::Running(_)));
}

#[test]
fn nothing_in_debug_output_is_secret() {
    let mut observed = started(ready());
    let provider = r#"[{"provider": "google", "client_id": "c", "client_secret": "client-key", "id": "g"}]"#;
    observed.relations.push(sample::relation("kratos-external-idp:4", &[("providers", provider)]));
    assert!(running(&observed).files[CONFIG_PATH].as_ref().unwrap().contains("client-key"));
    let text = format!("{observed:?}{:?}", desired(&observed));
    for secret in
        ["client-key", "sesame", "cookie-of-before", "cookie-of-now", "default-of-now", "cipher-of-now"]
    {
        assert!(!text.contains(secret), "{secret} is shown");
    }
    assert!(matches!(observed.context.event, Event::ConfigChanged));
}

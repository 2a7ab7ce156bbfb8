//! `pre-refresh-check`: whether now is a good time for `juju refresh`, and the commands to go on and to go back.
//! Changes nothing; any unit may tell, and each tells of its own services.

use std::collections::BTreeMap;
use std::time::Duration;

use super::standing::{DatabaseStanding, standing};
use crate::actions::invocation::Invocation;
use crate::actions::target::{Target, same_versions, target};
use crate::actions::text::{failed, show};
use crate::charm::observed::{Observed, SchemaKnowledge};
use crate::charm::situation::{is_courier_wanted, is_migrated, way_back};
use crate::juju;
use crate::kratos::names::{COURIER, KRATOS, READY};
use crate::kratos::pebble_by_hand;
use crate::migration::preflight::{CheckName, PlannedRun, PreflightCheck, Severity, own_tables, preflight};
use crate::migration::{self, Failure, Schema, Timeout};
use crate::pebble::{self, CheckStatus, Client, ServiceStatus};
use crate::postgres::{Connection, Dsn};

const CONNECT: Duration = Duration::from_secs(5);

/// A named check: well, or what is wrong and what to do.
struct RefreshCheck {
    name: &'static str,
    /// Each with its remedy; empty: all is well.
    wrong: Vec<String>,
    /// What is worth knowing.
    noted: Vec<String>,
}

impl RefreshCheck {
    fn new(name: &'static str, wrong: Option<String>) -> Self {
        Self { name, wrong: wrong.into_iter().collect(), noted: Vec::new() }
    }
}

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>) -> juju::Result<()> {
    let Invocation { agent, pebble, observed, .. } = *invocation;
    let application = observed.application();
    let again = format!("juju run {} pre-refresh-check", observed.context.unit);
    let target = match target(invocation, &again) {
        Ok(target) => target,
        Err(text) => return agent.action_fail(&text).await,
    };
    let mut checks = vec![services(invocation), readiness(pebble, observed).await];
    checks.push(RefreshCheck::new(
        "unit-versions",
        same_versions(observed, &target.version, &again, false).err(),
    ));
    checks.push(RefreshCheck::new("pending", pending(observed)));
    match database_checks(&target, observed, &again).await {
        Ok(found) => checks.extend(found),
        Err(failure) => {
            let text = failed("it does not answer", &failure, observed, &again);
            checks.push(RefreshCheck::new("database", Some(text)));
        }
    }
    let failures: Vec<&str> =
        checks.iter().filter(|check| !check.wrong.is_empty()).map(|check| check.name).collect();
    show(agent, &text(&checks, observed, failures.is_empty())).await?;
    let mut results: BTreeMap<String, String> = checks
        .iter()
        .map(|RefreshCheck { name, wrong, .. }| {
            let value = if wrong.is_empty() { "ok".to_owned() } else { wrong.join(" | ") };
            (format!("checks.{name}"), value)
        })
        .collect();
    results.insert("version".to_owned(), target.version.to_string());
    if failures.is_empty() {
        results.insert("result".to_owned(), "ready for a refresh".to_owned());
        results.insert("next".to_owned(), format!("juju refresh {application}"));
        return agent.action_set(&results).await;
    }
    results.insert("result".to_owned(), "not ready for a refresh".to_owned());
    results.insert("next".to_owned(), again.clone());
    agent.action_set(&results).await?;
    let why: Vec<String> = checks.iter().flat_map(|check| &check.wrong).cloned().collect();
    agent
        .action_fail(&format!(
            "Not ready for a refresh ({}): {}; then check again: {again}",
            failures.join(", "),
            why.join(" | ")
        ))
        .await
}

/// This unit's services; mails are sent by the leader, if there is a server for them.
fn services(invocation: &Invocation<'_>) -> RefreshCheck {
    let observed = invocation.observed;
    let unit = &observed.context.unit;
    let expected =
        if is_courier_wanted(observed, invocation.parsed) { &[KRATOS, COURIER][..] } else { &[KRATOS] };
    let is_down = |name: &&&str| {
        observed.container().and_then(|container| container.service(name)) != Some(&ServiceStatus::Active)
    };
    let down: Vec<&str> = expected.iter().filter(is_down).copied().collect();
    let wrong = (!down.is_empty())
        .then(|| format!("{} does not run: {}", down.join(" and "), pebble_by_hand(unit, "logs")));
    RefreshCheck::new("services", wrong)
}

/// Asks Kratos at once; a Pebble that cannot says what it saw last.
async fn readiness(pebble: &Client, observed: &Observed) -> RefreshCheck {
    let unit = &observed.context.unit;
    let reason = match pebble.refresh_check(READY).await {
        Ok(result) => result.error,
        Err(pebble::Error::Unsupported { .. }) => {
            let seen = observed.container().into_iter().flat_map(|container| &container.checks);
            let is_up = seen.into_iter().any(|check| check.name == READY && check.status == CheckStatus::Up);
            (!is_up).then(|| "the check is not up".to_owned())
        }
        Err(error) => Some(error.to_string()),
    };
    let wrong =
        reason.map(|reason| format!("Kratos is not ready: {reason}: {}", pebble_by_hand(unit, "logs")));
    RefreshCheck::new("readiness", wrong)
}

fn pending(observed: &Observed) -> Option<String> {
    let application = observed.application();
    match &observed.schema {
        _ if is_migrated(observed) => None,
        SchemaKnowledge::Known(schema) if schema.is_newer() => {
            Some(format!("the database was migrated by a newer Kratos: {}", way_back(observed)))
        }
        SchemaKnowledge::Known(schema) => {
            let count =
                schema.pending_count().map_or_else(|| "unknown".to_owned(), |count| count.to_string());
            Some(format!("migrations are pending ({count}): {}", migration::command(application)))
        }
        SchemaKnowledge::Unknown(reason) => Some(format!("the database's schema cannot be read: {reason}")),
        SchemaKnowledge::NotAsked => Some("the database was not asked".to_owned()),
    }
}

async fn database_checks(
    target: &Target,
    observed: &Observed,
    again: &str,
) -> Result<Vec<RefreshCheck>, Failure> {
    let standing = standing(&target.dsn).await?;
    let mut checks = vec![
        RefreshCheck::new("fence", describe_fence(&standing, &target.dsn, observed.application())),
        RefreshCheck::new(
            "lock",
            standing
                .is_locked
                .then(|| format!("the migration lock is {}: wait for it, then {again}", standing.lock)),
        ),
    ];
    checks.extend(preflight_checks(&target.dsn).await?);
    Ok(checks)
}

fn describe_fence(standing: &DatabaseStanding, dsn: &Dsn, application: &str) -> Option<String> {
    let DatabaseStanding { fence, is_fenced, is_foreign, is_locked, .. } = standing;
    if !is_fenced {
        return None;
    }
    let remedy = match (is_foreign, is_locked) {
        (true, _) => format!(
            "ALTER ROLE \"{}\" IN DATABASE \"{}\" RESET default_transaction_read_only",
            dsn.username(),
            dsn.database()
        ),
        (false, true) => "wait for the migration that raised it".to_owned(),
        (false, false) => format!("juju run {application}/leader repair-migration apply=true"),
    };
    Some(format!("the write fence is {fence}: {remedy}"))
}

/// The checks of a migration in which nothing is pending.
async fn preflight_checks(dsn: &Dsn) -> Result<Vec<RefreshCheck>, Failure> {
    // The fence is told by its own check.
    let dsn = dsn.clone().with_setting("default_transaction_read_only", "off");
    let connection = Connection::open(&dsn, "kratos-operator check", CONNECT).await?;
    let schema = Schema {
        applied: 0,
        pending: Some(Vec::new()),
        unknown: Vec::new(),
        foreign: Vec::new(),
        unused: false,
    };
    let run = PlannedRun {
        dsn: &dsn,
        schema: &schema,
        listed: &[],
        touched: &[],
        own: &own_tables(&[]),
        estimate: None,
        timeout: Timeout::DEFAULT,
        force: false,
    };
    let report = preflight(&connection, run).await;
    connection.close().await;
    let asked = report.checks.into_iter().filter(|check| is_asked(check.name));
    let refresh_check = |check: PreflightCheck| {
        let mut found = RefreshCheck::new(check.name.as_str(), None);
        for finding in check.findings {
            let text = match finding.remedy.as_str() {
                "" => finding.text,
                remedy => format!("{}: {remedy}", finding.text),
            };
            match finding.severity {
                Severity::Refusal => found.wrong.push(text),
                Severity::Warning | Severity::Skipped | Severity::Ok => found.noted.push(text),
            }
        }
        found
    };
    Ok(asked.map(refresh_check).collect())
}

/// Whether a check of the preflight is asked before a refresh. The others judge one migration, and there is none yet.
fn is_asked(name: CheckName) -> bool {
    match name {
        CheckName::Reachable
        | CheckName::Pooler
        | CheckName::WritablePrimary
        | CheckName::Ownership
        | CheckName::Create
        | CheckName::InvalidIndexes
        | CheckName::OtherMigration
        | CheckName::LongTransactions
        | CheckName::PreparedTransactions
        | CheckName::Subscription
        | CheckName::Replication => true,
        CheckName::HalfApplied
        | CheckName::NullRows
        | CheckName::OtherWriters
        | CheckName::Disk
        | CheckName::Time => false,
    }
}

fn text(checks: &[RefreshCheck], observed: &Observed, is_ready: bool) -> String {
    let application = observed.application();
    let mut lines = Vec::new();
    for RefreshCheck { name, wrong, noted } in checks {
        if wrong.is_empty() && noted.is_empty() {
            lines.push(format!("ok       {name}"));
        }
        lines.extend(wrong.iter().map(|text| format!("failed   {name}: {text}")));
        lines.extend(noted.iter().map(|text| format!("warning  {name}: {text}")));
    }
    if is_ready {
        let run = migration::command(application);
        let (back, which) = match &observed.charm {
            Some(charm) => (charm.refresh(application), String::new()),
            None => (
                format!("juju refresh {application} --revision R"),
                format!("R as `juju status {application}` shows now; "),
            ),
        };
        lines.push(format!(
            "\nGo on:    juju refresh {application}\n          \
             juju run {application}/leader plan-migration\n          \
             {run} timeout=N   (N as the plan suggests)\n\
             Go back:  {back}   ({which}only until run-migration was started: afterwards the older Kratos does not \
             serve from the newer schema)"
        ));
    }
    lines.join("\n")
}

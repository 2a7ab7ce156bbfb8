//! `migrate status`: what is applied and pending, and who is at work.

use std::time::Duration;

use serde_json::{Value, json};

use super::show::print;
use super::stop::Stop;
use super::target::CommandTarget;
use crate::migration::{Failure, Survey, survey};
use crate::postgres::{Connection, Holder, LockKey, holder};

const CONNECT: Duration = Duration::from_secs(5);
/// More names of migrations than these are only counted for people.
const MOST_NAMES: usize = 30;

/// Looks and shows; tells whether there is nothing to do: nothing is pending, nothing is newer, nothing is left of a run.
pub async fn status(target: &CommandTarget, json: bool) -> Result<bool, Stop> {
    let (survey, holder) = look(target).await.map_err(Stop::at("status"))?;
    let is_well = survey.schema.is_current() && !is_left(&survey, holder.as_ref());
    print(&if json { to_json(target, &survey, holder).to_string() } else { text(target, &survey, holder) });
    Ok(is_well)
}

async fn look(target: &CommandTarget) -> Result<(Survey, Option<Holder>), Failure> {
    let connection = Connection::open(&target.dsn, "kratos-operator status", CONNECT).await?;
    let holder = holder(&connection, LockKey::MIGRATION).await?;
    connection.close().await;
    Ok((survey(&target.kratos, &target.version, &target.dsn).await?, holder))
}

/// Whether the fence is one that a killed run left: nobody is at work behind it.
fn is_left(survey: &Survey, holder: Option<&Holder>) -> bool {
    survey.fence.is_some() && holder.is_none()
}

/// What to run next; `None` if there is nothing to do here.
fn next(target: &CommandTarget, survey: &Survey, holder: Option<&Holder>) -> Option<String> {
    let schema = &survey.schema;
    if schema.is_newer() {
        return None;
    }
    if schema.is_current() {
        // What a program before v25 carries, repair cannot tell; a run lifts the fence as well.
        let lift = || match target.version.has_migration_status() {
            true => format!("{} --apply", target.command("repair")),
            false => target.command("run"),
        };
        return is_left(survey, holder).then(lift);
    }
    Some(target.command(if schema.pending.is_some() { "plan" } else { "run" }))
}

fn to_json(target: &CommandTarget, survey: &Survey, holder: Option<Holder>) -> Value {
    let schema = &survey.schema;
    let pending = schema.pending.as_ref().map(|pending| {
        let migration = |migration: &crate::migration::Migration| {
            json!({ "version": migration.version.to_string(), "name": migration.name })
        };
        pending.iter().map(migration).collect::<Vec<_>>()
    });
    let next = next(target, survey, holder.as_ref());
    let holder = holder.map(|holder| {
        json!({
            "pid": holder.pid,
            "application-name": holder.application_name,
            "since": holder.since,
            "client-address": holder.client_addr,
        })
    });
    json!({
        "version": target.version.to_string(),
        "applied": schema.applied,
        "pending": pending,
        "newer": schema.unknown,
        "foreign": schema.foreign,
        "unused": schema.unused,
        "fence": survey.fence,
        "lock-holder": holder,
        "next": next,
    })
}

fn text(target: &CommandTarget, survey: &Survey, holder: Option<Holder>) -> String {
    let schema = &survey.schema;
    let mut lines = Vec::new();
    let mut fact = |label: &str, text: String| lines.push(format!("{label:<9} {text}"));
    fact("Kratos:", target.version.to_string());
    fact("Applied:", schema.applied.to_string());
    match &schema.pending {
        None => fact("Pending:", format!("unknown: Kratos {} cannot tell", target.version)),
        Some(pending) => {
            fact("Pending:", pending.len().to_string());
            for migration in pending.iter().take(MOST_NAMES) {
                fact("", migration.to_string());
            }
            if pending.len() > MOST_NAMES {
                fact("", format!("… and {} more (--json lists all)", pending.len() - MOST_NAMES));
            }
        }
    }
    if schema.is_newer() {
        let count = schema.unknown.len();
        let text = format!(
            "{count} migrations are unknown to {}: a newer Kratos migrated this database",
            target.version
        );
        fact("Newer:", text);
    }
    if !schema.foreign.is_empty() {
        let text = format!(
            "{} rows of schema_migration are other programs', and are left alone",
            schema.foreign.len()
        );
        fact("Foreign:", text);
    }
    fact("Fence:", survey.fence.as_ref().map_or("down".to_owned(), |who| format!("up, raised by {who}")));
    let next = next(target, survey, holder.as_ref());
    let held = |holder: Holder| {
        let since = holder.since.map_or_else(String::new, |since| format!(", since {since}"));
        format!("held by {} (pid {}{since})", holder.application_name, holder.pid)
    };
    fact("Lock:", holder.map_or("free".to_owned(), held));
    if let Some(next) = next {
        fact("Next:", next);
    }
    lines.join("\n")
}

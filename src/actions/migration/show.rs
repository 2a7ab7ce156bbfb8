//! `show-migrations`: the last runs, and how the database stands: pending migrations, write fence, lock. Any unit
//! may tell; the record is shown even if the database does not answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::standing::{DatabaseStanding, standing};
use crate::actions::invocation::Invocation;
use crate::actions::target::{Target, target};
use crate::actions::text::{failed, show};
use crate::charm::observed::SchemaKnowledge;
use crate::charm::situation::way_back_command;
use crate::integrations::runs::Run;
use crate::juju;
use crate::migration::{self, Schema};

/// More pending migrations than these are counted, not listed.
const MOST_PENDING: usize = 30;

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>) -> juju::Result<()> {
    let Invocation { agent, observed, .. } = *invocation;
    let application = observed.application();
    let again = format!("juju run {} show-migrations", observed.context.unit);
    let runs = observed.peers.as_ref().map(|peers| peers.runs()).unwrap_or_default();
    show(agent, &table(&runs)).await?;
    agent.action_set(&BTreeMap::from([("runs".to_owned(), runs.len().to_string())])).await?;
    let Target { version, dsn } = match target(invocation, &again) {
        Ok(target) => target,
        Err(text) => return agent.action_fail(&text).await,
    };
    let schema = match &observed.schema {
        SchemaKnowledge::Known(schema) => schema,
        SchemaKnowledge::Unknown(reason) => {
            let text = format!("The database's schema cannot be read: {reason}; then run again: {again}");
            return agent.action_fail(&text).await;
        }
        SchemaKnowledge::NotAsked => {
            return agent.action_fail(&format!("The database was not asked; run again: {again}")).await;
        }
    };
    let DatabaseStanding { fence, lock, .. } = match standing(&dsn).await {
        Ok(standing) => standing,
        Err(failure) => {
            let text = failed("The database does not answer", &failure, observed, &again);
            return agent.action_fail(&text).await;
        }
    };
    show(agent, &state(schema, &fence, &lock)).await?;
    let unknown =
        |count: Option<usize>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
    let next = if schema.is_newer() {
        way_back_command(observed)
    } else if schema.pending_count() == Some(0) {
        format!("juju status {application}")
    } else {
        migration::command(application)
    };
    let results = [
        ("version", version.to_string()),
        ("applied", schema.applied.to_string()),
        ("pending", unknown(schema.pending_count())),
        ("unknown-to-this-version", schema.unknown.len().to_string()),
        ("of-other-programs", schema.foreign.len().to_string()),
        ("fence", fence),
        ("lock", lock),
        ("next", next),
    ];
    agent.action_set(&results.map(|(key, value)| (key.to_owned(), value)).into()).await
}

/// The runs, newest last, one a line.
fn table(runs: &[Run]) -> String {
    if runs.is_empty() {
        return "No run of the migration is recorded.".to_owned();
    }
    let mut text = format!(
        "{:<20}  {:<22}  {:<22}  {:>7}  {:>7}  {:>8}  {:<12}  {}\n",
        "BEGUN", "WHO", "FROM -> TO", "APPLIED", "PENDING", "SECONDS", "PLAN", "OUTCOME"
    );
    let count = |count: Option<usize>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let plain = |text: &str| text.chars().filter(|char| !char.is_control()).take(60).collect::<String>();
    for run in runs {
        let versions = format!("{} -> {}", plain(run.from.as_deref().unwrap_or("?")), plain(&run.to));
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:<20}  {:<22}  {versions:<22}  {:>7}  {:>7}  {:>8.1}  {:<12}  {}",
            plain(run.begun.as_deref().unwrap_or("?")),
            plain(&run.who),
            count(run.applied),
            count(run.pending),
            run.seconds,
            plain(run.plan.as_deref().unwrap_or("-")),
            plain(&run.outcome),
        );
        if !run.waived.is_empty() {
            let _ = writeln!(text, "{:<20}  without: {}", "", plain(&run.waived.join(", ")));
        }
        if let Some((version, took)) = run.steps.iter().max_by_key(|(_, took)| *took) {
            let _ = writeln!(text, "{:<20}  slowest: {} ({took} ms)", "", plain(version));
        }
    }
    text
}

/// The first three of them.
fn some(rows: &[String]) -> String {
    let first = rows
        .iter()
        .take(3)
        .map(|row| row.chars().take(48).collect::<String>())
        .collect::<Vec<_>>()
        .join(", ");
    if rows.len() > 3 { format!("{first}, and {} more", rows.len() - 3) } else { first }
}

fn state(schema: &Schema, fence: &str, lock: &str) -> String {
    let mut text = format!("Write fence: {fence}\nMigration lock: {lock}\n");
    let _ = match &schema.pending {
        None => writeln!(text, "Pending: unknown, this Kratos cannot tell"),
        Some(pending) => writeln!(text, "Pending: {} ({} applied)", pending.len(), schema.applied),
    };
    let pending = schema.pending.as_deref().unwrap_or_default();
    for migration in pending.iter().take(MOST_PENDING) {
        let _ = writeln!(text, "  {migration}");
    }
    if pending.len() > MOST_PENDING {
        let _ = writeln!(text, "  … and {} more", pending.len() - MOST_PENDING);
    }
    if schema.is_newer() {
        let _ = writeln!(text, "A newer Kratos migrated it: {} are unknown", schema.unknown.len());
    }
    if !schema.foreign.is_empty() {
        let _ = writeln!(text, "Left alone, booked by other programs: {}", some(&schema.foreign));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_a_table_and_what_is_not_known_is_marked() {
        let run = Run {
            who: "kratos/0 task 4".to_owned(),
            begun: None,
            from: Some("v1.3.1\n".to_owned()),
            to: "v26.2.0".to_owned(),
            charm: None,
            plan: None,
            applied: Some(135),
            pending: None,
            waived: vec!["kratos/1 (v25.4.0)".to_owned()],
            seconds: 12.34,
            outcome: "stopped".to_owned(),
            steps: vec![("20250708190000000000".to_owned(), 7), ("20250708190000000001".to_owned(), 90)],
        };
        let text = table(&[run]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["?", "kratos/0", "task", "4", "v1.3.1", "->", "v26.2.0", "135", "?", "12.3", "-", "stopped"]
        );
        assert_eq!(lines[2].trim(), "without: kratos/1 (v25.4.0)");
        assert_eq!(lines[3].trim(), "slowest: 20250708190000000001 (90 ms)");
        assert_eq!(table(&[]), "No run of the migration is recorded.");
    }
}

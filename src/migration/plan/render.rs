//! The plan as text for people, and as a few values for the results of an action.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lock::LockMode;
use super::{Method, Mode, Plan, Step, Touched, Work};

/// More migrations than these are not shown: those that block nothing go first.
const MOST_STEPS: usize = 30;
/// More names than these do not fit a line.
const MOST_NAMES: usize = 8;
/// Columns, in characters.
const NAME: usize = 36;
const TABLE: usize = 34;
const DIGEST: usize = 12;

pub fn render(plan: &Plan, application: &str) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_plan(&mut text, plan, application);
    text
}

fn write_plan(text: &mut String, plan: &Plan, application: &str) -> std::fmt::Result {
    if plan.migrations.is_empty() {
        return writeln!(text, "Nothing is pending for Kratos {}.", plan.version);
    }
    writeln!(text, "{} migrations pending for Kratos {}", plan.migrations.len(), plan.version)?;
    writeln!(text)?;
    writeln!(text, "{:<20}  {:<NAME$}  {:<11}  {:<13}  {:>7}", "VERSION", "NAME", "MODE", "BLOCKS", "UP TO")?;
    let shown = shown(&plan.migrations);
    for step in &shown {
        write_step(text, step)?;
    }
    if shown.len() < plan.migrations.len() {
        writeln!(text, "… and {} more", plan.migrations.len() - shown.len())?;
    }
    writeln!(text)?;
    writeln!(text, "Blocks reads:   {}", names(&plan.blocked(LockMode::blocks_reads), true))?;
    writeln!(text, "Blocks writes:  {}", names(&plan.blocked(LockMode::blocks_writes), true))?;
    match &plan.method {
        Method::Measured => writeln!(text, "Locks:          measured on a scratch database")?,
        Method::Classified { why } => {
            writeln!(text, "Locks:          told from the SQL, not measured: {why}")?
        }
    }
    let unclear = plan.migrations.iter().filter(|step| step.is_unclear).count();
    if unclear > 0 {
        writeln!(text, "Unknown:        {unclear} migrations may touch more than is listed")?;
    }
    writeln!(text, "Plan:           {}", short(&plan.digest))?;
    writeln!(text, "In all:         up to {}", duration(plan.estimate_seconds))?;
    writeln!(text)?;
    let command = crate::migration::command(application);
    writeln!(text, "Run it with: {command} timeout={}", plan.suggested_timeout)
}

/// All, or those that tell most, in their order.
fn shown(steps: &[Step]) -> Vec<&Step> {
    let weight = |step: &Step| {
        let lock = step.tables.iter().map(|touched| touched.lock).max();
        (lock.is_some_and(LockMode::blocks_reads), lock.is_some_and(LockMode::blocks_writes), step.is_unclear)
    };
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by(|left, right| {
        let (left, right) = (&steps[*left], &steps[*right]);
        weight(right).cmp(&weight(left)).then(right.seconds.total_cmp(&left.seconds))
    });
    order.truncate(MOST_STEPS);
    order.sort_unstable();
    order.into_iter().map(|index| &steps[index]).collect()
}

fn write_step(text: &mut String, step: &Step) -> std::fmt::Result {
    let mode = match step.mode {
        Mode::Transaction => "transaction",
        Mode::Autocommit => "autocommit",
        Mode::Code => "code",
    };
    let lock = step.tables.iter().map(|touched| touched.lock).max();
    let blocks = match lock {
        Some(lock) if lock.blocks_reads() => "reads, writes",
        Some(lock) if lock.blocks_writes() => "writes",
        _ if step.is_unclear => "unknown",
        _ => "-",
    };
    writeln!(
        text,
        "{:<20}  {:<NAME$}  {mode:<11}  {blocks:<13}  {:>7}",
        cut(&step.version, 20),
        cut(&step.name, NAME),
        duration(step.seconds),
    )?;
    for Touched { table, rows, bytes, lock, work } in &step.tables {
        let rows = rows.map_or_else(|| "?".to_owned(), |rows| format!("~{}", thousands(rows)));
        let line = format!(
            "  {:<TABLE$} {lock:<22} {rows:>8} rows {:>8}  {}",
            cut(table, TABLE),
            size(*bytes),
            works(work)
        );
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(())
}

/// E.g. `scan, index x2`.
fn works(work: &[Work]) -> String {
    let groups = work.chunk_by(|one, other| one == other);
    let group = |group: &[Work]| match group {
        [work] => work.name().to_owned(),
        _ => format!("{} x{}", group[0].name(), group.len()),
    };
    groups.map(group).collect::<Vec<_>>().join(", ")
}

pub fn results(plan: &Plan) -> BTreeMap<String, String> {
    let method = match &plan.method {
        Method::Measured => "measured".to_owned(),
        Method::Classified { why } => format!("classified: {why}"),
    };
    let results = [
        ("pending", plan.migrations.len().to_string()),
        ("blocks-reads", names(&plan.blocked(LockMode::blocks_reads), false)),
        ("blocks-writes", names(&plan.blocked(LockMode::blocks_writes), false)),
        ("estimate-seconds", format!("{:.1}", plan.estimate_seconds)),
        ("suggested-timeout", plan.suggested_timeout.to_string()),
        ("digest", short(&plan.digest).to_owned()),
        ("method", method),
    ];
    results.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The tables that are blocked longest.
fn names(blocked: &BTreeMap<&str, f64>, with_seconds: bool) -> String {
    let mut blocked: Vec<_> = blocked.iter().collect();
    blocked.sort_by(|left, right| right.1.total_cmp(left.1));
    let mut names: Vec<_> = blocked
        .iter()
        .take(MOST_NAMES)
        .map(|(name, seconds)| match with_seconds {
            true => format!("{name} {}", duration(**seconds)),
            false => (**name).to_owned(),
        })
        .collect();
    if blocked.len() > MOST_NAMES {
        names.push(format!("and {} more", blocked.len() - MOST_NAMES));
    }
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn short(digest: &str) -> &str {
    digest.get(..DIGEST).unwrap_or(digest)
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..0.95 => format!("{:.1} s", seconds.max(0.1)),
        ..120.0 => format!("{} s", seconds.ceil()),
        ..7200.0 => format!("{} min", (seconds / 60.0).ceil()),
        _ => format!("{} h", (seconds / 3600.0).ceil()),
    }
}

fn size(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "kB", "MB", "GB", "TB"])
}

fn thousands(number: u64) -> String {
    scaled(number, 1000, &["", "k", "M", "G", "T"]).replace(' ', "")
}

/// A number with at least two figures before its unit.
fn scaled(number: u64, step: u64, units: &[&str]) -> String {
    let mut scaled = number;
    let mut unit = 0;
    while scaled >= 10 * step && unit + 1 < units.len() {
        scaled = (scaled + step / 2) / step;
        unit += 1;
    }
    format!("{scaled} {}", units[unit])
}

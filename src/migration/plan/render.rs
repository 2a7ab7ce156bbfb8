//! The plan as text for people, and as a few values for the results of an action.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::lock::LockMode;
use super::model::{Method, MigrationPlan, Mode, Step, Touched};
use super::work::Work;
use crate::migration::commands::{command, repair_command};

/// More migrations than these are not shown: those that block nothing go first.
const MOST_STEPS: usize = 30;
/// More names than these do not fit a line.
const MOST_NAMES: usize = 8;
/// Columns, in characters.
const NAME: usize = 36;
const TABLE: usize = 34;
const DIGEST: usize = 12;
const LABEL: usize = 16;
const LINE: usize = 100;

impl MigrationPlan {
    /// The plan for people: a table, the totals and the command to run next for `application`. Its lines have at
    /// most 100 characters, but for names and reasons that are longer themselves.
    pub fn render(&self, application: &str) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = write_plan(&mut text, self, application);
        text
    }

    /// The plan in a few small values, for the results of an action.
    pub fn results(&self) -> BTreeMap<String, String> {
        results(self)
    }
}

fn write_plan(text: &mut String, plan: &MigrationPlan, application: &str) -> std::fmt::Result {
    if plan.migrations.is_empty() {
        return writeln!(text, "Nothing is pending for Kratos {}.", plan.version);
    }
    writeln!(text, "{} pending for Kratos {}", migrations(plan.migrations.len()), plan.version)?;
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
    write_fact(text, "Blocks reads:", &names(&plan.blocks_reads, true))?;
    write_fact(text, "Blocks writes:", &names(&plan.blocks_writes, true))?;
    match &plan.method {
        Method::Measured => write_fact(text, "Locks:", "measured on a scratch database")?,
        Method::Classified { why } => {
            write_fact(text, "Locks:", &format!("told from the SQL, not measured: {why}"))?;
        }
    }
    let unclear = plan.migrations.iter().filter(|step| step.is_unclear).count();
    if unclear > 0 {
        write_fact(text, "Unknown:", &format!("{} may touch more than is listed", migrations(unclear)))?;
    }
    write_fact(text, "Plan:", short(&plan.digest))?;
    write_fact(text, "In all:", &format!("up to {}", duration(plan.estimate_seconds)))?;
    writeln!(text)?;
    let command = command(application);
    if let Some(obstacle) = &plan.obstacle {
        write_fact(text, "In the way:", &obstacle.text)?;
        writeln!(text)?;
        match obstacle.is_repairable() {
            true => writeln!(text, "Repair it with: {}", repair_command(application))?,
            false => writeln!(text, "Mend it by hand first: no repair is known")?,
        }
    }
    writeln!(text, "Run it with: {command} timeout={}", plan.suggested_timeout)
}

/// A label and a text, which is broken into lines.
fn write_fact(text: &mut String, label: &str, fact: &str) -> std::fmt::Result {
    write!(text, "{label:<LABEL$}")?;
    let mut used = LABEL;
    for word in fact.split(' ') {
        let width = word.chars().count() + 1;
        if used > LABEL && used + width > LINE {
            write!(text, "\n{:LABEL$}", "")?;
            used = LABEL;
        }
        write!(text, "{}{word}", if used > LABEL { " " } else { "" })?;
        used += width;
    }
    writeln!(text)
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

fn results(plan: &MigrationPlan) -> BTreeMap<String, String> {
    let method = match &plan.method {
        Method::Measured => "measured".to_owned(),
        Method::Classified { why } => format!("classified: {why}"),
    };
    let results = [
        ("pending", plan.migrations.len().to_string()),
        ("blocks-reads", names(&plan.blocks_reads, false)),
        ("blocks-writes", names(&plan.blocks_writes, false)),
        ("estimate-seconds", format!("{:.1}", plan.estimate_seconds)),
        ("suggested-timeout", plan.suggested_timeout.to_string()),
        ("digest", short(&plan.digest).to_owned()),
        ("method", method),
        ("obstacle", plan.obstacle.as_ref().map_or("none", |obstacle| obstacle.kind).to_owned()),
    ];
    results.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The tables that are blocked longest.
fn names(blocked: &BTreeMap<String, f64>, with_seconds: bool) -> String {
    let mut blocked: Vec<_> = blocked.iter().collect();
    blocked.sort_by(|left, right| right.1.total_cmp(left.1));
    let mut names: Vec<_> = blocked
        .iter()
        .take(MOST_NAMES)
        .map(|(name, seconds)| match with_seconds {
            true => format!("{name} {}", duration(**seconds)),
            false => (*name).clone(),
        })
        .collect();
    if blocked.len() > MOST_NAMES {
        names.push(format!("and {} more", blocked.len() - MOST_NAMES));
    }
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn migrations(count: usize) -> String {
    if count == 1 { "1 migration".to_owned() } else { format!("{count} migrations") }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::plan::Obstacle;

    fn touched(table: &str, lock: LockMode, rows: Option<u64>, bytes: u64, work: &[Work]) -> Touched {
        Touched { table: table.to_owned(), rows, bytes, lock, work: work.to_vec() }
    }

    fn step(version: &str, name: &str, mode: Mode, seconds: f64, tables: Vec<Touched>) -> Step {
        let (version, name) = (version.to_owned(), name.to_owned());
        Step { version, name, mode, tables, is_unclear: false, seconds }
    }

    fn example() -> MigrationPlan {
        let identifiers = "identity_credential_identifiers";
        let steps = vec![
            step(
                "20251104000000000000",
                "identifiers_devices_identity_id",
                Mode::Transaction,
                0.04,
                vec![touched(identifiers, LockMode::AccessExclusive, Some(198_765), 73_000_000, &[])],
            ),
            step(
                "20251105000000000001",
                "Backfill column identity_id in identity_credential_identifiers",
                Mode::Code,
                13.6,
                vec![touched(
                    identifiers,
                    LockMode::RowExclusive,
                    Some(198_765),
                    73_000_000,
                    &[Work::Backfill],
                )],
            ),
            step(
                "20251105000000000003",
                "identity_id_not_null_fks",
                Mode::Transaction,
                130.0,
                vec![
                    touched("identities", LockMode::ShareRowExclusive, None, 12 << 30, &[]),
                    touched(
                        identifiers,
                        LockMode::AccessExclusive,
                        Some(23_000_000),
                        9 << 30,
                        &[Work::Scan, Work::Scan, Work::Index],
                    ),
                ],
            ),
            step("20260114175904000000", "drop_index", Mode::Autocommit, 0.04, Vec::new()),
        ];
        MigrationPlan {
            version: "v26.2.0".to_owned(),
            method: Method::Measured,
            migrations: steps,
            blocks_reads: BTreeMap::from([(identifiers.to_owned(), 130.04)]),
            blocks_writes: BTreeMap::from([
                (identifiers.to_owned(), 130.04),
                ("identities".to_owned(), 130.0),
            ]),
            estimate_seconds: 143.68,
            suggested_timeout: 216,
            obstacle: None,
            digest: "8553e5aafff80123456789".to_owned(),
        }
    }

    #[test]
    fn the_text_is_as_agreed() {
        assert_eq!(example().render("kratos"), include_str!("golden/measured.txt"));
    }

    #[test]
    fn what_is_in_the_way_stands_before_the_command() {
        let text = "Migration 20250708190000000000 external_id is done and not booked, since a run was killed in \
                    between, so every run fails";
        let wedge =
            |kind| MigrationPlan { obstacle: Some(Obstacle { kind, text: text.to_owned() }), ..example() };
        let rendered = wedge("wedge-b").render("kratos");
        let plain = example().render("kratos");
        let (same, command) = plain.split_at(plain.rfind("Run it").unwrap());
        let expected = "In the way:     Migration 20250708190000000000 external_id is done and not booked, since a run was\n\
                        \x20               killed in between, so every run fails\n\n\
                        Repair it with: juju run kratos/leader repair-migration\n";
        assert_eq!(rendered, format!("{same}{expected}{command}"));
        assert!(
            wedge("unknown").render("kratos").contains("\nMend it by hand first: no repair is known\nRun it")
        );
        assert_eq!(wedge("wedge-b").results()["obstacle"], "wedge-b");
    }

    #[test]
    fn long_plans_show_what_blocks_and_count_the_rest() {
        let mut plan = example();
        let quiet =
            |number: usize| step(&format!("2019{number:016}"), "quiet", Mode::Transaction, 0.02, Vec::new());
        plan.migrations.splice(0..0, (0..50).map(quiet));
        plan.method = Method::Classified {
            why: "the role kratos may not create a scratch database (CREATEDB)".to_owned(),
        };
        plan.migrations[3].is_unclear = true;
        plan.blocks_reads =
            (0..20).map(|number| (format!("table_with_a_long_name_{number:02}"), 1.0)).collect();
        let text = plan.render("kratos");
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= LINE), "{text}");
        let has = |text: &str| lines.iter().any(|line| line.contains(text));
        assert!(has("identity_id_not_null_fks") && has("unknown") && has("… and 24 more"), "{text}");
        assert!(
            has("not measured: the role kratos") && has("and 12 more") && has("1 migration may touch"),
            "{text}"
        );
        assert!(plan.results()["blocks-reads"].ends_with("table_with_a_long_name_07, and 12 more"));
    }

    #[test]
    fn nothing_pending_needs_no_table() {
        let plan = MigrationPlan { migrations: Vec::new(), ..example() };
        assert_eq!(plan.render("kratos"), "Nothing is pending for Kratos v26.2.0.\n");
    }

    #[test]
    fn the_results_are_small() {
        let expected = [
            ("blocks-reads", "identity_credential_identifiers"),
            ("blocks-writes", "identity_credential_identifiers, identities"),
            ("digest", "8553e5aafff8"),
            ("estimate-seconds", "143.7"),
            ("method", "measured"),
            ("obstacle", "none"),
            ("pending", "4"),
            ("suggested-timeout", "216"),
        ];
        let results = example().results();
        let results: Vec<_> = results.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(results, expected);
    }

    #[test]
    fn the_structured_form_names_its_parts() {
        let json = serde_json::to_value(example()).unwrap();
        assert_eq!(json["method"]["by"], "measured");
        assert_eq!(json["migrations"][1]["mode"], "code");
        assert_eq!(json["migrations"][2]["tables"][1]["lock"], "ACCESS EXCLUSIVE");
        assert_eq!(json["migrations"][2]["tables"][1]["work"], serde_json::json!(["scan", "scan", "index"]));
        assert_eq!(json["suggested-timeout"], 216);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0, 9_999, 10_000, 23_000_000].map(thousands), ["0", "9999", "10k", "23M"]);
        assert_eq!([0, 8192, 73_000_000, 12 << 30].map(size), ["0 B", "8192 B", "70 MB", "12 GB"]);
        assert_eq!(
            [0.0, 0.04, 1.0, 119.2, 130.0, 7201.0].map(duration),
            ["0.1 s", "0.1 s", "1 s", "120 s", "3 min", "3 h"]
        );
    }
}

//! From what was seen and read to the plan: one step for each pending migration, and the totals.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::lock::LockMode;
use super::model::{Method, MigrationPlan, Mode, Step, Touched};
use super::replay::{Replay, Trace};
use super::shadow::{Shadow, TableEffect};
use super::work::Work;
use crate::kratos::WorkloadVersion;
use crate::migration::repair::is_autocommit;
use crate::migration::schema::{Migration, MigrationVersion};
use crate::postgres::tables::{ForeignKey, Table};

/// No migration before this one is written in Go: an older one without SQL is one for other databases.
const FIRST_IN_GO: &str = "20251105";

/// The estimate bounds; what stands around the run (a busy pod, a slow disk) wants room as well.
const ROOM: f64 = 1.5;
/// A loaded machine can take a second to start a program.
const SHORTEST: f64 = 2.0;
/// A timeout is at most a week.
const LONGEST: f64 = 604_800.0;

/// A migration with its SQL, if the program tells; empty if it is written in Go.
pub struct Listed {
    pub migration: Migration,
    pub content: Option<String>,
}

/// What a run takes however small the tables are, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    pub start: f64,
    pub each: f64,
}

impl Pace {
    /// Twice what the same took on the scratch database. Without one: three times what the program took to start and
    /// list its migrations, and 20 ms for each (Kratos takes 2 to 15 ms, and each is some round trips).
    pub fn new(replay: Option<&Replay>, asked: Option<Duration>, pending: usize) -> Self {
        let replayed = replay.filter(|replay| !replay.traces.is_empty());
        if let Some(replay) = replayed {
            let each = 2.0 * replay.seconds / count(replay.traces.len());
            return Self { start: 0.0, each };
        }
        let start = if pending == 0 { 0.0 } else { 3.0 * asked.map_or(0.5, |took| took.as_secs_f64()) };
        Self { start, each: 0.02 }
    }
}

/// Puts the plan together.
pub fn plan(
    version: &WorkloadVersion,
    method: Method,
    pending: &[Listed],
    replay: Option<&Replay>,
    tables: &BTreeMap<String, Table>,
    keys: &[ForeignKey],
    pace: Pace,
) -> MigrationPlan {
    let mut shadow = Shadow::new(tables, keys);
    let steps: Vec<_> =
        pending.iter().map(|pending| step(pending, replay, &mut shadow, tables, pace)).collect();
    let mut estimate = pace.start + steps.iter().map(|step| step.seconds).sum::<f64>();
    if steps.iter().any(|step| step.is_unclear) {
        // Whatever it is, it is taken not to be more than writing everything anew.
        estimate += tables.values().map(|table| Work::Rewrite.seconds(table)).sum::<f64>();
    }
    MigrationPlan {
        version: version.to_string(),
        method,
        digest: digest(&steps),
        blocks_reads: blocked(&steps, LockMode::blocks_reads),
        blocks_writes: blocked(&steps, LockMode::blocks_writes),
        estimate_seconds: rounded(estimate),
        suggested_timeout: whole_seconds(ROOM * estimate),
        obstacle: None,
        migrations: steps,
    }
}

fn step(
    pending: &Listed,
    replay: Option<&Replay>,
    shadow: &mut Shadow,
    tables: &BTreeMap<String, Table>,
    pace: Pace,
) -> Step {
    let Migration { version, name } = &pending.migration;
    let content = pending.content.as_deref();
    let trace = replay.and_then(|replay| replay.traces.get(version));
    let mode = mode(version, content, replay, trace);
    let mut told = shadow.apply(content.unwrap_or_default());
    told.is_unclear |= content.is_none();
    if mode == Mode::Code {
        let lock = LockMode::RowExclusive;
        let backfill = |table| TableEffect { table, lock, work: Some(Work::Backfill) };
        let named = shadow.named_in(name);
        told.is_unclear = named.is_empty();
        told.effects = named.into_iter().flatten().map(backfill).collect();
    }
    let mut touched: BTreeMap<String, (LockMode, Vec<Work>)> = BTreeMap::new();
    let mut touch = |table: &str, lock: LockMode, work: Option<Work>| {
        let (strongest, works) = touched.entry(table.to_owned()).or_insert((lock, Vec::new()));
        *strongest = lock.max(*strongest);
        works.extend(work);
    };
    let is_measured = mode == Mode::Transaction && trace.is_some();
    for effect in &told.effects {
        // What was measured beats what was read, as far as it can be measured.
        let work = effect.work.filter(|work| trace.is_none() || !matches!(work, Work::Index | Work::Rewrite));
        let lock = if is_measured { LockMode::AccessShare } else { effect.lock };
        if !is_measured || work.is_some() {
            touch(&effect.table, lock, work);
        }
    }
    if let Some(trace) = trace {
        for (table, lock) in &trace.locks {
            let is_written = told.is_unclear && *lock == LockMode::RowExclusive;
            touch(table, *lock, is_written.then_some(Work::Update));
        }
        for table in &trace.rewritten {
            touch(
                table,
                if is_measured { LockMode::AccessShare } else { LockMode::AccessExclusive },
                Some(Work::Rewrite),
            );
        }
        for (table, indexes) in &trace.built {
            for _ in 0..*indexes {
                touch(table, LockMode::AccessShare, Some(Work::Index));
            }
        }
    }
    let tables: Vec<_> = touched
        .into_iter()
        .filter_map(|(name, (lock, work))| tables.get(&name).map(|table| (name, table, lock, work)))
        .collect();
    let seconds = tables.iter().flat_map(|(_, table, _, work)| work.iter().map(|work| work.seconds(table)));
    Step {
        version: version.to_string(),
        name: name.clone(),
        mode,
        is_unclear: told.is_unclear && !is_measured,
        seconds: rounded(pace.each + seconds.sum::<f64>()),
        tables: tables
            .into_iter()
            .map(|(name, table, lock, mut work)| {
                work.sort_unstable();
                Touched { table: name, rows: table.rows, bytes: table.total_bytes, lock, work }
            })
            .collect(),
    }
}

fn mode(
    version: &MigrationVersion,
    content: Option<&str>,
    replay: Option<&Replay>,
    trace: Option<&Trace>,
) -> Mode {
    let text = version.to_string();
    let is_empty = content.is_some_and(|content| content.trim().is_empty());
    let is_autocommit = is_autocommit(&text, content.unwrap_or_default())
        || replay.is_some_and(|replay| replay.autocommit.contains(version));
    // Without a replay nobody says whether a new one without SQL is empty or a program.
    let may_be_code = is_autocommit || trace.is_none() && text.as_str() >= FIRST_IN_GO;
    match (is_empty, is_autocommit) {
        // It still held its locks when it was booked.
        _ if trace.is_some_and(|trace| !trace.locks.is_empty()) => Mode::Transaction,
        (true, _) if may_be_code => Mode::Code,
        (false, true) => Mode::Autocommit,
        _ => Mode::Transaction,
    }
}

/// A lock is held until its migration ends.
fn blocked(steps: &[Step], blocks: fn(LockMode) -> bool) -> BTreeMap<String, f64> {
    let mut blocked: BTreeMap<String, f64> = BTreeMap::new();
    for step in steps {
        for touched in step.tables.iter().filter(|touched| blocks(touched.lock)) {
            *blocked.entry(touched.table.clone()).or_default() += step.seconds;
        }
    }
    blocked.into_iter().map(|(table, seconds)| (table, rounded(seconds))).collect()
}

fn digest(steps: &[Step]) -> String {
    let mut digest = Sha256::new();
    for step in steps {
        digest.update(format!("{}\n", step.version));
        for touched in &step.tables {
            digest.update(format!("{}\t{}\n", touched.table, touched.lock));
        }
    }
    format!("{:x}", digest.finalize())
}

/// To milliseconds: more is pretence.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the clamp leaves what fits")]
fn whole_seconds(seconds: f64) -> u64 {
    seconds.ceil().clamp(SHORTEST, LONGEST) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a plan has not 2^53 steps")]
fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn listed(version: &str, name: &str, content: Option<&str>) -> Listed {
        let version = MigrationVersion::parse(version).unwrap();
        Listed {
            migration: Migration { version, name: name.to_owned() },
            content: content.map(str::to_owned),
        }
    }

    fn planned(pending: &[Listed], replay: Option<&Replay>) -> MigrationPlan {
        let table = Table {
            rows: Some(1_000_000),
            heap_bytes: 200 << 20,
            total_bytes: 300 << 20,
            indexes: vec!["sessions_idx".to_owned()],
        };
        let tables = BTreeMap::from([("sessions".to_owned(), table)]);
        let version = WorkloadVersion::parse("v27.1.0").unwrap();
        let pace = Pace { start: 1.0, each: 0.5 };
        plan(&version, Method::Measured, pending, replay, &tables, &[], pace)
    }

    #[test]
    fn a_program_that_names_no_table_may_write_them_all() {
        let backfill = planned(&[listed("20270101000000000000", "Backfill of sessions", Some(" \n"))], None);
        let step = &backfill.migrations[0];
        assert_eq!(
            (step.mode, step.is_unclear, step.tables[0].lock),
            (Mode::Code, false, LockMode::RowExclusive)
        );
        assert_eq!(step.tables[0].work, [Work::Backfill]);

        for content in [Some(""), None] {
            let unnamed = planned(&[listed("20270101000000000000", "something", content)], None);
            let step = &unnamed.migrations[0];
            assert!(step.is_unclear && step.tables.is_empty(), "{step:?}");
            assert!(unnamed.estimate_seconds > 5.0, "{}", unnamed.estimate_seconds);
        }
        let old = planned(&[listed("20230101000000000000", "for another database", Some(""))], None);
        assert!(!old.migrations[0].is_unclear && old.migrations[0].mode == Mode::Transaction);
        assert!((old.estimate_seconds - 1.5).abs() < 1e-9 && old.suggested_timeout == 3);
    }

    #[test]
    fn what_runs_outside_of_a_transaction_is_known() {
        let autocommit = |version, content, replay: Option<&Replay>| {
            planned(&[listed(version, "step", Some(content))], replay).migrations[0].mode == Mode::Autocommit
        };
        let index = "CREATE INDEX i ON sessions (a)";
        assert!(!autocommit("20270101000000000000", index, None));
        assert!(autocommit("20241106142200000001", index, None));
        assert!(autocommit("20270101000000000000", "CREATE INDEX Concurrently i ON sessions (a)", None));
        let version = MigrationVersion::parse("20270101000000000000").unwrap();
        let told = Replay { autocommit: BTreeSet::from([version]), ..Replay::default() };
        assert!(autocommit("20270101000000000000", index, Some(&told)));
    }

    #[test]
    fn what_was_measured_beats_the_sql() {
        let sql = "ALTER TABLE sessions ALTER COLUMN a TYPE TEXT, ALTER COLUMN a SET NOT NULL";
        let pending = [listed("20270101000000000000", "step", Some(sql))];
        let read = planned(&pending, None);
        assert_eq!(read.migrations[0].tables[0].work, [Work::Scan, Work::Rewrite]);
        assert_eq!(read.blocks_reads["sessions"], read.migrations[0].seconds);

        // The change of the type was harmless here.
        let lock = ("sessions".to_owned(), LockMode::AccessExclusive);
        let trace = Trace { locks: BTreeMap::from([lock]), ..Trace::default() };
        let version = pending[0].migration.version.clone();
        let replay = Replay { traces: BTreeMap::from([(version, trace)]), ..Replay::default() };
        let measured = planned(&pending, Some(&replay));
        assert_eq!(measured.migrations[0].tables[0].work, [Work::Scan]);
        assert_eq!(measured.migrations[0].tables[0].lock, LockMode::AccessExclusive);
        assert!(measured.estimate_seconds < read.estimate_seconds);
        assert_eq!(measured.digest, read.digest, "the locks are the same");
    }
}

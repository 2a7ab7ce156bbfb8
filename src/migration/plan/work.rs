//! How long work on a table takes at most, from its size.
//!
//! The rates are upper estimates. What was measured for them, PostgreSQL 15 with 200,000 rows in each of the big tables:
//! on two loaded cores Kratos v1.3.1 to v26.2.0 took 26 s in all (the two backfills 10 s and 9 s, the indexes 4 s, the
//! constraints 2 s), and v25.4.0 to v26.2.0 with 400,000 rows (855 MB) 43 s (23 s, 18 s, 1 s, 1 s); on an idle machine
//! without fsync the backfills take 5 s and 3 s and an index 0.2 s. The rates lie above the slow figures for backfills,
//! which make up most of it, and between both for the rest.

use serde::Serialize;

use crate::postgres::tables::Table;

/// Work that grows with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Reads all rows, to check a constraint.
    Scan,
    /// Builds one index.
    Index,
    /// Writes the table and its indexes anew.
    Rewrite,
    /// Changes rows in one statement.
    Update,
    /// Changes rows in batches, a statement each, with a search for what is left before each.
    Backfill,
}

/// Reading from memory, which is where tables up to [`CACHED`] are taken to be, and from a disk; bytes per second.
const MEMORY: f64 = 400e6;
const DISK: f64 = 100e6;
const CACHED: f64 = 1e9;
/// Seconds per row.
const CHECK: f64 = 1.2e-6;
const SORT: f64 = 1.2e-6;
const COPY: f64 = 5e-6;
const WRITE: f64 = 25e-6;
const BACKFILL: f64 = 60e-6;
/// The rows of one batch of a Kratos backfill.
const BATCH: f64 = 10_000.0;
/// The bytes of a row where the number of rows is not known. The rows of Kratos' big tables take more.
const SMALL_ROW: f64 = 120.0;

impl Work {
    /// Seconds, at most, as far as the size tells.
    pub fn seconds(self, table: &Table) -> f64 {
        let heap = approximate(table.heap_bytes);
        let rows = table.rows.map_or(heap / SMALL_ROW, approximate);
        match self {
            Self::Scan => read(heap) + rows * CHECK,
            Self::Index => read(heap) + rows * SORT,
            Self::Rewrite => 2.0 * read(approximate(table.total_bytes)) + rows * COPY,
            Self::Update => read(heap) + rows * WRITE,
            Self::Backfill => (rows / BATCH).ceil() * read(heap) + rows * BACKFILL,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Index => "index",
            Self::Rewrite => "rewrite",
            Self::Update => "update",
            Self::Backfill => "backfill",
        }
    }
}

fn read(bytes: f64) -> f64 {
    bytes.min(CACHED) / MEMORY + (bytes - CACHED).max(0.0) / DISK
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
fn approximate(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: Option<u64>, heap_bytes: u64) -> Table {
        Table { rows, heap_bytes, total_bytes: 2 * heap_bytes, indexes: Vec::new() }
    }

    #[test]
    fn the_measured_backfills_fit() {
        for (rows, bytes, measured) in [(200_000, 27_000_000, 10.0), (400_000, 54_000_000, 23.0)] {
            let seconds = Work::Backfill.seconds(&table(Some(rows), bytes));
            assert!((measured..2.0 * measured).contains(&seconds), "{rows} rows: {seconds}");
        }
    }

    #[test]
    fn more_is_slower_and_nothing_takes_no_time() {
        for work in [Work::Scan, Work::Index, Work::Rewrite, Work::Update, Work::Backfill] {
            let seconds = |rows, bytes| work.seconds(&table(rows, bytes));
            assert!(seconds(Some(0), 0).abs() < 1e-9, "{work:?}");
            assert!(seconds(Some(2000), 2 << 20) > seconds(Some(1000), 1 << 20), "{work:?}");
            assert!(seconds(None, 100 << 20) > seconds(Some(100_000), 100 << 20), "{work:?} uncounted");
            assert!(
                seconds(Some(20_000_000), 20 << 30) > 20.0 * seconds(Some(1_000_000), 1 << 30),
                "{work:?}"
            );
        }
    }
}

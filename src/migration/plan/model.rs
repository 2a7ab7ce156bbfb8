//! What a plan consists of: its steps, the tables they touch, and what is in the way.

use std::collections::BTreeMap;

use serde::Serialize;

use super::lock::LockMode;
use super::work::Work;
use crate::migration::repair::Diagnosis;

/// The kind of an obstacle that no repair is known for.
const UNKNOWN: &str = "unknown";

/// The plan of a migration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MigrationPlan {
    /// The Kratos that would migrate, e.g. `v26.2.0`.
    pub version: String,
    pub method: Method,
    /// What is pending, in the order in which it is applied.
    pub migrations: Vec<Step>,
    /// The tables that nobody can read during some migration, with the seconds for which at most, in all.
    pub blocks_reads: BTreeMap<String, f64>,
    /// The same for those that nobody can write to.
    pub blocks_writes: BTreeMap<String, f64>,
    /// How long the run takes at most, in seconds, as far as the sizes tell.
    pub estimate_seconds: f64,
    /// For `run-migration timeout=…`, in seconds.
    pub suggested_timeout: u64,
    /// What every run fails at until it is mended.
    pub obstacle: Option<Obstacle>,
    /// SHA-256 in hexadecimal of the pending versions and their locks, in order; sizes do not enter.
    pub digest: String,
}

/// A state of the database in which every run fails, as `repair-migration` tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Obstacle {
    /// `wedge-a`, `wedge-b` or `unknown`: then there is no repair.
    pub kind: &'static str,
    /// What was found, and what a repair would do.
    pub text: String,
}

impl Obstacle {
    pub(super) fn from_diagnosis(diagnosis: &Diagnosis) -> Option<Self> {
        let is_one = *diagnosis != Diagnosis::None;
        is_one.then(|| Self { kind: diagnosis.kind(), text: diagnosis.to_string() })
    }

    /// Whether `repair-migration` has a way out.
    pub fn is_repairable(&self) -> bool {
        self.kind != UNKNOWN
    }
}

/// How the locks were found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Method {
    /// On a scratch database of the same server; those of autocommit migrations from their SQL.
    Measured,
    /// From the SQL that the program carries, or from nothing where it carries none.
    Classified { why: String },
}

/// One pending migration.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Step {
    pub version: String,
    pub name: String,
    pub mode: Mode,
    /// The tables that are in production now, by name.
    pub tables: Vec<Touched>,
    /// More may be touched than `tables` says.
    pub is_unclear: bool,
    /// How long it takes at most; its locks are held at most as long.
    pub seconds: f64,
}

/// How a migration runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In one transaction with its bookkeeping: all of it or nothing.
    Transaction,
    /// Statement by statement, the bookkeeping last: ended in between it is half done.
    Autocommit,
    /// A program in Kratos, in batches, each a statement of its own.
    Code,
}

/// A table that a migration touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Touched {
    pub table: String,
    /// An estimate; `None` if nobody has counted.
    pub rows: Option<u64>,
    /// With indexes and TOAST.
    pub bytes: u64,
    /// The strongest that is taken.
    pub lock: LockMode,
    /// What grows with the size; empty if it is done at once.
    pub work: Vec<Work>,
}

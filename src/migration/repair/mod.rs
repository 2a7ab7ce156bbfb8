//! The two states in which every run of Kratos' migrations fails, and the way out of each.
//!
//! Given the migrations that the program lists and the database, [`diagnose`] tells from facts alone whether it is
//! one of them, and [`apply`] does exactly what the diagnosis says, under the migration lock and the fence, and
//! looks again afterwards. Everything else is refused: a bookkeeping row that is wrong does more harm than one that
//! is missing.
//!
//! - *Wedge A*: an old server wrote rows while the migration ran, after the backfill of their new column was
//!   booked. The next migration forbids nulls there and fails for ever. Way out: the backfills are made pending
//!   again.
//! - *Wedge B*: a run was killed and the server completed its statement, outside a transaction, so that it is done
//!   and not booked. It fails for ever because its object exists. Way out: it is booked, if what exists is exactly
//!   what it would have made.

mod apply;
mod diagnose;
mod effect;
mod foresee;
mod known;
mod session;
mod twin;

pub use apply::{RepairError, Repaired, apply};
pub use diagnose::{Diagnosis, diagnose};
pub use effect::{Effect, effects};
pub use foresee::{Foreseen, HalfApplied, NotNull};
pub use known::is_autocommit;
pub use session::{FoundFence, diagnose_now, find_fence, repair_now};

//! PostgreSQL as the charm needs it: where the database is, a connection to it, and what can be learnt and done
//! there.
//!
//! Given the parts of a relation (or a URL on a command line), it builds a [`Dsn`] that both Kratos and this
//! process can use, opens a [`Connection`] within a fixed time, reads the catalog, holds the advisory lock, raises
//! the write fence, and watches or ends the backends of a migration. It knows nothing of Juju and nothing of Kratos
//! but the name of its bookkeeping table. Passwords are redacted in every text that leaves this module.

pub mod activity;
pub mod catalog;
mod connect;
mod dsn;
mod error;
pub mod fence;
mod host_port;
mod lock;
pub mod objects;
mod redact;
pub mod replication;
pub mod scratch;
mod session;
pub mod tables;
mod tls;
pub mod transactions;
mod url;

pub use connect::Connection;
pub use dsn::{ClientCertificate, Dsn, DsnError, DsnParts, Tls};
pub use error::{Error, Result};
pub use host_port::{HostPort, HostPortError};
pub use lock::{AdvisoryLock, Holder, LockKey, holder};
pub use session::Session;
pub use tls::check_ca;

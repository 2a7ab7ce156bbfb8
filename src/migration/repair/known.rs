//! What is known of Kratos' migrations and cannot be seen in what it shows of them.

/// The migrations that run outside a transaction, so that a kill may leave them done and not booked (v26.2.0; read in
/// Kratos' source). Their file names say so, the output of `migrate sql status` does not.
const AUTOCOMMIT: [&str; 8] = [
    "20241029153900000001",
    "20241031094100000001",
    "20241031094100000002",
    "20241106142200000001",
    "20241106142200000002",
    "20241108105000000001",
    "20250505150900000000",
    "20250708190000000000",
];

/// A migration that fills a column of a table row by row; it may run any number of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backfill {
    pub version: &'static str,
    pub table: &'static str,
    pub column: &'static str,
}

/// The two that are written in Go and show no SQL; neither runs in a transaction.
pub const BACKFILLS: [Backfill; 2] = [
    Backfill {
        version: "20251105000000000001",
        table: "identity_credential_identifiers",
        column: "identity_id",
    },
    Backfill { version: "20251105000000000002", table: "session_devices", column: "identity_id" },
];

/// The migration that forbids nulls in what they filled.
pub const NOT_NULL: &str = "20251105000000000003";

/// Whether the migration `version` with the SQL `content` runs outside a transaction, as far as is known.
pub fn is_autocommit(version: &str, content: &str) -> bool {
    AUTOCOMMIT.contains(&version)
        || BACKFILLS.iter().any(|backfill| backfill.version == version)
        // The server does it outside a transaction only.
        || content.to_lowercase().contains("concurrently")
}

//! What the catalog says about the database: which migrations are booked, whether it takes writes, what is broken, and
//! what the role may do.
//!
//! Given a [`Connection`], each function asks one question and changes nothing. Kratos' own `migrate sql status` needs
//! the workload's binary and shows only what that binary knows; the bookkeeping table shows what really happened.

use std::collections::BTreeSet;

use super::connect::Connection;
use super::error::Result;

/// An index that PostgreSQL keeps but does not use, mostly the remains of a killed `CREATE INDEX CONCURRENTLY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidIndex {
    pub schema: String,
    pub table: String,
    pub name: String,
    /// `schema.name`, quoted for a statement: `REINDEX INDEX CONCURRENTLY <quoted>` repairs it.
    pub quoted: String,
    /// Whether a session is building it just now (only visible for sessions of a role that we are a member of).
    pub being_built: bool,
}

/// What the connected role may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleFacts {
    pub name: String,
    pub superuser: bool,
    /// The schema that new objects go to, the first of the search path that exists.
    pub schema: Option<String>,
    pub can_create_in_schema: bool,
    /// Needed for `CREATE EXTENSION`, also of a trusted one.
    pub can_create_in_database: bool,
    /// Tables of the schema that belong to a role that we are no member of: a migration cannot alter them, however
    /// much is granted on them.
    pub tables_of_others: Vec<String>,
}

/// The versions in `schema_migration`, found through the search path as Kratos finds it; `None` if there is no such
/// table.
pub async fn applied_versions(connection: &Connection) -> Result<Option<BTreeSet<String>>> {
    let row = connection.query_one("SELECT to_regclass('schema_migration') IS NOT NULL", &[]).await?;
    if !connection.get::<bool>(&row, 0)? {
        return Ok(None);
    }
    let rows = connection.query("SELECT version::text FROM schema_migration", &[]).await?;
    rows.iter().map(|row| connection.get(row, 0)).collect::<Result<_>>().map(Some)
}

/// Whether this session can write: the server is no standby and the session's transactions are not read-only (by a
/// setting of the server, the database, the role, or a fence that was put up for a migration).
pub async fn is_writable_primary(connection: &Connection) -> Result<bool> {
    let sql = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'";
    let row = connection.query_one(sql, &[]).await?;
    connection.get(&row, 0)
}

/// Whether any table stands in the schemas of the search path; those of extensions (PostGIS puts one there) do not
/// count. `false` means a fresh database.
pub async fn has_tables(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY (current_schemas(false))
          AND NOT EXISTS (SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))";
    let row = connection.query_one(sql, &[]).await?;
    connection.get(&row, 0)
}

/// The invalid indexes of `tables` (by name; none: all) in the schemas of the search path, by name.
pub async fn invalid_indexes(connection: &Connection, tables: &[String]) -> Result<Vec<InvalidIndex>> {
    let sql =
        "SELECT n.nspname::text, t.relname::text, c.relname::text, format('%I.%I', n.nspname, c.relname),
                      EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = c.oid)
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indexrelid
        JOIN pg_class t ON t.oid = i.indrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname = ANY (current_schemas(false))
          AND (cardinality($1::text[]) = 0 OR t.relname = ANY ($1))
        ORDER BY 1, 3";
    let read = |row: &tokio_postgres::Row| {
        Ok(InvalidIndex {
            schema: connection.get(row, 0)?,
            table: connection.get(row, 1)?,
            name: connection.get(row, 2)?,
            quoted: connection.get(row, 3)?,
            being_built: connection.get(row, 4)?,
        })
    };
    connection.query(sql, &[&tables]).await?.iter().map(read).collect()
}

/// The installed extensions. Kratos needs `pg_trgm` and `btree_gin`, and installs them itself if it may.
pub async fn extensions(connection: &Connection) -> Result<BTreeSet<String>> {
    let rows = connection.query("SELECT extname::text FROM pg_extension", &[]).await?;
    rows.iter().map(|row| connection.get(row, 0)).collect()
}

/// What the connected role may do in this database.
pub async fn role_facts(connection: &Connection) -> Result<RoleFacts> {
    let sql = "SELECT current_user::text, current_setting('is_superuser') = 'on', current_schema()::text,
                      coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
                      has_database_privilege(current_database(), 'CREATE'),
                      ARRAY(SELECT c.relname::text FROM pg_class c
                            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = to_regnamespace(quote_ident(current_schema()))
                              AND NOT pg_has_role(c.relowner, 'USAGE')
                              AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                              AND d.objid = c.oid AND d.deptype = 'e')
                            ORDER BY 1)";
    let row = connection.query_one(sql, &[]).await?;
    Ok(RoleFacts {
        name: connection.get(&row, 0)?,
        superuser: connection.get(&row, 1)?,
        schema: connection.get(&row, 2)?,
        can_create_in_schema: connection.get(&row, 3)?,
        can_create_in_database: connection.get(&row, 4)?,
        tables_of_others: connection.get(&row, 5)?,
    })
}

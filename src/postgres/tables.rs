//! The tables of a database as a plan sees them: how big they are, and what hangs on them.
//!
//! Given a [`Connection`], it reads the catalog: row numbers are what the planner would take, sizes are those of the
//! files. Where nobody has counted rows yet, the first pages of the table are. Asking for a size takes a weak lock on
//! the table, so a caller sets a `lock_timeout`.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::connect::Connection;
use super::error::Result;

/// A table in the search path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// An estimate; `None` if nothing tells.
    pub rows: Option<u64>,
    /// The table alone, in bytes.
    pub heap_bytes: u64,
    /// With indexes and TOAST, in bytes.
    pub total_bytes: u64,
    /// The names of its indexes.
    pub indexes: Vec<String>,
}

/// A foreign key between two tables in the search path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    pub name: String,
    pub table: String,
    pub columns: Vec<String>,
    pub referenced: String,
}

/// The pages of a table that are counted if nobody has.
const SAMPLE: u64 = 50;
/// The first server that reads a range of pages without reading all of them.
const FIRST_WITH_PAGE_RANGES: i32 = 140_000;

/// The tables in the schemas of the search path, by name. A name that stands in several schemas counts once, as the
/// first in the path.
pub async fn tables(connection: &Connection) -> Result<BTreeMap<String, Table>> {
    // Rows grow with pages since the last count, as the planner reckons.
    let sql = "SELECT c.relname::text,
            CASE WHEN c.reltuples > 0 AND c.relpages > 0
                 THEN round(c.reltuples::float8 / c.relpages * pg_relation_size(c.oid)
                            / current_setting('block_size')::float8)::int8
                 WHEN pg_relation_size(c.oid) = 0 THEN 0 END,
            pg_relation_size(c.oid), pg_total_relation_size(c.oid),
            ARRAY(SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
                  WHERE x.indrelid = c.oid ORDER BY 1)
        FROM pg_class c
        WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace <> 'pg_catalog'::regnamespace
          AND pg_table_is_visible(c.oid)";
    let read = |row: &Row| {
        let size = |column| connection.get::<i64>(row, column).map(|size| u64::try_from(size).unwrap_or(0));
        let table = Table {
            rows: connection.get::<Option<i64>>(row, 1)?.map(|rows| u64::try_from(rows).unwrap_or(0)),
            heap_bytes: size(2)?,
            total_bytes: size(3)?,
            indexes: connection.get(row, 4)?,
        };
        Ok((connection.get(row, 0)?, table))
    };
    let mut tables: BTreeMap<String, Table> =
        connection.query(sql, &[]).await?.iter().map(read).collect::<Result<_>>()?;
    if connection.server_version_num() >= FIRST_WITH_PAGE_RANGES {
        for (name, table) in tables.iter_mut().filter(|(_, table)| table.rows.is_none()) {
            // A table that we may not read, or that somebody locks, stays uncounted.
            table.rows = sample(connection, name, table.heap_bytes).await.ok();
        }
    }
    Ok(tables)
}

/// Counts the rows of the first pages and takes the others to be alike.
async fn sample(connection: &Connection, table: &str, heap_bytes: u64) -> Result<u64> {
    let row = connection.query_one("SELECT quote_ident($1)", &[&table]).await?;
    let table: String = connection.get(&row, 0)?;
    let sql = format!(
        "SELECT count(*), current_setting('block_size')::int8 FROM {table} WHERE ctid < '({SAMPLE},0)'::tid"
    );
    let row = connection.query_one(&sql, &[]).await?;
    let counted = u64::try_from(connection.get::<i64>(&row, 0)?).unwrap_or(0);
    let block = u64::try_from(connection.get::<i64>(&row, 1)?).unwrap_or(0).max(1);
    Ok(counted.saturating_mul((heap_bytes / block).max(SAMPLE)) / SAMPLE)
}

/// The foreign keys of the tables in the search path.
pub async fn foreign_keys(connection: &Connection) -> Result<Vec<ForeignKey>> {
    let sql = "SELECT k.conname::text, t.relname::text, r.relname::text,
            ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) ORDER BY 1)
        FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
        WHERE k.contype = 'f' AND pg_table_is_visible(t.oid) ORDER BY 2, 1";
    let read = |row: &Row| {
        Ok(ForeignKey {
            name: connection.get(row, 0)?,
            table: connection.get(row, 1)?,
            referenced: connection.get(row, 2)?,
            columns: connection.get(row, 3)?,
        })
    };
    connection.query(sql, &[]).await?.iter().map(read).collect()
}

/// How many rows of every table of the search path were ever updated, by the server's statistics, which are some seconds
/// old. Reads no table.
pub async fn updated(connection: &Connection) -> Result<BTreeMap<String, u64>> {
    let sql = "SELECT relname::text, n_tup_upd FROM pg_stat_user_tables
               WHERE schemaname = ANY (current_schemas(false))";
    let read = |row: &Row| {
        let updated = u64::try_from(connection.get::<i64>(row, 1)?).unwrap_or(0);
        Ok((connection.get(row, 0)?, updated))
    };
    connection.query(sql, &[]).await?.iter().map(read).collect()
}

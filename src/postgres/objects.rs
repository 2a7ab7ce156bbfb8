//! Which tables, columns, constraints and indexes there are, and whether a column holds nulls.
//!
//! Given a [`Connection`], it reads the names in the search path at once, as Kratos would find them, so that
//! hundreds of questions cost one round trip; it changes nothing. Names are as the catalog holds them, unquoted.

use std::collections::BTreeSet;

use super::connect::Connection;
use super::error::Result;

/// The names of the objects in the search path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    pub tables: BTreeSet<String>,
    /// Table and column.
    pub columns: BTreeSet<(String, String)>,
    /// Table and constraint.
    pub constraints: BTreeSet<(String, String)>,
    pub indexes: BTreeSet<String>,
}

impl Objects {
    /// Reads them.
    pub async fn read(connection: &Connection) -> Result<Self> {
        let sql = "
            WITH relations AS (
                SELECT oid, relname::text AS name, relkind FROM pg_class
                WHERE relkind IN ('r', 'p', 'i', 'I') AND pg_table_is_visible(oid)
                  AND relnamespace = ANY (SELECT to_regnamespace(quote_ident(name))
                                          FROM unnest(current_schemas(false)) AS name))
            SELECT 't', name, '' FROM relations WHERE relkind IN ('r', 'p')
            UNION ALL SELECT 'i', name, '' FROM relations WHERE relkind IN ('i', 'I')
            UNION ALL SELECT 'c', name, attname::text FROM relations JOIN pg_attribute ON attrelid = oid
                      WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
            UNION ALL SELECT 'k', name, conname::text FROM relations r JOIN pg_constraint ON conrelid = r.oid";
        let mut objects = Self::default();
        for row in connection.query(sql, &[]).await? {
            let (name, part): (String, String) = (connection.get(&row, 1)?, connection.get(&row, 2)?);
            match connection.get::<&str>(&row, 0)? {
                "t" => drop(objects.tables.insert(name)),
                "i" => drop(objects.indexes.insert(name)),
                "c" => drop(objects.columns.insert((name, part))),
                _ => drop(objects.constraints.insert((name, part))),
            }
        }
        Ok(objects)
    }
}

/// Whether a row of the table holds a null in the column. Reads the table until it finds one, which on a big one
/// takes as long as the session's `statement_timeout` lets it.
pub async fn has_null(connection: &Connection, table: &str, column: &str) -> Result<bool> {
    let row = connection.query_one("SELECT quote_ident($1), quote_ident($2)", &[&table, &column]).await?;
    let (table, column): (String, String) = (connection.get(&row, 0)?, connection.get(&row, 1)?);
    let sql = format!("SELECT EXISTS (SELECT FROM {table} WHERE {column} IS NULL)");
    let row = connection.query_one(&sql, &[]).await?;
    connection.get(&row, 0)
}

/// The size of the tables with their indexes, in bytes; those that are not there count nothing.
pub async fn size(connection: &Connection, tables: &[String]) -> Result<i64> {
    let sql = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(quote_ident(name)))), 0)::int8
               FROM unnest($1::text[]) AS name";
    let row = connection.query_one(sql, &[&tables]).await?;
    connection.get(&row, 0)
}

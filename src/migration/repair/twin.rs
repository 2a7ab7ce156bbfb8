//! Whether the objects in the database are what a migration would have made.
//!
//! Given the SQL of a migration that adds columns or constraints, [`compare`] lets the server do it again on empty
//! temporary twins of its tables, inside a transaction that is rolled back, and compares what the catalog says
//! about both. So nothing is concluded from the text of types and defaults, and nothing of the real tables is
//! locked against anybody.

use std::collections::BTreeSet;

use super::effect::Effect;
use crate::postgres::{Connection, Result};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Each object, as the catalog describes it.
    Equal(Vec<String>),
    /// What differs.
    Different(String),
    /// The migration does something else too, so it cannot be done again on the side.
    NotComparable,
}

/// Compares the `effects` of `sql` with the database. The role needs the right to make temporary tables.
pub async fn compare(connection: &Connection, sql: &str, effects: &[Effect]) -> Result<Comparison> {
    let Some(objects) = effects.iter().map(Object::added_by).collect::<Option<Vec<_>>>() else {
        return Ok(Comparison::NotComparable);
    };
    if objects.is_empty() {
        return Ok(Comparison::NotComparable);
    }
    execute(connection, "BEGIN READ WRITE").await?;
    let compared = compare_inside(connection, sql, &objects).await;
    let ended = execute(connection, "ROLLBACK").await;
    let compared = compared?;
    ended.map(|()| compared)
}

async fn compare_inside(connection: &Connection, sql: &str, objects: &[Object<'_>]) -> Result<Comparison> {
    execute(connection, "SET LOCAL lock_timeout = '5s'").await?;
    // Names of tables are described as they are found, so the path must be the same before and after.
    let mut real = Vec::new();
    for object in objects {
        match object.describe(connection).await? {
            Some(text) => real.push(text),
            None => return Ok(Comparison::Different(format!("{object} is not there"))),
        }
    }
    let tables: BTreeSet<_> = objects.iter().flat_map(Object::tables).collect();
    for table in tables {
        let table = quoted(connection, table).await?;
        // In the temporary schema it hides the real one from everything that follows.
        execute(connection, &format!("CREATE TEMPORARY TABLE {table} (LIKE {table} INCLUDING ALL)")).await?;
    }
    for object in objects {
        object.remove(connection).await?;
    }
    execute(connection, sql).await?;
    for (object, real) in objects.iter().zip(&real) {
        let made = object.describe(connection).await?.unwrap_or_default();
        if made != *real {
            return Ok(Comparison::Different(format!("{object} is {real}; the migration makes it {made}")));
        }
    }
    Ok(Comparison::Equal(
        objects.iter().zip(real).map(|(object, text)| format!("{object}: {text}")).collect(),
    ))
}

/// A column or constraint that a migration adds.
struct Object<'e> {
    table: &'e str,
    name: &'e str,
    references: Option<&'e str>,
    is_column: bool,
}

impl std::fmt::Display for Object<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_column {
            true => write!(formatter, "the column {}.{}", self.table, self.name),
            false => write!(formatter, "the constraint {} of {}", self.name, self.table),
        }
    }
}

impl<'e> Object<'e> {
    fn added_by(effect: &'e Effect) -> Option<Self> {
        match effect {
            Effect::AddColumn { table, column, references, .. } => {
                Some(Self { table, name: column, references: references.as_deref(), is_column: true })
            }
            Effect::AddConstraint { table, name, references } => {
                Some(Self { table, name, references: references.as_deref(), is_column: false })
            }
            _ => None,
        }
    }

    fn tables(&self) -> impl Iterator<Item = &'e str> {
        std::iter::once(self.table).chain(self.references)
    }

    /// Type, nullability, default, collation and constraints of a column, or the definition of a constraint; `None`
    /// if it is not there.
    async fn describe(&self, connection: &Connection) -> Result<Option<String>> {
        let sql = match self.is_column {
            true => {
                "SELECT concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                        (SELECT 'COLLATE ' || collname FROM pg_collation WHERE oid = a.attcollation AND collname <> 'default'),
                        CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE 'NULL' END,
                        'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), nullif(a.attidentity, ''), nullif(a.attgenerated, ''),
                        (SELECT string_agg(pg_get_constraintdef(c.oid), ' ' ORDER BY pg_get_constraintdef(c.oid)) FROM pg_constraint c
                         WHERE c.conrelid = a.attrelid AND c.conkey @> ARRAY[a.attnum]))
                 FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                 WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped"
            }
            false => {
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint
                 WHERE conrelid = to_regclass(quote_ident($1)) AND conname = $2"
            }
        };
        let row = connection.client().query_opt(sql, &[&self.table, &self.name]).await;
        let row = row.map_err(|error| connection.explain(&error))?;
        row.map(|row| row.try_get(0)).transpose().map_err(|error| connection.explain(&error))
    }

    /// Removes it from the twin, where foreign keys are missing anyway.
    async fn remove(&self, connection: &Connection) -> Result<()> {
        let (table, name) = (quoted(connection, self.table).await?, quoted(connection, self.name).await?);
        let what = if self.is_column { "COLUMN" } else { "CONSTRAINT" };
        execute(connection, &format!("ALTER TABLE pg_temp.{table} DROP {what} IF EXISTS {name} CASCADE"))
            .await
    }
}

async fn quoted(connection: &Connection, name: &str) -> Result<String> {
    let row = connection.client().query_one("SELECT quote_ident($1)", &[&name]).await;
    row.and_then(|row| row.try_get(0)).map_err(|error| connection.explain(&error))
}

async fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.client().batch_execute(sql).await.map_err(|error| connection.explain(&error))
}

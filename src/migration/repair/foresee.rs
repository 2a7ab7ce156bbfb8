//! What the pending migrations will meet: objects that are there already or gone already, and columns that must
//! hold no null.
//!
//! Given the SQL of the pending migrations and the names that the database holds, [`Foreseen::new`] walks through
//! them in order and remembers what they themselves change, so that a column which one migration drops and the next
//! adds again is no obstacle.

use std::collections::BTreeSet;

use super::effect::{Effect, effects};
use super::known::{BACKFILLS, is_autocommit};
use crate::kratos::program::command::ListedMigration;
use crate::postgres::objects::Objects;

/// What the pending migrations will meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreseen {
    pub half_applied: Vec<HalfApplied>,
    pub not_null: Vec<NotNull>,
}

/// A pending migration whose effect is there already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HalfApplied {
    pub version: String,
    pub name: String,
    /// It runs outside a transaction: the mark of a run that was killed between its statement and its bookkeeping.
    pub autocommit: bool,
    /// Each object and how it is, e.g. `the column identities.external_id is there`.
    pub found: Vec<String>,
}

/// A column that a pending migration will forbid nulls in, and that no pending one fills before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotNull {
    pub version: String,
    pub table: String,
    pub column: String,
}

impl Foreseen {
    /// Looks ahead; `pending` in the order in which the program applies them.
    pub fn new(pending: &[&ListedMigration], objects: &Objects) -> Self {
        let mut walk = Walk { objects, changed: EarlierChanges::default() };
        let mut foreseen = Self::default();
        for migration in pending {
            if let Some(backfill) = BACKFILLS.iter().find(|backfill| backfill.version == migration.version) {
                walk.changed.columns.insert((backfill.table.to_owned(), backfill.column.to_owned()));
            }
            let autocommit = is_autocommit(&migration.version, &migration.content);
            let mut found = Vec::new();
            for effect in effects(&migration.content) {
                if let Effect::SetNotNull { table, column } = &effect {
                    let key = (table.clone(), column.clone());
                    if walk.is_untouched(table) && !walk.changed.rows && walk.is_as_before(&key) {
                        let version = migration.version.clone();
                        let (table, column) = key;
                        foreseen.not_null.push(NotNull { version, table, column });
                    }
                }
                found.extend(walk.step(effect, autocommit));
            }
            if !found.is_empty() {
                let (version, name) = (migration.version.clone(), migration.name.clone());
                foreseen.half_applied.push(HalfApplied { version, name, autocommit, found });
            }
        }
        foreseen
    }
}

struct Walk<'o> {
    objects: &'o Objects,
    changed: EarlierChanges,
}

/// What the migrations before this one change.
#[derive(Default)]
struct EarlierChanges {
    /// Something that was not understood.
    anything: bool,
    /// Rows, by a statement whose table is not looked for.
    rows: bool,
    tables: BTreeSet<String>,
    columns: BTreeSet<(String, String)>,
    constraints: BTreeSet<(String, String)>,
    indexes: BTreeSet<String>,
    /// Tables that lost a column, and with it any index and constraint on it.
    narrowed: BTreeSet<String>,
}

impl Walk<'_> {
    fn is_untouched(&self, table: &str) -> bool {
        !self.changed.anything && !self.changed.tables.contains(table)
    }

    fn is_whole(&self, table: &str) -> bool {
        self.is_untouched(table) && !self.changed.narrowed.contains(table)
    }

    fn is_as_before(&self, column: &(String, String)) -> bool {
        !self.changed.columns.contains(column) && self.objects.columns.contains(column)
    }

    /// Takes one effect in; tells what is in its way. A removal that has nothing to remove counts only where a
    /// kill can leave it, since objects also go with others.
    fn step(&mut self, effect: Effect, autocommit: bool) -> Option<String> {
        let objects = self.objects;
        match effect {
            Effect::AddColumn { table, column, tolerant, .. } => {
                let untouched = self.is_untouched(&table);
                let key = (table, column);
                let is_there = untouched && self.is_as_before(&key);
                let text = format!("the column {}.{} is there", key.0, key.1);
                self.changed.columns.insert(key);
                (is_there && !tolerant).then_some(text)
            }
            Effect::DropColumn { table, column, tolerant } => {
                let whole = self.is_whole(&table) && objects.tables.contains(&table);
                self.changed.narrowed.insert(table.clone());
                let key = (table, column);
                let is_gone =
                    whole && !objects.columns.contains(&key) && !self.changed.columns.contains(&key);
                let text = format!("the column {}.{} is gone", key.0, key.1);
                self.changed.columns.insert(key);
                (is_gone && autocommit && !tolerant).then_some(text)
            }
            Effect::AddConstraint { table, name, .. } => {
                let whole = self.is_whole(&table);
                let key = (table, name);
                let is_there =
                    whole && objects.constraints.contains(&key) && !self.changed.constraints.contains(&key);
                let text = format!("the constraint {} of {} is there", key.1, key.0);
                self.changed.constraints.insert(key);
                is_there.then_some(text)
            }
            Effect::DropConstraint { table, name, tolerant } => {
                let whole = self.is_whole(&table) && objects.tables.contains(&table);
                let key = (table, name);
                let is_gone =
                    whole && !objects.constraints.contains(&key) && !self.changed.constraints.contains(&key);
                let text = format!("the constraint {} of {} is gone", key.1, key.0);
                self.changed.constraints.insert(key);
                (is_gone && autocommit && !tolerant).then_some(text)
            }
            Effect::CreateIndex { name, table, tolerant } => {
                let is_there = self.is_whole(&table)
                    && objects.indexes.contains(&name)
                    && !self.changed.indexes.contains(&name);
                let text = format!("the index {name} is there");
                self.changed.indexes.insert(name);
                (is_there && !tolerant).then_some(text)
            }
            Effect::DropIndex { name, tolerant } => {
                let certain = !self.changed.anything
                    && self.changed.tables.is_empty()
                    && self.changed.narrowed.is_empty();
                let is_gone =
                    certain && !objects.indexes.contains(&name) && !self.changed.indexes.contains(&name);
                let text = format!("the index {name} is gone");
                self.changed.indexes.insert(name);
                (is_gone && autocommit && !tolerant).then_some(text)
            }
            Effect::CreateTable { table, tolerant } => {
                let is_there = self.is_untouched(&table) && objects.tables.contains(&table);
                let text = format!("the table {table} is there");
                self.changed.tables.insert(table);
                (is_there && !tolerant).then_some(text)
            }
            Effect::SetNotNull { .. } => None,
            Effect::Neutral => {
                self.changed.rows = true;
                None
            }
            Effect::Other => {
                self.changed.anything = true;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMN: &str = "20250708190000000000";

    fn migration(version: &str, content: &str) -> ListedMigration {
        ListedMigration { version: version.into(), name: "step".into(), content: content.into() }
    }

    fn objects() -> Objects {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        Objects {
            tables: ["t".to_owned(), "session_devices".to_owned()].into(),
            columns: [pair("t", "a"), pair("session_devices", "identity_id")].into(),
            constraints: [pair("t", "t_fk")].into(),
            indexes: ["t_idx".to_owned()].into(),
        }
    }

    fn found(steps: &[(&str, &str)]) -> Vec<String> {
        let listed: Vec<_> = steps.iter().map(|(version, sql)| migration(version, sql)).collect();
        let foreseen = Foreseen::new(&listed.iter().collect::<Vec<_>>(), &objects());
        foreseen.half_applied.into_iter().flat_map(|half| half.found).collect()
    }

    #[test]
    fn what_is_there_already_is_in_the_way() {
        for (sql, text) in [
            ("ALTER TABLE t ADD a INT", "the column t.a is there"),
            (
                "ALTER TABLE t ADD b INT, ADD CONSTRAINT t_fk CHECK (b > 0)",
                "the constraint t_fk of t is there",
            ),
            ("CREATE INDEX t_idx ON t (a)", "the index t_idx is there"),
            ("CREATE TABLE t (a INT)", "the table t is there"),
            ("ALTER TABLE t DROP COLUMN b", "the column t.b is gone"),
            ("ALTER TABLE t DROP CONSTRAINT k", "the constraint k of t is gone"),
            ("DROP INDEX i", "the index i is gone"),
        ] {
            assert_eq!(found(&[(COLUMN, sql)]), [text], "{sql}");
        }
        assert!(found(&[("1", "DROP INDEX i")]).is_empty(), "it may have gone with something else");
    }

    #[test]
    fn what_migrations_themselves_change_is_not_in_their_way() {
        for (before, after) in [
            ("ALTER TABLE t DROP a", "ALTER TABLE t ADD a INT; CREATE INDEX t_idx ON t (a)"),
            ("ALTER TABLE t RENAME a TO b", "ALTER TABLE t ADD a INT"),
            ("DROP TABLE t", "CREATE TABLE t (a INT)"),
            ("ALTER INDEX t_idx RENAME TO x", "CREATE INDEX t_idx ON t (a)"),
            ("", "CREATE INDEX IF NOT EXISTS t_idx ON t (a); ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT"),
            ("ALTER TABLE t DROP CONSTRAINT t_fk", "ALTER TABLE t ADD CONSTRAINT t_fk CHECK (a > 0)"),
            ("CREATE TABLE u (a INT)", "ALTER TABLE u DROP COLUMN b"),
        ] {
            assert_eq!(found(&[("1", before), (COLUMN, after)]), [""; 0], "{before}; {after}");
        }
    }

    #[test]
    fn a_column_that_is_filled_before_may_hold_nulls_now() {
        let not_null = migration("3", "ALTER TABLE session_devices ALTER identity_id SET NOT NULL");
        let of = |steps: &[&ListedMigration]| Foreseen::new(steps, &objects()).not_null.len();
        assert_eq!(of(&[&not_null]), 1);
        for (version, sql) in [
            ("20251105000000000002", ""),
            ("1", "UPDATE session_devices SET identity_id = id"),
            ("1", "ALTER TABLE session_devices ADD identity_id UUID"),
        ] {
            assert_eq!(of(&[&migration(version, sql), &not_null]), 0, "{sql}");
        }
    }
}

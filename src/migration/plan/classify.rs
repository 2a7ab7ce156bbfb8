//! What a migration does to tables, told from its SQL.
//!
//! Given the tables of the production database, [`Shadow::apply`] reads one migration after another and says which
//! locks each takes on which table and how much work it is. Where PostgreSQL could go either way (a column type that
//! may or may not need a rewrite), the worse is told: the answer bounds a wait.

use super::alter;
use super::cursor::{Cursor, names_after};
use super::lock::LockMode;
use super::shadow::{Shadow, StatementEffects};
use super::work::Work;
use crate::migration::sql::{Token, statements};
use crate::postgres::tables::ForeignKey;

impl Shadow {
    /// Reads the next migration.
    pub fn apply(&mut self, sql: &str) -> StatementEffects {
        for statement in statements(sql) {
            self.statement(&statement);
        }
        std::mem::take(&mut self.seen)
    }

    fn statement(&mut self, statement: &[Token]) {
        let mut at = Cursor::new(statement);
        if at.eat("alter table") {
            alter::table(self, at);
        } else if at.eat("alter index") {
            at.eat("if exists");
            if let (Some(old), true, Some(new)) = (at.name(), at.eat("rename to"), at.name()) {
                self.rename_index(&old, &new);
            }
        } else if at.eat("create") {
            self.create(at, statement);
        } else if at.eat("drop") {
            self.drop(at);
        } else if at.eat("truncate") {
            at.eat("table");
            at.eat("only");
            for table in at.names() {
                self.lock(&table, LockMode::AccessExclusive);
            }
        } else if at.eat("comment on") {
            if at.eat("table")
                && let Some(table) = at.name()
            {
                self.lock(&table, LockMode::ShareUpdateExclusive);
            }
        } else if ["update", "delete", "insert", "with", "select"].iter().any(|word| at.eat(word)) {
            self.rows(statement);
        } else if !["begin", "commit", "start", "set", "grant", "revoke", "analyze", "reset"]
            .iter()
            .any(|word| at.eat(word))
        {
            self.seen.is_unclear = true;
        }
    }

    fn create(&mut self, mut at: Cursor<'_>, statement: &[Token]) {
        let is_unique = at.eat("unique");
        if at.eat("index") {
            return self.create_index(at);
        }
        while ["global", "local", "unlogged"].iter().any(|word| at.eat(word)) {}
        if at.eat("temporary") || at.eat("temp") {
            return self.rows(statement);
        }
        if at.eat("table") {
            at.eat("if not exists");
            let Some(name) = at.name() else { return };
            if self.tables.contains_key(&name) {
                return;
            }
            for referenced in names_after(statement, "references") {
                self.lock(&referenced, LockMode::ShareRowExclusive);
                self.add_foreign_key(ForeignKey {
                    name: String::new(),
                    table: name.clone(),
                    columns: Vec::new(),
                    referenced,
                });
            }
            self.rows(statement);
            self.tables.insert(name, None);
        } else if at.eat("trigger") || at.eat("constraint trigger") || at.eat("or replace trigger") {
            for table in names_after(statement, "on") {
                self.lock(&table, LockMode::ShareRowExclusive);
            }
        } else if is_unique || !["extension", "type", "sequence", "schema"].iter().any(|word| at.eat(word)) {
            self.seen.is_unclear = true;
        }
    }

    fn create_index(&mut self, mut at: Cursor<'_>) {
        let is_concurrent = at.eat("concurrently");
        let may_exist = at.eat("if not exists");
        let name = if at.rest().first().is_some_and(|token| token.is("on")) { None } else { at.name() };
        at.eat("on");
        at.eat("only");
        let Some(table) = at.name() else { return };
        let lock = if is_concurrent { LockMode::ShareUpdateExclusive } else { LockMode::Share };
        let exists = name.as_ref().is_some_and(|name| self.indexes.contains_key(name));
        if may_exist && exists {
            return self.lock(&table, lock);
        }
        self.work(&table, lock, Work::Index);
        if is_concurrent {
            // It reads the table once more for what was written meanwhile.
            self.work(&table, lock, Work::Scan);
        }
        if let Some(name) = name {
            self.indexes.insert(name, table);
        }
    }

    fn drop(&mut self, mut at: Cursor<'_>) {
        if at.eat("index") {
            let is_concurrent = at.eat("concurrently");
            at.eat("if exists");
            for index in at.names() {
                if let Some(table) = self.indexes.remove(&index) {
                    let lock = if is_concurrent {
                        LockMode::ShareUpdateExclusive
                    } else {
                        LockMode::AccessExclusive
                    };
                    self.lock(&table, lock);
                }
            }
        } else if at.eat("table") {
            at.eat("if exists");
            for table in at.names() {
                self.drop_foreign_keys(&table, |_| true);
                self.lock(&table, LockMode::AccessExclusive);
                for key in self.foreign_keys.clone().iter().filter(|key| key.referenced == table) {
                    self.lock(&key.table, LockMode::AccessExclusive);
                }
                self.foreign_keys.retain(|key| key.referenced != table);
                self.indexes.retain(|_, of| *of != table);
                self.tables.remove(&table);
            }
        } else if at.eat("trigger") {
            for table in names_after(at.rest(), "on") {
                self.lock(&table, LockMode::AccessExclusive);
            }
        } else if !["extension", "type", "sequence", "schema"].iter().any(|word| at.eat(word)) {
            self.seen.is_unclear = true;
        }
    }

    /// A statement that reads or writes rows, perhaps several tables of them.
    fn rows(&mut self, statement: &[Token]) {
        let selects = statement.iter().any(|token| token.is("select"));
        for table in names_after(statement, "insert into") {
            if selects {
                self.work(&table, LockMode::RowExclusive, Work::Update);
            } else {
                self.lock(&table, LockMode::RowExclusive);
            }
        }
        for table in names_after(statement, "delete from") {
            self.work(&table, LockMode::RowExclusive, Work::Update);
        }
        for table in names_after(statement, "update") {
            // Not the UPDATE of ON UPDATE, FOR UPDATE or DO UPDATE SET: no table is called like what follows there.
            self.work(&table, LockMode::RowExclusive, Work::Update);
        }
        for word in ["from", "join"] {
            for table in names_after(statement, word) {
                self.lock(&table, LockMode::AccessShare);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::postgres::tables::Table;
    use LockMode::{
        AccessExclusive, AccessShare, RowExclusive, Share, ShareRowExclusive, ShareUpdateExclusive,
    };

    fn shadow() -> Shadow {
        let table = |indexes: &[&str]| Table {
            indexes: indexes.iter().map(|name| (*name).to_owned()).collect(),
            ..Table::default()
        };
        let tables = BTreeMap::from([
            ("identities".to_owned(), table(&["identities_pkey", "identities_nid_idx"])),
            ("sessions".to_owned(), table(&["sessions_token_idx"])),
        ]);
        let key = ForeignKey {
            name: "sessions_fk".to_owned(),
            table: "sessions".to_owned(),
            columns: vec!["identity_id".to_owned()],
            referenced: "identities".to_owned(),
        };
        Shadow::new(&tables, &[key])
    }

    /// The strongest lock on each table, with the work.
    fn told(sql: &str) -> Vec<(String, LockMode, Vec<Work>)> {
        let mut told: BTreeMap<String, (LockMode, Vec<Work>)> = BTreeMap::new();
        let effects = shadow().apply(sql);
        assert!(!effects.is_unclear, "{sql}");
        for effect in effects.effects {
            let (lock, work) = told.entry(effect.table).or_insert((effect.lock, Vec::new()));
            *lock = (*lock).max(effect.lock);
            work.extend(effect.work);
        }
        told.into_iter().map(|(table, (lock, work))| (table, lock, work)).collect()
    }

    /// The SQL, and for each table the lock and the work.
    type Case = (&'static str, &'static [(&'static str, LockMode, &'static [Work])]);

    #[test]
    fn each_kind_of_statement_is_known() {
        let cases: &[Case] = &[
            ("CREATE UNIQUE INDEX a ON sessions (x)", &[("sessions", Share, &[Work::Index])]),
            (
                "CREATE INDEX IF NOT EXISTS identities_nid_idx ON public.identities (x)",
                &[("identities", Share, &[])],
            ),
            (
                "CREATE INDEX CONCURRENTLY a ON sessions (x)",
                &[("sessions", ShareUpdateExclusive, &[Work::Index, Work::Scan])],
            ),
            ("DROP INDEX IF EXISTS identities_nid_idx, absent", &[("identities", AccessExclusive, &[])]),
            ("DROP INDEX CONCURRENTLY identities_nid_idx", &[("identities", ShareUpdateExclusive, &[])]),
            (
                "CREATE INDEX a ON sessions (x); DROP INDEX a",
                &[("sessions", AccessExclusive, &[Work::Index])],
            ),
            ("CREATE TABLE t (i UUID REFERENCES identities (id))", &[("identities", ShareRowExclusive, &[])]),
            ("CREATE TABLE t (i UUID); ALTER TABLE t ADD COLUMN b INT; CREATE INDEX i ON t (b)", &[]),
            (
                "DROP TABLE sessions",
                &[("identities", AccessExclusive, &[]), ("sessions", AccessExclusive, &[])],
            ),
            (
                "ALTER TABLE sessions RENAME TO s; DROP INDEX sessions_token_idx",
                &[("sessions", AccessExclusive, &[])],
            ),
            (
                "UPDATE sessions s SET a = 1 FROM identities i WHERE s.i = i.id",
                &[("identities", AccessShare, &[]), ("sessions", RowExclusive, &[Work::Update])],
            ),
            (
                "INSERT INTO sessions VALUES (1) ON CONFLICT DO UPDATE SET a = 1",
                &[("sessions", RowExclusive, &[])],
            ),
            (
                "WITH b AS (SELECT id FROM identities) INSERT INTO sessions SELECT * FROM b",
                &[("identities", AccessShare, &[]), ("sessions", RowExclusive, &[Work::Update])],
            ),
            (
                "DELETE FROM sessions WHERE x = 'update identities'",
                &[("sessions", RowExclusive, &[Work::Update])],
            ),
            ("CREATE EXTENSION IF NOT EXISTS pg_trgm; SET x = 1; SELECT 1", &[]),
        ];
        for (sql, expected) in cases {
            let expected: Vec<_> = expected
                .iter()
                .map(|(table, lock, work)| ((*table).to_owned(), *lock, work.to_vec()))
                .collect();
            // Reading from a table that is written too is no news.
            assert_eq!(told(sql), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_not_known_is_said() {
        assert!(shadow().apply("DO $$ BEGIN DROP TABLE sessions; END $$").is_unclear);
        assert!(shadow().apply("CREATE FUNCTION f() RETURNS INT LANGUAGE sql AS 'SELECT 1'").is_unclear);
    }

    #[test]
    fn a_table_is_known_by_its_name_in_production() {
        let mut shadow = shadow();
        shadow.apply("ALTER TABLE sessions RENAME TO visits");
        assert_eq!(shadow.named_in("Backfill column a in visits"), [Some("sessions".to_owned())]);
        assert!(shadow.named_in("sessions_by_identity").is_empty());
        assert_eq!(shadow.apply("ALTER TABLE visits ADD COLUMN b INT").effects[0].table, "sessions");
    }
}

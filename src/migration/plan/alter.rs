//! `ALTER TABLE`: which of its many forms locks what, and which read or rewrite the table.

use super::cursor::{Cursor, names_after};
use super::lock::LockMode;
use super::shadow::Shadow;
use super::work::Work;
use crate::migration::sql::{Token, at_commas};
use crate::postgres::tables::ForeignKey;

/// Functions whose result differs from row to row: as the default of a new column they need a rewrite.
const VOLATILE: [&str; 8] = [
    "gen_random_uuid",
    "uuid_generate_v1",
    "uuid_generate_v4",
    "random",
    "clock_timestamp",
    "nextval",
    "timeofday",
    "gen_random_bytes",
];
/// Column types that bring such a default along.
const SERIAL: [&str; 6] = ["serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"];

/// Reads the statement after `ALTER TABLE`.
pub fn table(shadow: &mut Shadow, mut at: Cursor<'_>) {
    at.eat("if exists");
    at.eat("only");
    let Some(name) = at.name() else { return };
    if at.eat("rename to") {
        shadow.lock(&name, LockMode::AccessExclusive);
        if let Some(new) = at.name() {
            shadow.rename_table(&name, &new);
        }
        return;
    }
    for action in at_commas(at.rest()) {
        alter(shadow, &name, action);
    }
}

fn alter(shadow: &mut Shadow, table: &str, action: &[Token]) {
    let mut at = Cursor::new(action);
    if at.eat("add") {
        add(shadow, table, at);
    } else if at.eat("drop constraint") {
        at.eat("if exists");
        shadow.lock(table, LockMode::AccessExclusive);
        let name = at.name();
        shadow.drop_foreign_keys(table, |key| Some(&key.name) == name.as_ref());
    } else if at.eat("drop") {
        at.eat("column");
        at.eat("if exists");
        shadow.lock(table, LockMode::AccessExclusive);
        if let Some(column) = at.name() {
            shadow.drop_foreign_keys(table, |key| key.columns.contains(&column));
        }
    } else if at.eat("validate constraint") {
        shadow.work(table, LockMode::ShareUpdateExclusive, Work::Scan);
    } else if at.eat("alter") {
        at.eat("column");
        let _ = at.name();
        alter_column(shadow, table, at);
    } else if ["enable trigger", "disable trigger"].iter().any(|words| at.eat(words)) {
        shadow.lock(table, LockMode::ShareRowExclusive);
    } else if ["set tablespace", "set logged", "set unlogged", "set access"].iter().any(|words| at.eat(words))
    {
        shadow.work(table, LockMode::AccessExclusive, Work::Rewrite);
    } else {
        shadow.lock(table, LockMode::AccessExclusive);
    }
}

fn alter_column(shadow: &mut Shadow, table: &str, mut at: Cursor<'_>) {
    if at.eat("type") || at.eat("set data type") {
        shadow.work(table, LockMode::AccessExclusive, Work::Rewrite);
    } else if at.eat("set not null") {
        shadow.work(table, LockMode::AccessExclusive, Work::Scan);
    } else if at.eat("set statistics") {
        shadow.lock(table, LockMode::ShareUpdateExclusive);
    } else {
        shadow.lock(table, LockMode::AccessExclusive);
    }
}

fn add(shadow: &mut Shadow, table: &str, mut at: Cursor<'_>) {
    let name = if at.eat("constraint") { at.name() } else { None };
    let begins = |words: &str| Cursor::new(at.rest()).eat(words);
    let has = |word: &str| at.rest().iter().any(|token| token.is(word));
    let is_valid = !at.rest().windows(2).any(|pair| pair[0].is("not") && pair[1].is("valid"));
    if begins("foreign key") {
        shadow.lock(table, LockMode::ShareRowExclusive);
        if is_valid {
            shadow.work(table, LockMode::ShareRowExclusive, Work::Scan);
        }
        let columns = parenthesized(at.rest());
        reference(shadow, table, name, columns, at.rest());
    } else if begins("check") {
        shadow.lock(table, LockMode::AccessExclusive);
        if is_valid {
            shadow.work(table, LockMode::AccessExclusive, Work::Scan);
        }
    } else if begins("unique") || begins("primary key") || begins("exclude") {
        shadow.lock(table, LockMode::AccessExclusive);
        if !at.rest().windows(2).any(|pair| pair[0].is("using") && pair[1].is("index")) {
            shadow.work(table, LockMode::AccessExclusive, Work::Index);
        }
    } else {
        let rewrites = has("generated")
            || SERIAL.iter().any(|word| has(word))
            || has("default") && VOLATILE.iter().any(|word| has(word));
        // A new column is null everywhere: only a default makes its foreign key worth a check.
        let scans = has("check") || has("default") && has("references");
        shadow.lock(table, LockMode::AccessExclusive);
        for (does, work) in
            [(rewrites, Work::Rewrite), (scans, Work::Scan), (has("unique") || has("primary"), Work::Index)]
        {
            if does {
                shadow.work(table, LockMode::AccessExclusive, work);
            }
        }
        let rest = at.rest();
        at.eat("column");
        at.eat("if not exists");
        reference(shadow, table, name, at.name().into_iter().collect(), rest);
    }
}

/// Notes the tables that an action refers to.
fn reference(shadow: &mut Shadow, table: &str, name: Option<String>, columns: Vec<String>, action: &[Token]) {
    for referenced in names_after(action, "references") {
        shadow.lock(&referenced, LockMode::ShareRowExclusive);
        shadow.add_foreign_key(ForeignKey {
            name: name.clone().unwrap_or_default(),
            table: table.to_owned(),
            columns: columns.clone(),
            referenced,
        });
    }
}

/// The names in the first parentheses.
fn parenthesized(tokens: &[Token]) -> Vec<String> {
    let open = tokens.iter().position(|token| *token == Token::Symbol('('));
    open.map(|open| Cursor::new(&tokens[open + 1..]).names()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::postgres::tables::Table;
    use LockMode::{AccessExclusive, ShareRowExclusive, ShareUpdateExclusive};

    /// The actions, the locks on the table referred to and on the table itself, and the work.
    type Case = (&'static str, Option<LockMode>, LockMode, &'static [Work]);

    #[test]
    fn each_form_of_alter_table_is_known() {
        let cases: &[Case] = &[
            ("ADD COLUMN a INT", None, AccessExclusive, &[]),
            ("ADD a UUID NOT NULL DEFAULT gen_random_uuid()", None, AccessExclusive, &[Work::Rewrite]),
            (
                "ADD COLUMN a TIMESTAMP NOT NULL DEFAULT now(), ADD b BIGSERIAL",
                None,
                AccessExclusive,
                &[Work::Rewrite],
            ),
            ("ADD COLUMN a TEXT CHECK (a <> '')", None, AccessExclusive, &[Work::Scan]),
            ("ADD COLUMN a UUID REFERENCES parent (id)", Some(ShareRowExclusive), AccessExclusive, &[]),
            ("ADD COLUMN a UUID UNIQUE", None, AccessExclusive, &[Work::Index]),
            (
                "ADD CONSTRAINT k FOREIGN KEY (a, b) REFERENCES public.parent (id)",
                Some(ShareRowExclusive),
                ShareRowExclusive,
                &[Work::Scan],
            ),
            (
                "ADD FOREIGN KEY (a) REFERENCES parent NOT VALID",
                Some(ShareRowExclusive),
                ShareRowExclusive,
                &[],
            ),
            (
                "ALTER COLUMN a SET NOT NULL, ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES parent (id)",
                Some(ShareRowExclusive),
                AccessExclusive,
                &[Work::Scan, Work::Scan],
            ),
            ("ADD CONSTRAINT c CHECK (a > 0) NOT VALID", None, AccessExclusive, &[]),
            ("VALIDATE CONSTRAINT c", None, ShareUpdateExclusive, &[Work::Scan]),
            ("ADD PRIMARY KEY (a)", None, AccessExclusive, &[Work::Index]),
            ("ADD CONSTRAINT u UNIQUE USING INDEX i", None, AccessExclusive, &[]),
            ("ALTER a TYPE VARCHAR(36)", None, AccessExclusive, &[Work::Rewrite]),
            ("ALTER COLUMN a SET DATA TYPE NUMERIC(1, 2)", None, AccessExclusive, &[Work::Rewrite]),
            ("ALTER COLUMN a DROP NOT NULL, ALTER COLUMN a SET DEFAULT 1", None, AccessExclusive, &[]),
            ("ALTER COLUMN a SET STATISTICS 9", None, ShareUpdateExclusive, &[]),
            ("DROP COLUMN parent_id", Some(AccessExclusive), AccessExclusive, &[]),
            ("DROP CONSTRAINT parent_fk", Some(AccessExclusive), AccessExclusive, &[]),
            ("DROP CONSTRAINT other", None, AccessExclusive, &[]),
            ("RENAME COLUMN a TO b", None, AccessExclusive, &[]),
            ("RENAME TO c", None, AccessExclusive, &[]),
            ("DISABLE TRIGGER ALL", None, ShareRowExclusive, &[]),
            ("SET UNLOGGED", None, AccessExclusive, &[Work::Rewrite]),
        ];
        for (actions, parent, child, expected) in cases {
            let tables = ["child", "parent"].map(|name| (name.to_owned(), Table::default()));
            let key = ForeignKey {
                name: "parent_fk".to_owned(),
                table: "child".to_owned(),
                columns: vec!["parent_id".to_owned()],
                referenced: "parent".to_owned(),
            };
            let mut shadow = Shadow::new(&BTreeMap::from(tables), &[key]);
            let told = shadow.apply(&format!("ALTER TABLE IF EXISTS ONLY child {actions}"));
            let strongest = |table: &str| {
                let of_table = told.effects.iter().filter(|effect| effect.table == table);
                of_table.map(|effect| effect.lock).max()
            };
            assert_eq!((strongest("parent"), strongest("child")), (*parent, Some(*child)), "{actions}");
            let work: Vec<_> = told.effects.iter().filter_map(|effect| effect.work).collect();
            assert_eq!(work, *expected, "{actions}");
        }
    }
}

//! What the SQL of a migration makes and removes.
//!
//! Given the SQL that `kratos migrate sql status --format json` shows, [`effects`] names the objects, statement by
//! statement. What it does not understand is
//! [`Effect::Other`]: behind that nothing is certain.

use crate::migration::sql::{Token, at_commas, statements};

/// One thing that a statement does. `tolerant`: `IF EXISTS` or `IF NOT EXISTS` is said, so it can be done twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    AddColumn {
        table: String,
        column: String,
        /// The table that a foreign key points to.
        references: Option<String>,
        tolerant: bool,
    },
    DropColumn {
        table: String,
        column: String,
        tolerant: bool,
    },
    AddConstraint {
        table: String,
        name: String,
        references: Option<String>,
    },
    DropConstraint {
        table: String,
        name: String,
        tolerant: bool,
    },
    SetNotNull {
        table: String,
        column: String,
    },
    CreateIndex {
        name: String,
        table: String,
        tolerant: bool,
    },
    DropIndex {
        name: String,
        tolerant: bool,
    },
    CreateTable {
        table: String,
        tolerant: bool,
    },
    /// Makes and removes no name; may change rows.
    Neutral,
    /// Not understood, or gives names away (a renaming, a table that goes).
    Other,
}

/// The effects of `sql`, in order.
pub fn effects(sql: &str) -> Vec<Effect> {
    statements(sql).iter().flat_map(|statement| statement_effects(statement)).collect()
}

fn statement_effects(statement: &[Token]) -> Vec<Effect> {
    let mut words = Words { rest: statement };
    let effect = if words.take("alter") && words.take("table") {
        return alter_table(words).unwrap_or_else(|| vec![Effect::Other]);
    } else if words.take("create") {
        create(words)
    } else if words.take("drop") {
        drop_object(words)
    } else {
        let neutral = ["insert", "update", "delete", "with", "select", "comment", "set"];
        neutral.iter().any(|keyword| words.is(keyword)).then_some(Effect::Neutral)
    };
    vec![effect.unwrap_or(Effect::Other)]
}

fn alter_table(mut words: Words<'_>) -> Option<Vec<Effect>> {
    words.take_if_exists();
    words.take("only");
    let table = words.name()?;
    Some(words.by_commas().into_iter().map(|action| alter_action(&table, action)).collect())
}

fn alter_action(table: &str, words: Words<'_>) -> Effect {
    match words.is("rename") || words.is("set") {
        true => Effect::Other,
        false => known_action(table, words).unwrap_or(Effect::Neutral),
    }
}

fn known_action(table: &str, mut words: Words<'_>) -> Option<Effect> {
    let table = table.to_owned();
    if words.take("add") {
        if words.take("constraint") {
            let name = words.name()?;
            let references = words.after("references").and_then(|mut words| words.name());
            return Some(Effect::AddConstraint { table, name, references });
        }
        let said = words.take("column");
        let tolerant = words.take_if_not_exists();
        let unnamed = ["primary", "unique", "check", "foreign", "exclude"];
        if !said && unnamed.iter().any(|keyword| words.is(keyword)) {
            return None;
        }
        let column = words.name()?;
        let references = words.after("references").and_then(|mut words| words.name());
        return Some(Effect::AddColumn { table, column, references, tolerant });
    }
    if words.take("drop") {
        if words.take("constraint") {
            let tolerant = words.take_if_exists();
            return Some(Effect::DropConstraint { table, name: words.name()?, tolerant });
        }
        words.take("column");
        let tolerant = words.take_if_exists();
        return Some(Effect::DropColumn { table, column: words.name()?, tolerant });
    }
    if words.take("alter") {
        words.take("column");
        let column = words.name()?;
        let is_it = words.take("set") && words.take("not") && words.take("null");
        return is_it.then_some(Effect::SetNotNull { table, column });
    }
    None
}

fn create(mut words: Words<'_>) -> Option<Effect> {
    if words.take("table") {
        let tolerant = words.take_if_not_exists();
        return Some(Effect::CreateTable { table: words.name()?, tolerant });
    }
    if words.is("extension") {
        return Some(Effect::Neutral);
    }
    words.take("unique");
    if !words.take("index") {
        return None;
    }
    words.take("concurrently");
    let tolerant = words.take_if_not_exists();
    let name = words.name()?;
    words.take("on").then_some(())?;
    words.take("only");
    Some(Effect::CreateIndex { name, table: words.name()?, tolerant })
}

fn drop_object(mut words: Words<'_>) -> Option<Effect> {
    if words.take("index") {
        words.take("concurrently");
        let tolerant = words.take_if_exists();
        let name = words.name()?;
        return words.rest.is_empty().then_some(Effect::DropIndex { name, tolerant });
    }
    None
}

/// The tokens of a statement that are still to be read.
#[derive(Clone, Copy)]
struct Words<'t> {
    rest: &'t [Token],
}

impl<'t> Words<'t> {
    fn is(&self, keyword: &str) -> bool {
        self.rest.first().is_some_and(|token| token.is(keyword))
    }

    fn take(&mut self, keyword: &str) -> bool {
        let found = self.is(keyword);
        if let (true, Some(rest)) = (found, self.rest.get(1..)) {
            self.rest = rest;
        }
        found
    }

    fn take_if_exists(&mut self) -> bool {
        self.take("if") && self.take("exists")
    }

    fn take_if_not_exists(&mut self) -> bool {
        self.take("if") && self.take("not") && self.take("exists")
    }

    /// A name without a schema: with one it is not found through the search path, and is not understood here.
    fn name(&mut self) -> Option<String> {
        let (first, rest) = self.rest.split_first()?;
        let name = first.name()?;
        if rest.first() == Some(&Token::Symbol('.')) {
            return None;
        }
        self.rest = rest;
        Some(name.to_owned())
    }

    /// What stands behind the first such keyword.
    fn after(&self, keyword: &str) -> Option<Words<'t>> {
        let at = self.rest.iter().position(|token| token.is(keyword))?;
        Some(Words { rest: self.rest.get(at + 1..)? })
    }

    /// The parts between commas that stand in no parentheses.
    fn by_commas(self) -> Vec<Words<'t>> {
        at_commas(self.rest).into_iter().map(|rest| Words { rest }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> String {
        "identities".to_owned()
    }

    #[test]
    fn the_statements_of_the_wedges_are_understood() {
        let column = "ALTER TABLE identities ADD COLUMN external_id VARCHAR(64) NULL \
                      CHECK (external_id IS NULL OR external_id != '');";
        let column_name = "external_id".to_owned();
        let added =
            Effect::AddColumn { table: table(), column: column_name, references: None, tolerant: false };
        assert_eq!(effects(column), [added]);
        let key = "ALTER TABLE codes\n ADD CONSTRAINT \"codes_fk\" FOREIGN KEY (identity_id) REFERENCES identities (id);";
        let name = "codes_fk".to_owned();
        let added = Effect::AddConstraint { table: "codes".to_owned(), name, references: Some(table()) };
        assert_eq!(effects(key), std::slice::from_ref(&added));
        let both = "ALTER TABLE codes ALTER identity_id SET NOT NULL, ADD CONSTRAINT codes_fk FOREIGN KEY \
                    (identity_id, b) REFERENCES identities (id, b)";
        let not_null = Effect::SetNotNull { table: "codes".to_owned(), column: "identity_id".to_owned() };
        assert_eq!(effects(both), [not_null, added]);
    }

    #[test]
    fn what_can_be_done_twice_is_told() {
        let index = |sql: &str| match effects(sql).as_slice() {
            [Effect::CreateIndex { name, table, tolerant }] => (name.clone(), table.clone(), *tolerant),
            other => panic!("{other:?}"),
        };
        assert_eq!(index("CREATE INDEX i ON t (a)"), ("i".into(), "t".into(), false));
        assert_eq!(
            index("create unique index concurrently if not exists I on T (a)"),
            ("i".into(), "t".into(), true)
        );
        let dropped = [Effect::DropIndex { name: "i".into(), tolerant: true }];
        assert_eq!(effects("DROP INDEX IF EXISTS i;"), dropped);
    }

    #[test]
    fn what_is_not_understood_is_told_from_what_is_harmless() {
        for sql in [
            "ALTER INDEX i RENAME TO j",
            "ALTER TABLE public.t ADD COLUMN a INT",
            "CREATE INDEX ON t (a)",
            "DROP INDEX a, b",
            "DROP TABLE IF EXISTS t",
            "ALTER TABLE t RENAME TO u",
            "ALTER TABLE t RENAME a TO b",
            "DO $$ BEGIN ALTER TABLE t ADD COLUMN a INT; END $$",
        ] {
            assert_eq!(effects(sql), [Effect::Other], "{sql}");
        }
        for sql in [
            "UPDATE t SET a = 1",
            "ALTER TABLE t ADD CHECK (a > 0)",
            "ALTER TABLE t ALTER a TYPE VARCHAR(36)",
        ] {
            assert_eq!(effects(sql), [Effect::Neutral], "{sql}");
        }
        assert_eq!(effects(" -- nothing\n"), []);
    }
}

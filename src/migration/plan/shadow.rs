//! The schema as it is after the migrations that were read so far, and what they were seen to do.
//!
//! Given the tables of the production database, a [`Shadow`] follows renamings, new tables and tables that go, and notes
//! every effect under the name that a table has in production.

use std::collections::BTreeMap;

use super::lock::LockMode;
use super::work::Work;
use crate::postgres::tables::{ForeignKey, Table};

/// What a migration does to one table of the production database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEffect {
    /// Its name in production, however it is called meanwhile.
    pub table: String,
    pub lock: LockMode,
    pub work: Option<Work>,
}

/// The effects of a migration, and whether that is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementEffects {
    pub effects: Vec<TableEffect>,
    /// A statement in it is none of those that are known here.
    pub is_unclear: bool,
}

/// The schema as it is after the migrations that were read so far.
#[derive(Clone, Debug, Default)]
pub struct Shadow {
    /// By the present name, the one in production; `None` for a table that a migration made.
    pub(super) tables: BTreeMap<String, Option<String>>,
    /// By index, the present name of its table.
    pub(super) indexes: BTreeMap<String, String>,
    pub(super) foreign_keys: Vec<ForeignKey>,
    pub(super) seen: StatementEffects,
}

impl Shadow {
    /// Begins with what stands in production.
    pub fn new(tables: &BTreeMap<String, Table>, foreign_keys: &[ForeignKey]) -> Self {
        let indexes = tables.iter().flat_map(|(name, table)| {
            table.indexes.iter().map(|index| (index.clone(), name.clone())).collect::<Vec<_>>()
        });
        Self {
            indexes: indexes.collect(),
            tables: tables.keys().map(|name| (name.clone(), Some(name.clone()))).collect(),
            foreign_keys: foreign_keys.to_vec(),
            seen: StatementEffects::default(),
        }
    }

    /// The tables whose present name stands in a text as a word of its own, by the name in production; `None` for a
    /// new one.
    pub fn named_in(&self, text: &str) -> Vec<Option<String>> {
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let words: Vec<_> = text.split(|character| !is_part(character)).collect();
        let is_named = |name: &str| words.contains(&name);
        self.tables.iter().filter(|(name, _)| is_named(name)).map(|(_, old)| old.clone()).collect()
    }

    /// Notes a lock on a table, by its present name; new tables and unknown names concern nobody.
    pub(super) fn lock(&mut self, table: &str, lock: LockMode) {
        self.note(table, lock, None);
    }

    pub(super) fn work(&mut self, table: &str, lock: LockMode, work: Work) {
        self.note(table, lock, Some(work));
    }

    fn note(&mut self, table: &str, lock: LockMode, work: Option<Work>) {
        if let Some(Some(table)) = self.tables.get(table) {
            self.seen.effects.push(TableEffect { table: table.clone(), lock, work });
        }
    }

    pub(super) fn rename_table(&mut self, old: &str, new: &str) {
        let Some(origin) = self.tables.remove(old) else { return };
        self.tables.insert(new.to_owned(), origin);
        let rename = |name: &mut String| {
            if name == old {
                new.clone_into(name);
            }
        };
        self.indexes.values_mut().for_each(rename);
        for key in &mut self.foreign_keys {
            rename(&mut key.table);
            rename(&mut key.referenced);
        }
    }

    pub(super) fn rename_index(&mut self, old: &str, new: &str) {
        if let Some(table) = self.indexes.remove(old) {
            self.indexes.insert(new.to_owned(), table);
        }
    }

    pub(super) fn add_foreign_key(&mut self, key: ForeignKey) {
        self.foreign_keys.push(key);
    }

    /// Removes foreign keys of `table`; their triggers go from the referenced tables, which locks those too.
    pub(super) fn drop_foreign_keys(&mut self, table: &str, chosen: impl Fn(&ForeignKey) -> bool) {
        let is_gone = |key: &ForeignKey| key.table == table && chosen(key);
        let (gone, kept) = std::mem::take(&mut self.foreign_keys).into_iter().partition(is_gone);
        self.foreign_keys = kept;
        let gone: Vec<ForeignKey> = gone;
        for key in gone {
            self.lock(&key.referenced, LockMode::AccessExclusive);
        }
    }
}

//! Relations: which there are, who is on them, and their databags.

use std::collections::BTreeMap;

use super::super::error::{Error, Result};
use super::super::types::{Databag, RelationId, UnitName};
use super::{Agent, too_large};
use crate::yaml;

/// The longest key that the parser of Juju's files accepts, in characters as written, quotes included.
const KEY_LIMIT: usize = 1024;

/// Whose databag is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity<'a> {
    /// The databag that an application's leader writes.
    App(&'a str),
    Unit(&'a UnitName),
}

/// Which of our own databags is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bag {
    /// The application's: only the leader may write it.
    App,
    Unit,
}

impl Agent {
    /// The relations on an endpoint, in the order of their numbers.
    pub async fn relation_ids(&self, endpoint: &str) -> Result<Vec<RelationId>> {
        let ids: Vec<String> = self.ask("relation-ids", &[endpoint]).await?;
        let mut ids: Vec<RelationId> = parsed("relation-ids", &ids)?;
        ids.sort();
        Ok(ids)
    }

    /// The units on the other side (in a peer relation: the other units), in order.
    pub async fn relation_units(&self, id: &RelationId) -> Result<Vec<UnitName>> {
        let units: Vec<String> = self.ask("relation-list", &["-r", &id.to_string()]).await?;
        let mut units: Vec<UnitName> = parsed("relation-list", &units)?;
        units.sort();
        Ok(units)
    }

    /// The application on the other side, if Juju still knows it.
    pub async fn relation_app(&self, id: &RelationId) -> Result<Option<String>> {
        let app: String = self.ask("relation-list", &["-r", &id.to_string(), "--app"]).await?;
        Ok((!app.is_empty()).then_some(app))
    }

    /// A databag of a relation, ours or theirs; empty if nothing was written.
    pub async fn relation_get(&self, id: &RelationId, entity: Entity<'_>) -> Result<Databag> {
        let id = id.to_string();
        match entity {
            Entity::App(name) => self.ask("relation-get", &["-r", &id, "--app", "-", name]).await,
            Entity::Unit(unit) => self.ask("relation-get", &["-r", &id, "-", &unit.to_string()]).await,
        }
    }

    /// Changes keys of our own databag; `None` (or an empty text) deletes a key. Other keys stay as they are.
    ///
    /// The data goes through standard input, where there is no limit of size.
    pub async fn relation_set(
        &self,
        id: &RelationId,
        bag: Bag,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<()> {
        const COMMAND: &str = "relation-set";
        if changes.is_empty() {
            return Ok(());
        }
        for key in changes.keys() {
            check_key(COMMAND, key)?;
        }
        let file =
            yaml::text_map(changes.iter().map(|(key, value)| (key.as_str(), value.as_deref().unwrap_or(""))));
        let id = id.to_string();
        let mut args = vec!["-r", &id];
        if bag == Bag::App {
            args.push("--app");
        }
        args.extend(["--file", "-"]);
        self.run(COMMAND, &args, Some(file.as_bytes())).await.map(drop)
    }
}

/// Refuses a key that Juju's parser of files cannot read.
fn check_key(command: &'static str, key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::BadArguments { command, text: "a key is empty".to_owned() });
    }
    let length = yaml::quoted(key).chars().count();
    if length > KEY_LIMIT {
        let start = &key[..key.floor_char_boundary(40)];
        return Err(too_large(command, format!("the key that begins with {start:?}"), length, KEY_LIMIT));
    }
    Ok(())
}

fn parsed<T: std::str::FromStr<Err = Error>>(command: &'static str, names: &[String]) -> Result<Vec<T>> {
    let parse = |name: &String| {
        name.parse().map_err(|error: Error| Error::Unexpected { command, what: error.to_string() })
    };
    names.iter().map(parse).collect()
}

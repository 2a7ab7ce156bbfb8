//! Identity schemas that identities still use are not dropped by a change of the configuration.
//!
//! Given the schemas with which Kratos was configured last (this unit's kratos.yaml, else what the leader published for
//! units whose container is new) and those of the new configuration, the schemas that would go or change are found; the
//! database is asked for their users only then. A schema in use stays as it was, and the status names the command; a new
//! content under an old id takes effect, and the log says how many identities it concerns.

use std::collections::BTreeMap;

use super::facts::KratosSettings;
use crate::charm::observed::Observed;
use crate::integrations::first_three;
use crate::juju::{Status, StatusKind, quoted};
use crate::kratos::names::CONFIG_PATH;
use crate::kratos::render::rendered::schemas;
use crate::kratos::schema::traits::document;

/// How many identities use the schemas in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaUsers {
    /// No schema is in question.
    NotAsked,
    /// By id; what is not in it is not used.
    Known(BTreeMap<String, u64>),
    /// The database did not answer: the reason.
    Unknown(String),
}

/// URLs of schemas by their ids.
pub type Urls = BTreeMap<String, String>;

/// The identity schemas that a new configuration touches.
#[derive(Debug)]
pub struct SchemaChanges {
    /// The schemas that are not configured any more.
    gone: Urls,
    /// The ids of the schemas that get another content.
    changed: Vec<String>,
    /// The schema to which users of a schema that is gone are moved: the default one.
    default: Option<String>,
    pub users: SchemaUsers,
}

/// The schemas with which Kratos was configured last.
pub fn last_told(observed: &Observed) -> Urls {
    let mut urls = observed.peers.as_ref().map(|peers| peers.identity_schemas()).unwrap_or_default();
    let file = observed.container().and_then(|container| container.file(CONFIG_PATH));
    urls.extend(file.map(schemas).unwrap_or_default());
    urls
}

impl SchemaChanges {
    /// Compares what Kratos has with what it should have.
    pub fn new(observed: &Observed, kratos: Option<&KratosSettings>) -> Self {
        let users = SchemaUsers::NotAsked;
        let Some(kratos) = kratos else {
            return Self { gone: Urls::new(), changed: Vec::new(), default: None, users };
        };
        let wanted = &kratos.schemas;
        let (still, gone): (Urls, Urls) =
            last_told(observed).into_iter().partition(|(id, _)| wanted.contains_key(id));
        let is_other = |(id, url): &(&String, &String)| {
            let now = &wanted[*id];
            *url != now && (document(url).is_none() || document(url) != document(now))
        };
        let changed = still.iter().filter(is_other).map(|(id, _)| id.clone()).collect();
        Self { gone, changed, default: kratos.default_schema.clone(), users }
    }

    /// The ids of all of them.
    pub fn ids(&self) -> Vec<&str> {
        self.gone.keys().chain(&self.changed).map(String::as_str).collect()
    }

    /// The schemas that stay although they are not configured any more. A schema of which it is not known whether
    /// identities use it stays too.
    pub fn kept(&self) -> Urls {
        let mut kept = self.gone.clone();
        if let SchemaUsers::Known(users) = &self.users {
            kept.retain(|id, _| users.contains_key(id));
        }
        kept
    }

    /// A line for the log about each schema in use that gets another content.
    pub fn notes(&self, observed: &Observed) -> Vec<String> {
        let unit = &observed.context.unit;
        let note = |id: &String| {
            let users = match &self.users {
                // A schema without users may change without a word.
                SchemaUsers::Known(users) => users.get(id)?.to_string(),
                _ => "an unknown number of".to_owned(),
            };
            let word = quoted(id);
            Some(format!(
                "identity schema {id} changes, and {users} identities use it; whether they fit is told by: \
                 juju run {unit} check-identity-schema id={word} from={word}"
            ))
        };
        self.changed.iter().filter_map(note).collect()
    }

    /// The warning about schemas that stay.
    pub fn warning(&self, application: &str) -> Option<Status> {
        let kept = self.kept();
        let first = kept.keys().next()?;
        let (from, to) = (quoted(first), quoted(self.default.as_deref().unwrap_or_default()));
        let command = format!("juju run {application}/leader migrate-identity-schema from={from} to={to}");
        let message = match &self.users {
            SchemaUsers::Known(users) => {
                let count = |id: &String| format!("{id} ({})", users.get(id).copied().unwrap_or_default());
                let list: Vec<String> = kept.keys().map(count).collect();
                format!(
                    "Identity schemas that are not configured any more stay, because identities use them: {}; \
                     to move those, run: {command}",
                    first_three(&list, ", ")
                )
            }
            SchemaUsers::Unknown(reason) => format!(
                "Identity schema {first} stays, because the database does not tell whether identities use it \
                 ({reason}): juju status {application}"
            ),
            SchemaUsers::NotAsked => return None,
        };
        Some(Status::new(StatusKind::Active, message))
    }
}

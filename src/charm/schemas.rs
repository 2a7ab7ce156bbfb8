//! Identity schemas that identities still use are not dropped by a change of the configuration.
//!
//! Given the schemas that Kratos was told last (this unit's kratos.yaml, else what the leader published for units whose
//! container is new) and those that it should be told now, the ones that would go or change are looked up in the
//! database, which is asked only then. A schema in use stays as it was, and the status says what to do; a new content
//! under an old id takes effect, and the log says how many identities it concerns.

use std::collections::BTreeMap;
use std::time::Duration;

use super::facts::known_facts;
use super::observed::Observed;
use super::obstacles::obstacles;
use crate::integrations::database::Answer;
use crate::juju::{Status, StatusKind, quoted};
use crate::kratos::names::CONFIG_PATH;
use crate::kratos::render::config::KratosConfig;
use crate::kratos::render::rendered::{default_schema, schemas};
use crate::kratos::schema::traits::document;
use crate::kratos::tables::identities::users_of_schemas;
use crate::postgres::{self, Connection, Dsn};

const CONNECT: Duration = Duration::from_secs(5);

/// How many identities use the schemas in question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaUsers {
    /// No schema is in question.
    NotAsked,
    /// By id; what is not in it is not used.
    Known(BTreeMap<String, u64>),
    /// The database did not tell: the reason.
    Unknown(String),
}

/// URLs of schemas by their ids.
type Urls = BTreeMap<String, String>;

/// What Kratos was told last.
pub fn told(observed: &Observed) -> Urls {
    let mut told = observed.peers.as_ref().map(|peers| peers.identity_schemas()).unwrap_or_default();
    let file = observed.container().and_then(|container| container.files.get(CONFIG_PATH));
    told.extend(file.and_then(Option::as_ref).map(|text| schemas(text)).unwrap_or_default());
    told
}

/// Asks the database how many identities use the schemas that would go or change, if there are such.
pub async fn look(observed: &mut Observed) {
    // What is not configured changes nothing.
    if !obstacles(observed).is_empty() {
        return;
    }
    let Some(wanted) = wanted(observed) else { return };
    let (gone, changed) = in_question(observed, &wanted);
    if gone.is_empty() && changed.is_empty() {
        observed.schema_users = SchemaUsers::NotAsked;
        return;
    }
    let Answer::Ready(dsn) = observed.answer() else { return };
    let ids: Vec<&str> = gone.keys().map(String::as_str).chain(changed.iter().map(String::as_str)).collect();
    observed.schema_users = match ask(&dsn, &ids).await {
        Ok(users) => SchemaUsers::Known(users),
        Err(error) => SchemaUsers::Unknown(error.to_string()),
    };
    for id in &changed {
        let users = match &observed.schema_users {
            SchemaUsers::Known(users) => match users.get(id) {
                Some(users) => users.to_string(),
                // What nobody uses may change without a word.
                None => continue,
            },
            _ => "an unknown number of".to_owned(),
        };
        let word = quoted(id);
        tracing::warn!(
            "identity schema {id} changes, and {users} identities use it; whether they fit is told by: \
             juju run {} check-identity-schema id={word} from={word}",
            observed.context.unit
        );
    }
}

async fn ask(dsn: &Dsn, ids: &[&str]) -> postgres::Result<BTreeMap<String, u64>> {
    let connection = Connection::open(dsn, "kratos-operator schemas", CONNECT).await?;
    let users = users_of_schemas(&connection, ids).await?;
    connection.close().await;
    Ok(users)
}

fn wanted(observed: &Observed) -> Option<Urls> {
    Some(schemas(KratosConfig::new(&known_facts(observed)?).to_yaml().as_bytes()))
}

/// Those that would go, and the ids of those that get another content.
fn in_question(observed: &Observed, wanted: &Urls) -> (Urls, Vec<String>) {
    let (still, gone): (Urls, Urls) = told(observed).into_iter().partition(|(id, _)| wanted.contains_key(id));
    let is_other = |(id, url): &(&String, &String)| {
        let now = &wanted[*id];
        *url != now && (document(url).is_none() || document(url) != document(now))
    };
    (gone, still.iter().filter(is_other).map(|(id, _)| id.clone()).collect())
}

/// The schemas that stay although they are not among `wanted`. One of which nobody knows whether it is used stays too.
pub fn kept(observed: &Observed, wanted: &Urls) -> Urls {
    let (mut gone, _) = in_question(observed, wanted);
    if let SchemaUsers::Known(users) = &observed.schema_users {
        gone.retain(|id, _| users.contains_key(id));
    }
    gone
}

/// What a person should know about schemas that stay.
pub fn complaint(observed: &Observed) -> Option<Status> {
    let facts = known_facts(observed)?;
    let text = KratosConfig::new(&facts).to_yaml();
    let kept = kept(observed, &schemas(text.as_bytes()));
    let first = kept.keys().next()?;
    let application = observed.application();
    let to = default_schema(text.as_bytes()).unwrap_or_default();
    let (from, to) = (quoted(first), quoted(&to));
    let command = format!("juju run {application}/leader migrate-identity-schema from={from} to={to}");
    let message = match &observed.schema_users {
        SchemaUsers::Known(users) => {
            let of = |id: &String| format!("{id} ({})", users.get(id).copied().unwrap_or_default());
            let list: Vec<String> = kept.keys().map(of).collect();
            format!(
                "Identity schemas that are not configured any more stay, because identities use them: {}; \
                 to move those, run: {command}",
                list.join(", ")
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

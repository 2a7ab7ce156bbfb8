//! `check-identity-schema schema=JSON|id=ID from=ID`: validates the stored identities against a schema, as Kratos would,
//! and writes nothing. Any unit may do it; identities are read page by page.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::known::{MOST_LISTED, known};
use crate::actions::invocation::Invocation;
use crate::actions::parameters::text;
use crate::actions::target::target;
use crate::charm::observed::Observed;
use crate::juju::{self, Agent, quoted};
use crate::kratos::schema::traits::{IdentitySchema, Misfit};
use crate::kratos::tables::identities::{StoredIdentity, count, page};
use crate::postgres::{self, Connection, Dsn};

const CONNECT: Duration = Duration::from_secs(5);
const PAGE: u32 = 500;
/// Progress is told this often.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>) -> juju::Result<()> {
    let Invocation { agent, observed, .. } = *invocation;
    let parameters = agent.action_get().await?;
    let request = match request(observed, &parameters) {
        Ok(request) => request,
        Err(text) => return agent.action_fail(&text).await,
    };
    let again = request.command(observed);
    let dsn = match target(invocation, &again) {
        Ok(target) => target.dsn,
        Err(text) => return agent.action_fail(&text).await,
    };
    let mut found = Found::default();
    let checked = check(agent, &dsn, &request, &mut found).await?;
    let mut results = BTreeMap::from([
        ("checked".to_owned(), found.checked.to_string()),
        ("valid".to_owned(), (found.checked - found.invalid).to_string()),
        ("invalid".to_owned(), found.invalid.to_string()),
    ]);
    if let Err(error) = checked {
        agent.action_set(&results).await?;
        return agent
            .action_fail(&format!("The identities cannot be read: {error}; then run again: {again}"))
            .await;
    }
    results.insert("next".to_owned(), next(observed, &request, found.invalid));
    agent.action_set(&results).await
}

struct Request {
    schema: IdentitySchema,
    /// The id of the schema that is checked against, if it has one.
    id: Option<String>,
    /// Only identities of this schema.
    from: Option<String>,
}

impl Request {
    /// The command that does it again.
    fn command(&self, observed: &Observed) -> String {
        let against = match &self.id {
            Some(id) => format!("id={}", quoted(id)),
            None => "schema=\"$(cat schema.json)\"".to_owned(),
        };
        let from = self.from.as_ref().map(|from| format!(" from={}", quoted(from))).unwrap_or_default();
        format!("juju run {} check-identity-schema {against}{from}", observed.context.unit)
    }
}

fn request(observed: &Observed, parameters: &BTreeMap<String, Value>) -> Result<Request, String> {
    let from = text(parameters, "from")?;
    let (schema, id) = match (text(parameters, "schema")?, text(parameters, "id")?) {
        (Some(schema), None) => {
            let schema = IdentitySchema::parse(&schema).map_err(|error| {
                format!("Invalid parameter schema: {error}; e.g. schema=\"$(cat schema.json)\"")
            })?;
            (schema, None)
        }
        (None, Some(id)) => (known(observed, "id", &id)?, Some(id)),
        _ => {
            return Err(
                "Give one of the parameters schema (the text of a schema) and id (of a configured one), \
                        e.g. id=social_user_v0"
                    .to_owned(),
            );
        }
    };
    Ok(Request { schema, id, from })
}

#[derive(Debug, Default)]
struct Found {
    checked: u64,
    invalid: u64,
}

/// The inner result is the database's.
async fn check(
    agent: &Agent,
    dsn: &Dsn,
    request: &Request,
    found: &mut Found,
) -> juju::Result<postgres::Result<()>> {
    let from = request.from.as_deref();
    let connection = match Connection::open(dsn, "kratos-operator check-identity-schema", CONNECT).await {
        Ok(connection) => connection,
        Err(error) => return Ok(Err(error)),
    };
    let all = match count(&connection, from).await {
        Ok(all) => all,
        Err(error) => return Ok(Err(error)),
    };
    let mut after: Option<String> = None;
    let mut told = Instant::now();
    loop {
        let identities = match page(&connection, from, after.as_deref(), PAGE).await {
            Ok(identities) => identities,
            Err(error) => return Ok(Err(error)),
        };
        let Some(last) = identities.last() else { break };
        after = Some(last.id.clone());
        let mut lines = Vec::new();
        for identity in &identities {
            found.checked += 1;
            let misfits = misfits(&request.schema, identity);
            if !misfits.is_empty() {
                found.invalid += 1;
                if found.invalid <= MOST_LISTED {
                    lines.push(line(&identity.id, &misfits));
                }
            }
        }
        if told.elapsed() > BETWEEN_LINES {
            told = Instant::now();
            lines.push(format!("checked {} of {all}, {} do not fit", found.checked, found.invalid));
        }
        if !lines.is_empty() {
            agent.action_log(&lines.join("\n")).await?;
        }
    }
    connection.close().await;
    Ok(Ok(()))
}

/// Where the stored traits do not fit.
pub(super) fn misfits(schema: &IdentitySchema, identity: &StoredIdentity) -> Vec<Misfit> {
    // A column of JSON holds nothing else.
    schema.misfits(&serde_json::from_str(&identity.traits).unwrap_or_default())
}

/// An identity that does not fit, without any of its values.
pub(super) fn line(id: &str, misfits: &[Misfit]) -> String {
    let all: Vec<String> =
        misfits.iter().take(5).map(|misfit| format!("{}: {}", misfit.path, misfit.rule)).collect();
    format!("{id} does not fit: {}", all.join("; "))
}

fn next(observed: &Observed, request: &Request, invalid: u64) -> String {
    let application = observed.application();
    match (&request.id, &request.from) {
        (Some(to), Some(from)) if to != from => {
            let (from, to) = (quoted(from), quoted(to));
            format!("juju run {application}/leader migrate-identity-schema from={from} to={to}")
        }
        _ if invalid > 0 => "change the schema or these identities, then check again".to_owned(),
        (None, _) => format!("juju config {application} identity_schemas=@schemas.json"),
        _ => format!("juju status {application}"),
    }
}

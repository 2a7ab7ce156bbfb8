//! `migrate-identity-schema from=ID to=ID dry-run=… batch-size=…`: moves identities from one schema to another.
//!
//! Each is checked against the new schema first; one that does not fit stays and is listed. It is moved by the admin API
//! of the running Kratos and not by SQL: what an identity can log in with and where it can be reached (the tables of
//! identifiers and addresses) follow from the schema, and only Kratos knows how. How far it is stands in the database
//! alone: a run that was killed is made good by running it again, which goes on with what is left.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use super::check::{line, misfits};
use super::known::{MOST_LISTED, known, shown};
use crate::actions::invocation::Invocation;
use crate::actions::parameters::text;
use crate::actions::target::target;
use crate::actions::text::note;
use crate::charm::observed::Observed;
use crate::juju::{self, Agent, quoted};
use crate::kratos::admin::{self, Admin};
use crate::kratos::schema::traits::IdentitySchema;
use crate::kratos::tables::identities::{StoredIdentity, count, page};
use crate::postgres::{self, Connection};

const CONNECT: Duration = Duration::from_secs(5);
const BATCH: u32 = 500;
const LARGEST_BATCH: u32 = 5000;
/// So many requests are under way at once: enough to keep Kratos busy, few enough to leave it to its users.
const AT_ONCE: usize = 4;
/// Progress is told this often.
const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// Runs the action.
pub async fn run(invocation: &Invocation<'_>) -> juju::Result<()> {
    let Invocation { agent, observed, .. } = *invocation;
    let parameters = agent.action_get().await?;
    let request = match request(observed, &parameters) {
        Ok(request) => request,
        Err(text) => return agent.action_fail(&text).await,
    };
    let again = request.command(observed.application(), request.is_dry);
    let dsn = match target(invocation, &again) {
        Ok(target) => target.dsn,
        Err(text) => return agent.action_fail(&text).await,
    };
    let name = "kratos-operator migrate-identity-schema";
    let mut moved = Moved::default();
    let ended = match Connection::open(&dsn, name, CONNECT).await {
        Ok(connection) => {
            let admin = Admin::new(&observed.place);
            let ended =
                Mover { agent, connection: &connection, admin, request: &request }.run(&mut moved).await?;
            connection.close().await;
            ended
        }
        Err(error) => Err(Interruption::Database(error)),
    };
    let mut results = BTreeMap::from([
        ("from".to_owned(), request.from.clone()),
        ("to".to_owned(), request.to.clone()),
        ("dry-run".to_owned(), request.is_dry.to_string()),
        ("total".to_owned(), moved.total.to_string()),
        (if request.is_dry { "would-move" } else { "moved" }.to_owned(), moved.moved.to_string()),
        ("skipped".to_owned(), moved.skipped.to_string()),
    ]);
    if let Err(stop) = ended {
        agent.action_set(&results).await?;
        return agent.action_fail(&format!("{stop}; what was moved stays moved, go on with: {again}")).await;
    }
    let application = observed.application();
    let next = match request.is_dry {
        true if moved.moved > 0 => request.command(application, false),
        _ if moved.skipped > 0 => {
            format!(
                "juju run {} check-identity-schema id={} from={}",
                observed.context.unit,
                quoted(&request.to),
                quoted(&request.from)
            )
        }
        _ => format!("juju status {application}"),
    };
    results.insert("next".to_owned(), next);
    agent.action_set(&results).await
}

#[derive(Debug)]
struct Request {
    from: String,
    to: String,
    schema: IdentitySchema,
    is_dry: bool,
    batch: u32,
}

impl Request {
    fn command(&self, application: &str, is_dry: bool) -> String {
        let (from, to) = (quoted(&self.from), quoted(&self.to));
        format!("juju run {application}/leader migrate-identity-schema from={from} to={to} dry-run={is_dry}")
    }
}

fn request(observed: &Observed, parameters: &BTreeMap<String, Value>) -> Result<Request, String> {
    let needed = |name: &str| {
        let value = text(parameters, name)?;
        value.ok_or_else(|| format!("The parameter {name} is missing: it is the id of an identity schema"))
    };
    let (from, to) = (needed("from")?, needed("to")?);
    if from == to {
        return Err(format!("Invalid parameter to={}: it is the same as from", shown(&to)));
    }
    let is_dry = match parameters.get("dry-run") {
        None | Some(Value::Null) => true,
        Some(Value::Bool(value)) => *value,
        Some(_) => {
            return Err("Invalid parameter dry-run: it is true or false, e.g. dry-run=false".to_owned());
        }
    };
    let batch = match parameters.get("batch-size") {
        None | Some(Value::Null) => BATCH,
        Some(value) => whole(value).filter(|size| (1..=LARGEST_BATCH).contains(size)).ok_or_else(|| {
            format!("Invalid parameter batch-size: it is a whole number from 1 to {LARGEST_BATCH}, e.g. batch-size={BATCH}")
        })?,
    };
    let schema = known(observed, "to", &to)?;
    let request = Request { from, to, schema, is_dry, batch };
    if !observed.is_leader {
        let command = request.command(observed.application(), request.is_dry);
        return Err(format!("Only the leader unit moves identities: {command}"));
    }
    Ok(request)
}

/// A whole number; Juju may hand over `500` as `500.0`.
fn whole(value: &Value) -> Option<u32> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and not negative"
    )]
    u32::try_from(number as u64).ok()
}

#[derive(Debug, Default)]
struct Moved {
    total: u64,
    moved: u64,
    skipped: u64,
}

/// Why it did not come to the end.
#[derive(Debug, thiserror::Error)]
enum Interruption {
    #[error("The identities cannot be read: {0}")]
    Database(#[from] postgres::Error),
    #[error("Kratos cannot move identities now: {0}")]
    Kratos(#[from] admin::Error),
}

struct Mover<'a> {
    agent: &'a Agent,
    connection: &'a Connection,
    admin: Admin,
    request: &'a Request,
}

impl Mover<'_> {
    /// The outer error is the agent's.
    async fn run(&self, moved: &mut Moved) -> juju::Result<Result<(), Interruption>> {
        let from = Some(self.request.from.as_str());
        moved.total = match count(self.connection, from).await {
            Ok(total) => total,
            Err(error) => return Ok(Err(error.into())),
        };
        let mut after: Option<String> = None;
        let mut told = Instant::now();
        loop {
            let batch = match page(self.connection, from, after.as_deref(), self.request.batch).await {
                Ok(batch) => batch,
                Err(error) => return Ok(Err(error.into())),
            };
            let Some(last) = batch.last() else { return Ok(Ok(())) };
            after = Some(last.id.clone());
            let mut lines = Vec::new();
            let fitting = self.fitting(&batch, moved, &mut lines);
            let ended = self.move_all(&fitting, moved, &mut lines).await;
            if told.elapsed() > BETWEEN_LINES || ended.is_err() {
                told = Instant::now();
                let word = if self.request.is_dry { "would move" } else { "moved" };
                lines.push(format!("{word} {} of {}, {} skipped", moved.moved, moved.total, moved.skipped));
            }
            if !lines.is_empty() {
                note(self.agent, &lines.join("\n")).await?;
            }
            if ended.is_err() {
                return Ok(ended.map_err(Interruption::from));
            }
        }
    }

    /// Those that fit into the new schema.
    fn fitting<'b>(
        &self,
        batch: &'b [StoredIdentity],
        moved: &mut Moved,
        lines: &mut Vec<String>,
    ) -> Vec<&'b str> {
        let mut fitting = Vec::new();
        for identity in batch {
            let misfits = misfits(&self.request.schema, identity);
            if misfits.is_empty() {
                fitting.push(identity.id.as_str());
            } else {
                skip(moved, lines, line(&identity.id, &misfits));
            }
        }
        fitting
    }

    async fn move_all(
        &self,
        ids: &[&str],
        moved: &mut Moved,
        lines: &mut Vec<String>,
    ) -> Result<(), admin::Error> {
        if self.request.is_dry {
            moved.moved += ids.len() as u64;
            return Ok(());
        }
        let (admin, to) = (&self.admin, self.request.to.as_str());
        let requests = ids.iter().map(|id| async move { (*id, admin.set_schema(id, to).await) });
        let mut answers = stream::iter(requests).buffer_unordered(AT_ONCE);
        while let Some((id, answer)) = answers.next().await {
            match answer {
                Ok(()) => moved.moved += 1,
                // The reason may quote what is in the identity.
                Err(
                    error @ (admin::Error::NotFound { .. }
                    | admin::Error::Conflict { .. }
                    | admin::Error::Refused { .. }),
                ) => skip(moved, lines, format!("{id} was not taken by Kratos: {}", error.kind())),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn skip(moved: &mut Moved, lines: &mut Vec<String>, line: String) {
    moved.skipped += 1;
    if moved.skipped <= MOST_LISTED {
        lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_taken_as_juju_hands_them_over() {
        assert_eq!([json!(500), json!(500.0)].map(|value| whole(&value)), [Some(500), Some(500)]);
        for value in [json!(1.5), json!(-1), json!("500"), json!(1e300)] {
            assert_eq!(whole(&value), None, "{value}");
        }
    }
}

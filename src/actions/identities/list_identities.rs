//! `list-identities`: a page of the identities, all or those of a schema or state.
//!
//! Kratos lists by id and does not filter, so pages are read until enough fit, one minute has passed, or the end is
//! reached. A page's token is opaque: where a page must end in the middle of one of Kratos, the token for exactly that
//! place is asked for.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::results::{LONGEST_JSON, without_credentials};
use crate::actions::parameters::{number, text};
use crate::kratos::admin::{self, Page};

/// Identities on a page unless told otherwise.
const PAGE: u64 = 100;
const MOST: u64 = 250;
/// So many at least are asked for at once, however few are still wanted.
const LEAST_ASKED: usize = 50;
const LIMIT: Duration = Duration::from_secs(60);
const STATES: [&str; 2] = ["active", "inactive"];

struct Filter {
    schema: Option<String>,
    state: Option<String>,
}

impl Filter {
    fn takes(&self, identity: &Value) -> bool {
        self.schema.as_ref().is_none_or(|schema| identity["schema_id"] == schema.as_str())
            && self.state.as_ref().is_none_or(|state| identity["state"] == state.as_str())
    }
}

/// What goes onto the page.
struct Gathered {
    identities: Vec<Value>,
    bytes: usize,
    examined: usize,
    next: Option<String>,
}

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let size = number(parameters, "page-size", PAGE, 1..=MOST)?;
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let token = text(parameters, "page-token")?;
    let filter = Filter { schema: text(parameters, "schema-id")?, state: text(parameters, "state")? };
    if let Some(state) = filter.state.as_deref().filter(|state| !STATES.contains(state)) {
        let shown: String = state.chars().take(60).collect();
        return Err(format!("There is no state {shown:?}: {}", action.again("state=active")).into());
    }
    let gathered = gather(&action.admin, size, token, &filter).await;
    let gathered = gathered.map_err(|error| action.trouble("Failed to list the identities", &error))?;
    let lines: Vec<String> = gathered.identities.iter().map(line).collect();
    let count = gathered.identities.len();
    let mut report = ActionOutput::line(format!("{count} identities, {} examined", gathered.examined))
        .with("count", count.to_string())
        .with("examined", gathered.examined.to_string())
        .with("identities", lines.join("\n"))
        .with("json", Value::from(gathered.identities).to_string());
    if let Some(token) = gathered.next {
        report = report.with("next", next(action, size, &filter, &token)).with("next-page-token", token);
    }
    Ok(report)
}

async fn gather(
    admin: &admin::Admin,
    size: usize,
    mut token: Option<String>,
    filter: &Filter,
) -> Result<Gathered, admin::Error> {
    let deadline = Instant::now() + LIMIT;
    let mut gathered = Gathered { identities: Vec::new(), bytes: 0, examined: 0, next: None };
    loop {
        let asked = (size - gathered.identities.len()).max(LEAST_ASKED);
        let Page { identities, next } = admin.page(asked, token.as_deref()).await?;
        for (index, identity) in identities.iter().enumerate() {
            if filter.takes(identity) && !gathered.take(identity, size) {
                // The next page begins with this one.
                gathered.next = match index {
                    0 => token,
                    _ => admin.page(index, token.as_deref()).await?.next,
                };
                return Ok(gathered);
            }
            gathered.examined += 1;
        }
        gathered.next = next;
        if gathered.next.is_none() || gathered.identities.len() >= size || Instant::now() > deadline {
            return Ok(gathered);
        }
        token = gathered.next.clone();
    }
}

impl Gathered {
    /// Takes an identity, unless the page is full. One that is larger than a page is named only.
    fn take(&mut self, identity: &Value, size: usize) -> bool {
        let mut shown = without_credentials(identity);
        let mut bytes = shown.to_string().len() + 1;
        if bytes > LONGEST_JSON {
            shown = json!({"id": identity["id"], "schema_id": identity["schema_id"], "state": identity["state"],
                "left_out": format!("{bytes} bytes")});
            bytes = shown.to_string().len() + 1;
        }
        if self.identities.len() >= size || self.bytes + bytes > LONGEST_JSON {
            return false;
        }
        self.bytes += bytes;
        self.identities.push(shown);
        true
    }
}

/// One identity for a person: id, state, schema, and the name that it has first.
fn line(identity: &Value) -> String {
    let part = |name: &str| identity[name].as_str().unwrap_or("?").to_owned();
    let traits = &identity["traits"];
    let name =
        ["email", "username", "name"].iter().find_map(|name| traits[*name].as_str()).unwrap_or_default();
    let name: String = name.chars().filter(|char| !char.is_control()).take(100).collect();
    format!("{}  {:<8}  {}  {name}", part("id"), part("state"), part("schema_id")).trim_end().to_owned()
}

fn next(action: &IdentityAction<'_>, size: usize, filter: &Filter, token: &str) -> String {
    let mut command = action.again(&format!("page-size={size} page-token={token}"));
    for (name, value) in [("schema-id", &filter.schema), ("state", &filter.state)] {
        if let Some(value) = value {
            command += &format!(" {name}={value}");
        }
    }
    command
}

//! What the application at the other end of a relation could not use of our data.

use serde_json::Value;

use crate::charm::observed::Observed;
use crate::integrations;
use crate::juju::Event;

/// The longest text of a rejection, in characters.
const LONGEST: usize = 400;

/// The rejection in the databag of the relation that just changed, as a line for the log.
pub fn rejection(observed: &Observed) -> Option<String> {
    let Event::Relation(event) = &observed.context.event else { return None };
    let relation = observed.relations.iter().find(|relation| relation.id == event.id)?;
    integrations::endpoint(relation.id.endpoint()).filter(|endpoint| endpoint.reports_errors)?;
    let answer: Value = serde_json::from_str(relation.value("event")?).unwrap_or_default();
    let is_error = |value: &&Value| match value {
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    let errors: Vec<String> = ["errors", "scrape_job_errors"]
        .into_iter()
        .filter_map(|key| answer.get(key).filter(is_error))
        .map(ToString::to_string)
        .collect();
    let text: String = errors.join("; ").chars().take(LONGEST).collect();
    (!text.is_empty()).then(|| format!("{} cannot use something: {text}", relation.id))
}

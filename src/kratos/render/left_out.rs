//! All notes of one set of facts: what is left out of the configuration and of the environment.

use super::notes::{Note, shown};
use crate::kratos::facts::uri::web_url;
use crate::kratos::facts::{Facts, otlp};

/// Everything that is left out: `notes` of the configuration, which [`KratosConfig::render`](super::config::KratosConfig)
/// returned, and those of the environment.
pub fn notes(facts: &Facts, mut notes: Vec<Note>) -> Vec<Note> {
    if let Some(Err(reason)) = facts.smtp.as_ref().map(|smtp| smtp.uri()) {
        notes.push(Note::from_endpoint("smtp", format!("No mail is sent: {reason}")));
    }
    if let Some(Err(reason)) = facts.otlp.as_ref().map(otlp::endpoint) {
        notes.push(Note::from_endpoint("tracing", reason));
    }
    if let Some(url) = facts.hydra_admin_url.as_ref().filter(|url| web_url(url.as_str()).is_none()) {
        let text = format!("The address of Hydra is not used: {} is no http(s):// URL", shown(url.as_str()));
        notes.push(Note::from_endpoint("hydra-endpoint-info", text));
    }
    notes
}

//! A note: an entry that Kratos would refuse and that is therefore not rendered, and where it came from.

use super::stored::ConfigMapNames;

/// Something that a source said and Kratos would refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A sentence without its full stop, and without a secret.
    pub text: String,
    pub source: Source,
}

/// Where it has to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The application at the other end of this endpoint's relations.
    Endpoint(&'static str),
    /// The ConfigMap of identity schemas.
    Schemas,
    /// The ConfigMap of identity providers.
    Providers,
}

impl Note {
    pub(super) fn from_endpoint(endpoint: &'static str, text: impl Into<String>) -> Self {
        Self { text: text.into(), source: Source::Endpoint(endpoint) }
    }

    /// The text of a status: what is wrong, and the command that leads to the place where it is mended.
    pub fn message(&self, application: &str, maps: &ConfigMapNames<'_>) -> String {
        let mend = |name| format!("{}; mend it: {}", self.text, maps.edit(name));
        match self.source {
            Source::Endpoint(endpoint) => format!(
                "{}; see what is integrated with {endpoint}: juju status {application} --relations",
                self.text
            ),
            Source::Schemas => mend(maps.schemas),
            Source::Providers => mend(maps.providers),
        }
    }
}

/// A text of somebody else for a status: on one line and not long.
pub(super) fn shown(text: &str) -> String {
    let start: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    format!("\"{start}\"")
}

//! `Invocation`: what every action is given.

use crate::charm::observed::Observed;
use crate::charm::situation::Parsed;
use crate::integrations::database::Answer;
use crate::juju::Agent;
use crate::pebble::Client;
use crate::postgres::Dsn;

/// One run of an action on this unit.
#[derive(Clone, Copy)]
pub struct Invocation<'a> {
    pub agent: &'a Agent,
    pub pebble: &'a Client,
    pub observed: &'a Observed,
    pub parsed: &'a Parsed,
}

impl<'a> Invocation<'a> {
    /// The name of this application.
    pub fn application(&self) -> &'a str {
        self.observed.application()
    }

    /// The database in use, if its provider has answered.
    pub fn dsn(&self) -> Option<&'a Dsn> {
        match &self.parsed.database {
            Answer::Ready(dsn) => Some(dsn),
            Answer::Absent | Answer::Invalid(_) => None,
        }
    }
}

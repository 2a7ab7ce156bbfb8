//! What the relations of all endpoints but the database and the peers hold, understood: what is used, and what is wrong
//! with the rest.
//!
//! Each endpoint's own `read` is [`Given`] its relations and fills its fields. Invalid data costs no more than itself: it is left
//! out and becomes a [`Problem`].

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Url;

use super::relation::{ByRelation, Relation, Remote, Sifted, first_three};
use crate::juju::{RelationId, UnitName};
use crate::kratos::WorkloadVersion;
use crate::kratos::facts::login_ui::LoginUi;
use crate::kratos::facts::provider::OidcProvider;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::facts::smtp::Smtp;
use crate::kratos::facts::web_hook::WebHook;

/// Where logs go, by the unit of Loki that takes them.
pub type LogReceivers = BTreeMap<UnitName, Url>;

/// The typed data of all relations.
#[derive(Debug, Default)]
pub struct Related {
    /// Each with the relation that it came by, in the order of the relations' numbers; no id twice.
    pub providers: ByRelation<OidcProvider>,
    pub hydra_admin_url: Option<Url>,
    pub login_ui: LoginUi,
    pub registration_hooks: Vec<WebHook>,
    pub login_hooks: Vec<WebHook>,
    pub smtp: Option<Smtp>,
    pub otlp: Option<Url>,
    pub certificates: BTreeSet<String>,
    /// The address of each public route.
    pub public_routes: ByRelation<PublicUrl>,
    /// Where browsers reach Kratos.
    pub public_url: Option<PublicUrl>,
    /// Where other applications reach Kratos, unless directly.
    pub internal_url: Option<PublicUrl>,
    /// Where the units of Loki take logs.
    pub log_receivers: LogReceivers,
    /// What is wrong inside one relation, then what relations contradict each other in; both in the order of the endpoints.
    pub problems: Vec<Problem>,
}

/// Data of a relation that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub relation: RelationId,
    /// Quotes no value that may be secret.
    pub reason: String,
}

/// What an endpoint's `read` may depend on beside its relations.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReadContext<'a> {
    /// The Kratos that has to understand the data; `None`: unknown.
    pub version: Option<&'a WorkloadVersion>,
    /// The mail server with which the services run.
    pub mail_server_in_use: Option<&'a Smtp>,
}

/// The relations of one endpoint, and where its `read` reports problems.
pub struct Given<'a> {
    relations: Vec<&'a Relation>,
    problems: &'a mut Vec<Problem>,
    conflicts: &'a mut Vec<Problem>,
}

impl<'a> Given<'a> {
    /// The relations of one endpoint.
    pub fn new(
        relations: Vec<&'a Relation>,
        problems: &'a mut Vec<Problem>,
        conflicts: &'a mut Vec<Problem>,
    ) -> Self {
        Self { relations, problems, conflicts }
    }
}

impl Given<'_> {
    /// The usable data of each relation, by number.
    pub fn each<T>(&mut self, read: impl Fn(&Relation) -> Remote<T>) -> ByRelation<T> {
        let mut found = Vec::new();
        for relation in &self.relations {
            tracing::trace!(relation = %relation.id, "parsing a relation");
            match read(relation) {
                Remote::Absent => {}
                Remote::Invalid(reason) => {
                    self.problems.push(Problem { relation: relation.id.clone(), reason });
                }
                Remote::Ready(data) => found.push((relation.id.clone(), data)),
            }
        }
        found
    }

    /// As [`Self::each`], for data of several parts, of which only the usable ones come back.
    pub fn sifted<T>(&mut self, read: impl Fn(&Relation) -> Remote<Sifted<T>>) -> ByRelation<T> {
        let mut used = Vec::new();
        for (relation, sifted) in self.each(read) {
            let problem = |reason| Problem { relation: relation.clone(), reason };
            match sifted.refused.len() {
                0..=3 => self.problems.extend(sifted.refused.into_iter().map(problem)),
                _ => self.problems.push(problem(first_three(&sifted.refused, "; "))),
            }
            used.push((relation, sifted.used));
        }
        used
    }

    /// Of an endpoint with one relation at a time, the first usable data: two relations exist while one replaces the other.
    pub fn first<T>(&mut self, read: impl Fn(&Relation) -> Remote<T>) -> Option<T> {
        self.each(read).into_iter().next().map(|(_, data)| data)
    }

    /// Whether one of these relations holds data that cannot be used.
    pub fn has_problem(&self) -> bool {
        let is_ours =
            |problem: &Problem| self.relations.iter().any(|relation| relation.id == problem.relation);
        self.problems.iter().any(is_ours)
    }

    /// Reports data that cannot be used because another relation came first.
    pub fn conflicts(&mut self, conflicts: ByRelation<String>) {
        self.conflicts.extend(conflicts.into_iter().map(|(relation, reason)| Problem { relation, reason }));
    }
}

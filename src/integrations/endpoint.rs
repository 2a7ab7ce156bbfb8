//! `Endpoint`: one row of the table of endpoints, with both directions of its data.

use super::publish::{Keys, Publication};
use super::related::{Given, ReadContext, Related};
use super::relation::Relation;

/// An endpoint: what is read of each of its relations, what the data means, and what we publish. The remote application
/// databag is always read, a databag of ours where we write it.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// As in metadata.yaml.
    pub name: &'static str,
    /// Whether the databags of the remote units are read.
    pub remote_units: bool,
    /// Whether this unit's address is asked for, because the other side comes to it.
    pub address: bool,
    /// Keys of the remote application databag that name secrets to read.
    pub secrets: &'static [&'static str],
    /// Whether the other side writes into `event` what it could not use of our data.
    pub reports_errors: bool,
    /// Understands the endpoint's relations.
    pub read: fn(&mut Related, &mut Given<'_>, ReadContext<'_>),
    /// What the leader publishes, if it ever does.
    pub answer: Option<Publish>,
    /// What every unit publishes, if it ever does.
    pub answer_of_unit: Option<Publish>,
}

/// What is published on one relation; `None`: nothing, and what was published stays.
pub type Publish = fn(&Publication<'_>, &Relation) -> Option<Keys>;

impl Endpoint {
    /// An endpoint of which only the application databags count; nothing is understood and nothing published.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            remote_units: false,
            address: false,
            secrets: &[],
            reports_errors: false,
            read: |_, _, _| {},
            answer: None,
            answer_of_unit: None,
        }
    }
}

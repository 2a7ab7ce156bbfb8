//! `Endpoint`: one row of the table of endpoints, with both directions of its data.

use super::publish::{Keys, Publication};
use super::related::{Given, ReadContext, Related};
use super::relation::Relation;

/// An endpoint: what is read of each of its relations, what the data means, and what we publish. Our own application databag
/// is always read on the leader, the remote one always.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// As in metadata.yaml.
    pub name: &'static str,
    /// Whether this unit's own databag is read, because we write it.
    pub own_unit: bool,
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
    /// What the leader publishes on one relation; `None`: nothing, and what was published stays.
    pub answer: fn(&Publication<'_>, &Relation) -> Option<Keys>,
    /// What every unit publishes on one relation.
    pub answer_of_unit: fn(&Publication<'_>, &Relation) -> Option<Keys>,
}

impl Endpoint {
    /// An endpoint of which only the application databags count; nothing is understood and nothing published.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            own_unit: false,
            remote_units: false,
            address: false,
            secrets: &[],
            reports_errors: false,
            read: |_, _, _| {},
            answer: |_, _| None,
            answer_of_unit: |_, _| None,
        }
    }
}

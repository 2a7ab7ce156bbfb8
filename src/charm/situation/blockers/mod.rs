//! Blockers: what keeps the charm from (re)starting the services, each with the text of its status.
//!
//! A blocker is a function of what was observed and parsed; [`local`] runs all of them in the order of their rows in
//! docs/behaviour.md. The status of the highest class is shown, the first inside a class. Each text that a person must
//! act on ends with the command to run. To add one: write the function in the file of its matter and add it to
//! [`BLOCKERS`].

mod integration;
mod migration;
mod settings;

use super::parsed::Parsed;
use crate::charm::observed::Observed;
use crate::juju::Status;

/// A rule: `None` means that it blocks nothing.
type Blocker = fn(&Observed, &Parsed) -> Option<Status>;

const BLOCKERS: [Blocker; 10] = [
    integration::container,
    integration::peers,
    integration::database,
    integration::answer,
    settings::secrets,
    settings::options,
    settings::webauthn,
    migration::version,
    migration::migration,
    migration::verdict,
];

/// Everything that blocks but for what Kubernetes refuses.
pub fn local(observed: &Observed, parsed: &Parsed) -> Vec<Status> {
    BLOCKERS.iter().filter_map(|blocker| blocker(observed, parsed)).collect()
}

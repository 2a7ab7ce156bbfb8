//! Which revision of our secrets the leader removes.

use crate::charm::observed::Observed;
use crate::charm::situation::{COOKIE_LABEL, KRATOS_LABEL};
use crate::juju::{Event, SecretEventKind, SecretUri};

/// The revision of one of our secrets that every unit has left behind, if Juju names one in this event. It is kept until its
/// owner removes it.
pub fn obsolete(observed: &Observed) -> Option<(SecretUri, u64)> {
    let Event::Secret(event) = &observed.context.event else { return None };
    let is_ours = event.label.as_deref().is_some_and(|label| [COOKIE_LABEL, KRATOS_LABEL].contains(&label));
    let is_due = observed.is_leader && is_ours && event.kind == SecretEventKind::Remove;
    event.revision.filter(|_| is_due).map(|revision| (event.uri.clone(), revision))
}

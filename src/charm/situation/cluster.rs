//! What Kubernetes refuses or has not done yet, as statuses.
//!
//! Given the answers of the API, each function returns a [`ClusterProblem`]: the status, and the notices that keep the
//! charm asking until the matter is mended. Texts about the resources begin with the Python charm's words
//! (docs/behaviour.md#row-11).

use super::facts::StoredData;
use super::notices::{Notice, Notices};
use super::parsed::Parsed;
use super::services::is_active;
use crate::charm::observed::Observed;
use crate::charm::texts::{blocked, waiting};
use crate::juju::{Event, Status};
use crate::kratos::render::stored::ConfigMapNames;
use crate::kubernetes::{Error, Limits, Standing};

/// Begins the text about a patch of the resources that failed.
const PATCH_FAILED: &str = "Kubernetes resources patch failed";

/// A status about Kubernetes, and what the next dispatch has to look at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterProblem {
    pub status: Status,
    pub notices: Vec<Notice>,
}

impl ClusterProblem {
    fn new(status: Status, notices: &[Notice]) -> Self {
        Self { status, notices: notices.to_vec() }
    }
}

/// The limits to compare with those of the StatefulSet: when an option may have changed, at each tick, and while a notice
/// about them is kept. `None`: there are none and never were, or it is not the time.
pub fn due_limits(observed: &Observed, parsed: &Parsed) -> Option<Limits> {
    let limits = parsed.limits.as_ref().ok()?;
    let is_marked = observed.peers.as_ref()?.has_resource_limits();
    let event = &observed.context.event;
    let is_time = matches!(
        event,
        Event::ConfigChanged | Event::UpgradeCharm | Event::LeaderElected | Event::UpdateStatus
    );
    let is_open = || Notices::kept(observed).has_any(&[Notice::PatchFailed, Notice::Rolling]);
    let is_due = observed.is_leader && (is_time || is_open()) && (is_marked || !limits.is_empty());
    is_due.then(|| limits.clone())
}

/// The names of the ConfigMaps. `None`: they were not read in this dispatch.
pub fn config_map_names(observed: &Observed) -> Option<ConfigMapNames<'_>> {
    let namespace = observed.namespace();
    if observed.cluster.is_none() {
        return Some(ConfigMapNames::usual(namespace));
    }
    let maps = observed.config_maps()?;
    Some(ConfigMapNames { schemas: &maps.schemas.name, providers: &maps.providers.name, namespace })
}

/// A blocker: the application was deployed without `--trust`.
pub fn trust(observed: &Observed) -> Option<ClusterProblem> {
    let error = observed.cluster.as_ref()?.config_maps.error()?;
    let text = "Kubernetes does not let this application use its ConfigMaps";
    let status = blocked(format!("{text}: {}", trust_command(observed)));
    error.is_forbidden().then(|| ClusterProblem::new(status, &[Notice::Trust]))
}

fn trust_command(observed: &Observed) -> String {
    format!("juju trust {} --scope=cluster", observed.application())
}

/// A blocker: it is not known what others stored for Kratos, or it cannot be used. What runs goes on with what it has.
pub fn unread(observed: &Observed, parsed: &Parsed, stored: &StoredData) -> Option<Status> {
    let cluster = observed.cluster.as_ref()?;
    if let Some(error) = cluster.config_maps.error() {
        let text = format!("Cannot read the ConfigMaps of {}: {error}", observed.application());
        return (!error.is_forbidden()).then(|| waiting(text));
    }
    // Without what is stored Kratos can be started, but it must not lose what it has.
    if observed.container().is_some_and(is_active) {
        broken_schemas(observed, parsed, stored).or_else(|| lost_providers(observed, stored))
    } else {
        None
    }
}

/// The stored identity schemas cannot be used, and the options name no others.
pub fn broken_schemas(observed: &Observed, parsed: &Parsed, stored: &StoredData) -> Option<Status> {
    let reason = stored.schemas.as_ref().err()?;
    let is_source = parsed.options.as_ref().is_ok_and(|options| options.schema_set().is_none());
    let name = config_map_names(observed)?.schemas;
    if is_source { broken(observed, name, reason) } else { None }
}

fn lost_providers(observed: &Observed, stored: &StoredData) -> Option<Status> {
    let reason = stored.providers.as_ref().err()?;
    broken(observed, config_map_names(observed)?.providers, reason)
}

/// The stored providers, or one of them, cannot be used.
pub fn broken_providers(observed: &Observed, stored: &StoredData) -> Option<Status> {
    let reason = match &stored.providers {
        Ok(providers) => providers.refused.first()?,
        Err(reason) => reason,
    };
    broken(observed, config_map_names(observed)?.providers, reason)
}

/// Its user is told where the Identity Platform Admin UI keeps what it edits.
fn broken(observed: &Observed, name: &str, reason: &str) -> Option<Status> {
    let edit = config_map_names(observed)?.edit(name);
    Some(blocked(format!(
        "ConfigMap {name}: {reason}; correct it where it is edited (Identity Platform Admin UI), or here: {edit}"
    )))
}

/// What the answers about the StatefulSet lead to.
pub fn problems(observed: &Observed, parsed: &Parsed) -> Vec<ClusterProblem> {
    [ownerless(observed), unpatched(observed, parsed)].into_iter().flatten().collect()
}

/// A ConfigMap has to be made, and nothing can own it.
fn ownerless(observed: &Observed) -> Option<ClusterProblem> {
    let cluster = observed.cluster.as_ref()?;
    let error = cluster.stateful_set.error()?;
    let maps = cluster.config_maps.known()?;
    let map = [&maps.schemas, &maps.providers].into_iter().find(|map| map.standing != Standing::Ours)?;
    Some(not_created(observed, &map.name, error))
}

/// A ConfigMap that could not be made.
pub fn not_created(observed: &Observed, name: &str, error: &Error) -> ClusterProblem {
    if error.is_forbidden() {
        let text = format!("Cannot create the ConfigMap {name}: {error}: {}", trust_command(observed));
        return ClusterProblem::new(blocked(text), &[Notice::Trust]);
    }
    let reason = if error.is_not_found() {
        format!("there is no StatefulSet {}", observed.application())
    } else {
        error.to_string()
    };
    ClusterProblem::new(waiting(format!("Cannot create the ConfigMap {name}: {reason}")), &[])
}

fn unpatched(observed: &Observed, parsed: &Parsed) -> Option<ClusterProblem> {
    let cluster = observed.cluster.as_ref()?;
    due_limits(observed, parsed)?;
    if let Some(error) = cluster.stateful_set.error() {
        return Some(patch_failed(observed, error));
    }
    cluster.stateful_set.known()?.is_rolling().then(rolling)
}

/// Kubernetes replaces the pods.
pub fn rolling() -> ClusterProblem {
    ClusterProblem::new(waiting("waiting for resources patch to apply"), &[Notice::Rolling])
}

/// The limits could not be read or set.
pub fn patch_failed(observed: &Observed, error: &Error) -> ClusterProblem {
    let application = observed.application();
    let give_up = format!("juju config {application} --reset cpu,memory");
    let status = if error.is_forbidden() {
        let text = format!("`juju trust` this application. {error}: {}", trust_command(observed));
        let notices = [Notice::PatchFailed, Notice::Trust];
        return ClusterProblem::new(blocked(format!("{PATCH_FAILED}: {text}")), &notices);
    } else if error.is_not_found() {
        let namespace = observed.namespace();
        blocked(format!(
            "{PATCH_FAILED}: there is no StatefulSet {application} in the namespace {namespace}; to do without limits: {give_up}"
        ))
    } else if error.is_conflict() {
        blocked(format!("{PATCH_FAILED}: {error}; to leave the resources to whoever set them: {give_up}"))
    } else if error.is_passing() {
        waiting(format!("{PATCH_FAILED}: {error}; it is tried again"))
    } else {
        blocked(format!("{PATCH_FAILED}: {error}; to do without limits: {give_up}"))
    };
    ClusterProblem::new(status, &[Notice::PatchFailed])
}

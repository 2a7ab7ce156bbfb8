//! What Kubernetes keeps from being done, as statuses.
//!
//! Texts about the resources begin with the Python charm's words (behaviour row 11).

use super::limits::limits;
use super::{Observed, needs};
use crate::charm::questions::is_active;
use crate::juju::{Status, StatusKind};
use crate::kubernetes::{Error, Standing};

/// In the text of every status that asks for trust.
pub const TRUST: &str = "juju trust";
/// Begins what is told of a patch that failed.
pub const PATCH_FAILED: &str = "Kubernetes resources patch failed";
/// While Kubernetes replaces the pods.
pub const ROLLING: &str = "waiting for resources patch to apply";

fn blocked(message: String) -> Option<Status> {
    Some(Status::new(StatusKind::Blocked, message))
}

fn waiting(message: String) -> Option<Status> {
    Some(Status::new(StatusKind::Waiting, message))
}

/// An obstacle: the application was deployed without `--trust`.
pub fn trust(observed: &Observed) -> Option<Status> {
    let error = observed.cluster.as_ref()?.config_maps.error()?;
    if !error.is_forbidden() {
        return None;
    }
    blocked(format!("Kubernetes does not let this application use its ConfigMaps: {}", command(observed)))
}

fn command(observed: &Observed) -> String {
    format!("{TRUST} {} --scope=cluster", observed.application())
}

/// An obstacle: it is not known what others stored for Kratos, or it cannot be used. What runs goes on with what it has.
pub fn unread(observed: &Observed) -> Option<Status> {
    let cluster = observed.cluster.as_ref()?;
    if let Some(error) = cluster.config_maps.error() {
        let text = format!("Cannot read the ConfigMaps of {}: {error}", observed.application());
        return if error.is_forbidden() { None } else { waiting(text) };
    }
    // Without what is stored Kratos can be started, but it must not lose what it has.
    if observed.container().is_some_and(is_active) {
        schemas(observed).or_else(|| lost_providers(observed))
    } else {
        None
    }
}

/// The stored identity schemas cannot be used, and the options name no others.
fn schemas(observed: &Observed) -> Option<Status> {
    let reason = observed.stored_schemas().err()?;
    let is_source = observed.options().is_ok_and(|options| options.schema_set().is_none());
    let name = observed.config_map_names()?.schemas;
    if is_source { broken(observed, name, &reason) } else { None }
}

fn lost_providers(observed: &Observed) -> Option<Status> {
    let reason = observed.stored_providers().err()?;
    broken(observed, observed.config_map_names()?.providers, &reason)
}

/// Its user is told where the Identity Platform Admin UI keeps what it edits.
fn broken(observed: &Observed, name: &str, reason: &str) -> Option<Status> {
    let edit = observed.config_map_names()?.edit(name);
    blocked(format!(
        "ConfigMap {name}: {reason}; correct it where it is edited (Identity Platform Admin UI), or here: {edit}"
    ))
}

/// What a person should know although the services run.
pub fn complaints(observed: &Observed) -> Vec<Status> {
    let application = observed.application();
    let invalid = limits(application, &observed.config).err();
    let invalid = invalid.map(|invalid| {
        Status::new(StatusKind::Blocked, format!("Failed obtaining resource limit spec: {invalid}"))
    });
    [invalid, schemas(observed), providers(observed), ownerless(observed), unpatched(observed)]
        .into_iter()
        .flatten()
        .collect()
}

fn providers(observed: &Observed) -> Option<Status> {
    let stored = observed.stored_providers();
    let reason = stored.map_or_else(Some, |providers| providers.refused.first().cloned())?;
    broken(observed, observed.config_map_names()?.providers, &reason)
}

/// A ConfigMap has to be made, and nothing can own it.
fn ownerless(observed: &Observed) -> Option<Status> {
    let cluster = observed.cluster.as_ref()?;
    let error = cluster.stateful_set.error()?;
    let maps = cluster.config_maps.known()?;
    let map = [&maps.schemas, &maps.providers].into_iter().find(|map| map.standing != Standing::Ours)?;
    not_created(observed, &map.name, error)
}

/// A ConfigMap that could not be made.
pub fn not_created(observed: &Observed, name: &str, error: &Error) -> Option<Status> {
    let application = observed.application();
    if error.is_forbidden() {
        return blocked(format!("Cannot create the ConfigMap {name}: {error}: {}", command(observed)));
    }
    let reason = if error.is_not_found() {
        format!("there is no StatefulSet {application}")
    } else {
        error.to_string()
    };
    waiting(format!("Cannot create the ConfigMap {name}: {reason}"))
}

fn unpatched(observed: &Observed) -> Option<Status> {
    let cluster = observed.cluster.as_ref()?;
    needs::due_limits(observed)?;
    if let Some(error) = cluster.stateful_set.error() {
        return patch_failed(observed, error);
    }
    if cluster.stateful_set.known()?.is_rolling() { rolling() } else { None }
}

/// Kubernetes replaces the pods.
pub fn rolling() -> Option<Status> {
    waiting(ROLLING.to_owned())
}

/// The limits could not be looked at or set.
pub fn patch_failed(observed: &Observed, error: &Error) -> Option<Status> {
    let application = observed.application();
    let give_up = format!("juju config {application} --reset cpu,memory");
    if error.is_forbidden() {
        blocked(format!("{PATCH_FAILED}: `juju trust` this application. {error}: {}", command(observed)))
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
    }
}

//! Writes to Kubernetes.

use crate::charm::desired::DesiredCluster;
use crate::charm::observed::Observed;
use crate::charm::situation::{ClusterProblem, not_created, patch_failed, rolling};
use crate::kratos::names::CONTAINER;
use crate::kubernetes::{Connection, Standing, config_maps, stateful_set};

/// Writes, the pods' template last: its change restarts this pod too. What failed comes back.
pub async fn apply(
    connection: &mut Connection,
    observed: &Observed,
    desired: &DesiredCluster,
) -> Vec<ClusterProblem> {
    let mut problems = Vec::new();
    let Some(owner) = observed.cluster.as_ref().and_then(|cluster| cluster.stateful_set.known()) else {
        return problems;
    };
    for (name, standing) in &desired.config_maps {
        tracing::info!("creating the ConfigMap {name}");
        let result = match standing {
            Standing::Missing => config_maps::create(connection, name, owner).await,
            Standing::Unowned | Standing::Ours => config_maps::adopt(connection, name, owner).await,
        };
        match result {
            Ok(()) => {}
            // Another application was faster; the next dispatch sees whose it is.
            Err(error) if error.is_conflict() => tracing::warn!("{error}"),
            Err(error) => problems.push(not_created(observed, name, &error)),
        }
    }
    if let Some(body) = &desired.resources {
        tracing::info!("setting the resources of the container {CONTAINER}");
        match stateful_set::apply(connection, observed.application(), body).await {
            Ok(patched) if patched.is_rolling() => problems.push(rolling()),
            Ok(_) => {}
            Err(error) => problems.push(patch_failed(observed, &error)),
        }
    }
    problems
}

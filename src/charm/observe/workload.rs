//! The workload container, by what its Pebble answers.

use std::collections::BTreeMap;

use crate::charm::observed::{Container, Version, Workload};
use crate::kratos::Place;
use crate::kratos::names::OWNED_FILES;
use crate::pebble::{self, Client};

/// Reads plan, services, checks and the files that the charm owns, at the same time.
pub async fn workload(pebble: &Client, place: &Place) -> Workload {
    match container(pebble, place).await {
        Ok(container) => Workload::Reachable(container),
        Err(error) if error.is_connection() => {
            tracing::debug!("{error}");
            Workload::Unreachable
        }
        Err(error) => {
            tracing::warn!("the container's Pebble cannot be used: {error}");
            Workload::Unusable(error.to_string())
        }
    }
}

async fn container(pebble: &Client, place: &Place) -> Result<Container, pebble::Error> {
    let paths: Vec<String> = OWNED_FILES.iter().map(|path| place.path(path)).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let (plan, services, checks, files) =
        tokio::join!(pebble.plan(), pebble.services_all(), pebble.checks_all(), pebble.pull_many(&paths));
    let mut contents = BTreeMap::new();
    for (path, result) in OWNED_FILES.iter().zip(files?) {
        // A file that cannot be read is written anew.
        contents.insert((*path).to_owned(), result.ok());
    }
    Ok(Container {
        plan: plan?,
        services: services?,
        checks: checks?,
        files: contents,
        version: Version::NotAsked,
    })
}

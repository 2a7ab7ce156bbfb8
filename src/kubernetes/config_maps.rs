//! ConfigMaps that others fill for this application.
//!
//! Given the name that all applications of this charm share, [`locate`] finds the one of this application; [`create`]
//! makes one, [`adopt`] marks one that nobody owns. They belong to the application's StatefulSet, so that Kubernetes
//! removes them with it. A name that another application has is left to it: the second one in a namespace has its own
//! name before it. Their data is never written.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::access::{Connection, Patch};
use super::error::Error;
use super::objects::Metadata;
use super::stateful_set::StatefulSet;

const API: &str = "/api/v1";
const APP_LABEL: &str = "juju-app-name";
const MANAGER_LABEL: &str = "app.kubernetes.io/managed-by";

/// A ConfigMap of this application, or its place.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigMap {
    pub name: String,
    pub standing: Standing,
    pub data: BTreeMap<String, String>,
}

/// How a ConfigMap stands to this application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Missing,
    /// It is there and says nothing of an application.
    Unowned,
    Ours,
}

/// Only the keys of the data: it may hold secrets.
impl fmt::Debug for ConfigMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "ConfigMap({} {:?} {:?})",
            self.name,
            self.standing,
            Vec::from_iter(self.data.keys())
        )
    }
}

#[derive(Deserialize)]
struct ConfigMapObject {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

/// Finds the ConfigMap of an application: the one of the shared name, unless that is another application's.
pub async fn locate(
    connection: &mut Connection,
    shared: &str,
    application: &str,
) -> Result<ConfigMap, Error> {
    let found = read(connection, shared, application).await?;
    if let Some(Ok(found)) = &found
        && found.standing == Standing::Ours
    {
        return Ok(found.clone());
    }
    // One of its own name stays in use after the other application is gone.
    let own = format!("{application}-{shared}");
    if let Some(Ok(map)) = read(connection, &own, application).await? {
        return Ok(map);
    }
    let missing = |name: String| ConfigMap { name, standing: Standing::Missing, data: BTreeMap::new() };
    Ok(match found {
        Some(Ok(unowned)) => unowned,
        Some(Err(Foreign)) => missing(own),
        None => missing(shared.to_owned()),
    })
}

/// The ConfigMap is another application's.
struct Foreign;

async fn read(
    connection: &mut Connection,
    name: &str,
    application: &str,
) -> Result<Option<Result<ConfigMap, Foreign>>, Error> {
    match connection.get::<ConfigMapObject>(API, &format!("configmaps/{name}")).await {
        Ok(stored) => {
            let Some(standing) = standing(&stored.metadata, application) else {
                return Ok(Some(Err(Foreign)));
            };
            let data = stored.data.unwrap_or_default();
            Ok(Some(Ok(ConfigMap { name: name.to_owned(), standing, data })))
        }
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whose it is, by its label and else by its owner; `None`: another application's.
fn standing(metadata: &Metadata, application: &str) -> Option<Standing> {
    let labelled = metadata.labels.iter().flatten().find(|(name, _)| *name == APP_LABEL).map(|(_, app)| app);
    let owners = metadata.owner_references.iter().flatten().filter(|owner| owner.kind == "StatefulSet");
    let owned = owners.map(|owner| &owner.name).next();
    match labelled.or(owned) {
        Some(other) if other != application => None,
        // Without an owner it would outlive the application.
        Some(_) if owned.is_some() => Some(Standing::Ours),
        Some(_) | None => Some(Standing::Unowned),
    }
}

/// Creates an empty one of the StatefulSet.
pub async fn create(connection: &mut Connection, name: &str, owner: &StatefulSet) -> Result<(), Error> {
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(name, owner)});
    let path = format!("configmaps?fieldManager={}", owner.name());
    connection.create::<IgnoredAny>(API, &path, &body).await.map(|_| ())
}

/// Gives one that nobody owns to the StatefulSet.
pub async fn adopt(connection: &mut Connection, name: &str, owner: &StatefulSet) -> Result<(), Error> {
    let body = json!({"metadata": metadata(name, owner)});
    let path = format!("configmaps/{name}?fieldManager={}", owner.name());
    connection.patch::<IgnoredAny>(API, &path, Patch::StrategicMerge, &body).await.map(|_| ())
}

fn metadata(name: &str, owner: &StatefulSet) -> Value {
    json!({
        "name": name,
        "labels": {APP_LABEL: owner.name(), MANAGER_LABEL: "juju"},
        "ownerReferences": [owner.reference()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing_of(metadata: Value) -> Option<Standing> {
        standing(&serde_json::from_value(metadata).unwrap(), "kratos")
    }

    #[test]
    fn weakness_54_label_and_owner_tell_whose_it_is() {
        let owner =
            |name: &str| json!([{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name, "uid": "u"}]);
        assert_eq!(standing_of(json!({})), Some(Standing::Unowned));
        assert_eq!(standing_of(json!({"labels": {"x": "y"}})), Some(Standing::Unowned));
        assert_eq!(standing_of(json!({"labels": {"juju-app-name": "kratos"}})), Some(Standing::Unowned));
        assert_eq!(standing_of(json!({"ownerReferences": owner("kratos")})), Some(Standing::Ours));
        let both = json!({"labels": {"juju-app-name": "kratos"}, "ownerReferences": owner("kratos")});
        assert_eq!(standing_of(both), Some(Standing::Ours));
        assert_eq!(standing_of(json!({"ownerReferences": owner("other")})), None);
        assert_eq!(standing_of(json!({"labels": {"juju-app-name": "other"}})), None);
        // A second Python charm took the owner reference and left the label.
        let taken = json!({"labels": {"juju-app-name": "kratos"}, "ownerReferences": owner("other")});
        assert_eq!(standing_of(taken), Some(Standing::Ours));
    }

    #[test]
    fn debug_output_holds_no_data() {
        let data = BTreeMap::from([("idps.json".to_owned(), "sesame".to_owned())]);
        let map = ConfigMap { name: "oidc-providers".to_owned(), standing: Standing::Ours, data };
        assert_eq!(format!("{map:?}"), "ConfigMap(oidc-providers Ours [\"idps.json\"])");
    }
}

//! `Notices`: what Kubernetes has refused or not finished, kept for the next dispatch.
//!
//! Most dispatches ask Kubernetes nothing. While one of these holds, the leader or the unit goes on asking, so that the
//! status stays until the matter is mended. They are kept in this unit's databag of the peer relation.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::charm::observed::Observed;

/// The key in this unit's databag.
const KEY: &str = "kubernetes_notices";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notice {
    /// The application lacks `juju trust`.
    Trust,
    /// The resources of the StatefulSet could not be read or set.
    PatchFailed,
    /// Kubernetes replaces the pods.
    Rolling,
}

/// Those that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notices(BTreeSet<Notice>);

impl Notices {
    /// What the last dispatch kept. Text that is not ours counts as none.
    pub fn kept(observed: &Observed) -> Self {
        let text = observed.peers.as_ref().and_then(|peers| peers.unit.get(KEY));
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// Whether one of them is there.
    pub fn has_any(&self, notices: &[Notice]) -> bool {
        notices.iter().any(|notice| self.0.contains(notice))
    }

    /// The key of the databag and its value; `None` deletes.
    pub fn entry(&self) -> (String, Option<String>) {
        let text = (!self.0.is_empty()).then(|| serde_json::json!(self).to_string());
        (KEY.to_owned(), text)
    }
}

impl FromIterator<Notice> for Notices {
    fn from_iter<I: IntoIterator<Item = Notice>>(notices: I) -> Self {
        Self(notices.into_iter().collect())
    }
}

//! The stamp: a file in the workload that tells what the running services were started with and what they have loaded
//! since.
//!
//! It is digests only, one for each thing that forces a restart, so that a difference can be named. It is removed before
//! a restart begins and written after the services run; after a change that needs no restart it is written when Kratos has
//! loaded it. A dispatch that was killed in between therefore leaves a difference that the next one sees.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::kratos::names::CONFIG_PATH;
use crate::kratos::render::rendered::{digest, restarting};
use crate::pebble::Service;

/// The files of the workload by their path in the container; `None`: it should not be there.
pub type Files = BTreeMap<String, Option<String>>;

/// What runs, in digests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// What forces a restart, by its name.
    started: BTreeMap<String, String>,
    /// The digest of the kratos.yaml that was loaded last.
    loaded: String,
    /// The digest of the whole that Kratos refused after that: it is not tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Stamp {
    /// The stamp of services that were started with this.
    pub fn of(services: &BTreeMap<String, Service>, files: &Files) -> Self {
        let mut started = BTreeMap::new();
        let names: BTreeSet<&String> =
            services.values().flat_map(|service| service.environment.keys()).collect();
        for name in names {
            let values: Vec<_> = services.values().map(|service| service.environment.get(name)).collect();
            started.insert(format!("environment {name}"), short(&serde_json::json!(values).to_string()));
        }
        for (name, service) in services {
            let bare = Service { environment: BTreeMap::new(), ..service.clone() };
            started.insert(format!("service {name}"), short(&serde_json::json!(bare).to_string()));
        }
        let mut loaded = String::new();
        for (path, content) in files {
            let Some(content) = content else { continue };
            if path == CONFIG_PATH {
                loaded = short(content);
                started.extend(restarting(content.as_bytes()).into_iter().map(|(key, of)| (key, cut(of))));
            } else {
                // Kratos reads certificates and mail templates once.
                started.insert(path.clone(), short(content));
            }
        }
        Self { started, loaded, refused: None }
    }

    /// Reads a stamp; `None`: there is none that this charm understands.
    pub fn parse(text: Option<&[u8]>) -> Option<Self> {
        serde_json::from_slice(text?).ok()
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What differs from `desired` and forces a restart.
    pub fn forces(&self, desired: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.started.keys().chain(desired.started.keys()).collect();
        let differs = |name: &&&String| self.started.get(**name) != desired.started.get(**name);
        names.iter().filter(differs).map(|name| (**name).clone()).collect()
    }

    /// Whether Kratos has loaded this kratos.yaml.
    pub fn has_loaded(&self, desired: &Self) -> bool {
        self.loaded == desired.loaded
    }

    /// Whether `desired` is what was refused.
    pub fn has_refused(&self, desired: &Self) -> bool {
        self.refused.is_some() && self.refused == Some(desired.whole())
    }

    /// Whether it tells of the same as `other`, refusals aside.
    pub fn is_same(&self, other: &Self) -> bool {
        self.started == other.started && self.loaded == other.loaded
    }

    /// This, with `refused` noted.
    #[must_use]
    pub fn refusing(self, refused: &Self) -> Self {
        Self { refused: Some(refused.whole()), ..self }
    }

    fn whole(&self) -> String {
        short(&serde_json::json!([self.started, self.loaded]).to_string())
    }
}

/// Enough of a digest to see a change by.
fn short(text: &str) -> String {
    cut(digest(text))
}

fn cut(mut digest: String) -> String {
    digest.truncate(16);
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(dsn: &str) -> BTreeMap<String, Service> {
        let environment = BTreeMap::from([("DSN".to_owned(), dsn.to_owned())]);
        BTreeMap::from([("kratos".to_owned(), Service { environment, ..Service::default() })])
    }

    fn files(yaml: &str, ca: &str) -> Files {
        BTreeMap::from([
            (CONFIG_PATH.to_owned(), Some(yaml.to_owned())),
            ("/ca.pem".to_owned(), Some(ca.to_owned())),
        ])
    }

    #[test]
    fn what_forces_a_restart_is_named() {
        let stamp = Stamp::of(&services("a"), &files("log: {level: info}\nidentity: 1\n", "A"));
        let forced = |services, files| stamp.forces(&Stamp::of(&services, &files));
        assert!(forced(services("a"), files("log: {level: info}\nidentity: 2\n", "A")).is_empty());
        assert_eq!(forced(services("b"), files("log: {level: info}\n", "A")), ["environment DSN"]);
        assert_eq!(forced(services("a"), files("log: {level: warn}\n", "B")), ["/ca.pem", "log.level"]);
        let without = forced(BTreeMap::new(), files("identity: 1\n", "A"));
        assert_eq!(without, ["environment DSN", "log.level", "service kratos"]);
    }

    #[test]
    fn a_stamp_reads_back_and_another_format_is_none() {
        let stamp = Stamp::of(&services("sesame"), &files("identity: 1\n", "A"));
        let other = Stamp::of(&services("sesame"), &files("identity: 2\n", "A"));
        assert!(!stamp.has_loaded(&other) && !stamp.has_refused(&other));
        let marked = stamp.clone().refusing(&other);
        let back = Stamp::parse(Some(marked.to_text().as_bytes())).unwrap();
        assert_eq!(back, marked);
        assert!(back.has_refused(&other) && !back.has_refused(&stamp) && back.is_same(&stamp));
        assert!(!marked.to_text().contains("sesame"));
        for text in [None, Some(&b""[..]), Some(b"0f3a"), Some(b"{}")] {
            assert_eq!(Stamp::parse(text), None);
        }
    }
}

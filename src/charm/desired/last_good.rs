//! What ran before a change: the way back, should Kratos refuse what comes.
//!
//! It is written into the workload before the first change and removed when the change is through, so that a dispatch
//! that is killed in between leaves the next one a way back too. The services' environment holds secrets: it is part of
//! it only if it changes, and the file is readable by Kratos' own user alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::stamp::{Files, Stamp};
use super::workload::Running;
use crate::charm::observed::Container;
use crate::kratos::names::{COURIER, KRATOS, LAST_GOOD_PATH, STAMP_PATH};
use crate::pebble::Service;

/// Files and services that ran. No `Debug`: files hold secrets.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct LastGood {
    files: Files,
    /// `None`: those that should run now.
    services: Option<BTreeMap<String, Service>>,
}

impl LastGood {
    /// What ran before the change that a killed dispatch began, else what runs now, if that is what it was started with.
    pub fn of(container: &Container, running: &Running) -> Option<Self> {
        if let Some(Some(text)) = container.files.get(LAST_GOOD_PATH)
            && let Ok(good) = serde_json::from_slice(text)
        {
            return Some(good);
        }
        let stamp = Stamp::parse(container.files.get(STAMP_PATH)?.as_deref())?;
        let services = [KRATOS, COURIER]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), container.plan.services.get(name)?.clone())))
            .collect::<BTreeMap<_, _>>();
        let file = |path: &String| {
            let bytes = container.files.get(path).and_then(Option::as_ref);
            bytes.map(|bytes| String::from_utf8(bytes.clone())).transpose().ok()
        };
        let files = running.files.keys().map(|path| Some((path.clone(), file(path)?)));
        let files = files.collect::<Option<Files>>()?;
        let is_what_runs = Stamp::of(&services, &files).is_same(&stamp);
        let services = (services != running.layer.services).then_some(services);
        is_what_runs.then_some(Self { files, services })
    }

    /// What is to run in order to go back from `running`.
    pub fn instead_of(&self, running: &Running) -> Running {
        let mut back = running.clone();
        if let Some(services) = &self.services {
            back.layer.services.clone_from(services);
        }
        // A file that came with the refused change goes with it.
        for (path, content) in &mut back.files {
            *content = self.files.get(path).cloned().flatten();
        }
        back.stamp = Stamp::of(&back.layer.services, &back.files).refusing(&running.stamp);
        back
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

//! What the workload should run: the layer, its files, and whether the services are up.
//!
//! A running Kratos is left alone while anything is in doubt; it is stopped only when its database is gone.

use std::collections::BTreeMap;
use std::fmt;

use super::stamp::{Files, Stamp};
use crate::charm::observed::Observed;
use crate::charm::situation::{KratosSettings, Situation, Urls};
use crate::kratos::names::{
    ADMIN_PORT, ALIVE, CA_PATH, CONFIG_PATH, COURIER, KILL_DELAY, KRATOS, Place, READY,
};
use crate::kratos::render::courier::is_courier_needed;
use crate::kratos::render::environment::environment;
use crate::kratos::render::{files, rendered};
use crate::pebble::{Check, CheckLevel, HttpCheck, Layer, Override, Service, Startup};
use crate::postgres::Tls;

/// What the services should be doing.
#[derive(Clone, Debug)]
pub enum DesiredService {
    /// Whatever they do now: something is in doubt.
    AsItIs,
    /// Nothing, and no check may call that a failure.
    Stopped(Layer),
    Running(Running),
}

/// Services that should run, and with what. `Debug` names the files, whose contents may be secret.
#[derive(Clone)]
pub struct Running {
    pub layer: Layer,
    pub files: Files,
    pub is_courier: bool,
    /// The stamp while exactly this runs.
    pub stamp: Stamp,
    /// What Kratos answers once it has loaded its file; `None`: this Kratos has no revision.
    pub revision: Option<String>,
    /// The URLs of the identity schemas in the file, by their ids.
    pub schemas: Urls,
}

impl fmt::Debug for Running {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Running")
            .field("layer", &self.layer)
            .field("files", &self.files.keys())
            .field("is_courier", &self.is_courier)
            .finish_non_exhaustive()
    }
}

/// Decides what the services should be doing.
pub fn service(situation: &Situation<'_>) -> DesiredService {
    let observed = situation.observed;
    let Some(container) = observed.container() else { return DesiredService::AsItIs };
    match situation.kratos.as_ref().filter(|_| situation.blockers.is_empty()) {
        Some(kratos) => DesiredService::Running(running(situation, kratos)),
        None if is_database_gone(observed) && container.plan.services.contains_key(KRATOS) => {
            DesiredService::Stopped(stopped_layer(&observed.place))
        }
        None => DesiredService::AsItIs,
    }
}

/// Whether the database that the services were started with is gone. A second, newer relation does not help: until the
/// services restart with it, they keep writing to the removed database.
fn is_database_gone(observed: &Observed) -> bool {
    let Some(next) = observed.database() else { return true };
    let broken = observed.context.event.broken_relation();
    broken.is_some_and(|broken| broken.endpoint() == next.id.endpoint() && broken < &next.id)
}

fn running(situation: &Situation<'_>, kratos: &KratosSettings) -> Running {
    let (place, facts) = (&situation.observed.place, &kratos.facts);
    let layer = layer(place, &environment(facts));
    let ca = match facts.dsn.tls() {
        Tls::VerifyCa { ca_pem, .. } | Tls::VerifyFull { ca_pem, .. } => Some(ca_pem.clone()),
        Tls::Prefer | Tls::Disable | Tls::Allow | Tls::Require => None,
    };
    let kept = situation.schema_changes.kept();
    let config = rendered::finish(&kratos.config, &kept, facts.version.as_ref());
    let mut files: Files =
        files::files(facts).into_iter().map(|(path, content)| (path.to_owned(), content)).collect();
    files.insert(CONFIG_PATH.to_owned(), Some(config.text));
    files.insert(CA_PATH.to_owned(), ca);
    let stamp = Stamp::of(&layer.services, &files);
    let is_courier = situation.observed.is_leader && is_courier_needed(facts.smtp.as_ref());
    let schemas = kratos.schemas.iter().chain(&kept);
    let schemas = schemas.map(|(id, url)| (id.clone(), url.clone())).collect();
    Running { layer, files, is_courier, stamp, revision: config.revision, schemas }
}

fn layer(place: &Place, environment: &BTreeMap<String, String>) -> Layer {
    let config = place.path(CONFIG_PATH);
    let service = |summary: &str, command: String| Service {
        summary: Some(summary.to_owned()),
        command: Some(command),
        startup: Some(Startup::Disabled),
        override_: Some(Override::Replace),
        environment: environment.clone(),
        kill_delay: Some(KILL_DELAY.to_owned()),
        ..Service::default()
    };
    Layer {
        services: BTreeMap::from([
            (KRATOS.to_owned(), service("Kratos", format!("kratos serve all --config {config}"))),
            (
                COURIER.to_owned(),
                service("Kratos courier", format!("kratos courier watch --config {config}")),
            ),
        ]),
        checks: checks(place, None),
        ..Layer::default()
    }
}

/// The layer of services that do not run: a check that Pebble would go on with is switched off, else the
/// kubelet would restart a container in which nothing should run.
fn stopped_layer(place: &Place) -> Layer {
    Layer { checks: checks(place, Some(Startup::Disabled)), ..Layer::default() }
}

fn checks(place: &Place, startup: Option<Startup>) -> BTreeMap<String, Check> {
    let check = |name: &str, level: CheckLevel| Check {
        override_: Some(Override::Replace),
        level: Some(level),
        startup: startup.clone(),
        threshold: Some(3),
        http: Some(HttpCheck {
            url: Some(format!("http://{}:{ADMIN_PORT}/admin/health/{name}", place.check_host())),
            ..HttpCheck::default()
        }),
        ..Check::default()
    };
    BTreeMap::from([
        (READY.to_owned(), check(READY, CheckLevel::Ready)),
        (ALIVE.to_owned(), check(ALIVE, CheckLevel::Alive)),
    ])
}

//! What the workload should run: the layer, its files, and whether the services are up.
//!
//! A running Kratos is left alone while anything is in doubt; it is stopped only when its database is gone.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::facts::known_facts;
use super::observed::Observed;
use super::obstacles::obstacles;
use crate::integrations::database::CA_PATH;
use crate::kratos::Facts;
use crate::kratos::config::{self, KratosConfig};
use crate::kratos::environment::environment;
use crate::kratos::files;
use crate::kratos::place::{ADMIN_PORT, Place};
use crate::pebble::{Check, CheckLevel, HttpCheck, Layer, Override, Service, Startup};
use crate::postgres::Tls;

/// The label of the charm's layer (behaviour row 46).
pub const LAYER: &str = "kratos";
/// The service that answers requests.
pub const KRATOS: &str = "kratos";
/// The service that sends mails; one per application, on the leader.
pub const COURIER: &str = "courier";
/// The check that says whether requests are served.
pub const READY: &str = "ready";
/// The check that says whether the process lives.
pub const ALIVE: &str = "alive";
/// Holds the digest of what the running services were started with. It is written after they were, so that a
/// dispatch that was killed in between is made good by the next.
pub const STAMP_PATH: &str = "/etc/config/kratos/.started-with";

/// The files that the charm owns in the workload.
pub const OWNED_FILES: [&str; 6] = [
    config::PATH,
    CA_PATH,
    STAMP_PATH,
    files::RECOVERY_TEMPLATE,
    files::VERIFICATION_TEMPLATE,
    files::CERTIFICATES,
];

/// What the services should be doing.
#[derive(Clone, Debug)]
pub enum DesiredService {
    /// Whatever they do now: something is in doubt.
    AsItIs,
    /// Nothing, and no check may call that a failure.
    Stopped(Layer),
    Running(Running),
}

/// Services that should run, and with what.
#[derive(Clone, Debug)]
pub struct Running {
    pub layer: Layer,
    /// The files by their path in the container; `None`: it should not be there.
    pub files: BTreeMap<String, Option<String>>,
    pub is_courier: bool,
    /// The content of [`STAMP_PATH`] while exactly this runs.
    pub stamp: String,
}

/// Decides what the services should be doing.
pub fn desired_service(observed: &Observed) -> DesiredService {
    let Some(container) = observed.container() else { return DesiredService::AsItIs };
    if observed.databases.is_empty() {
        let is_ours = container.plan.services.contains_key(KRATOS);
        return if is_ours {
            DesiredService::Stopped(stopped_layer(&observed.place))
        } else {
            DesiredService::AsItIs
        };
    }
    if !obstacles(observed).is_empty() {
        return DesiredService::AsItIs;
    }
    match known_facts(observed) {
        Some(facts) => DesiredService::Running(running(observed, &facts)),
        None => DesiredService::AsItIs,
    }
}

fn running(observed: &Observed, facts: &Facts) -> Running {
    let place = &observed.place;
    let layer = layer(place, &environment(facts));
    let ca = match facts.dsn.tls() {
        Tls::VerifyCa { ca_pem, .. } => Some(ca_pem.clone()),
        Tls::Prefer | Tls::Disable | Tls::Require => None,
    };
    let mut files: BTreeMap<String, Option<String>> =
        files::files(facts).into_iter().map(|(path, content)| (path.to_owned(), content)).collect();
    files.insert(config::PATH.to_owned(), Some(KratosConfig::new(facts).to_yaml()));
    files.insert(CA_PATH.to_owned(), ca);
    let stamp = digest(&layer, &files);
    Running { layer, files, is_courier: observed.is_leader, stamp }
}

fn digest(layer: &Layer, files: &BTreeMap<String, Option<String>>) -> String {
    let whole = serde_json::json!([layer.services, files]).to_string();
    Sha256::digest(whole).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn layer(place: &Place, environment: &BTreeMap<String, String>) -> Layer {
    let config = place.path(config::PATH);
    let service = |summary: &str, command: String| Service {
        summary: Some(summary.to_owned()),
        command: Some(command),
        startup: Some(Startup::Disabled),
        override_: Some(Override::Replace),
        environment: environment.clone(),
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

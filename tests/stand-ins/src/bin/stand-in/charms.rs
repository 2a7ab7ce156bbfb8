//! The charms that are played: their endpoints, who answers there, and in which hooks.

use super::relation::{Answer, View, number};
use super::{certificates, identity, idp, logging, mail, routes, scrape, tracing, webhook};

/// One endpoint of a charm.
pub struct Endpoint {
    pub name: &'static str,
    /// The steps of a relation (`created`, `joined`, `changed`, `departed`) and other hooks in which the real charm
    /// writes; in config-changed all do.
    pub steps: &'static [&'static str],
    pub answer: fn(&View) -> Answer,
    /// The label of the secret that is made for each relation and goes with it.
    pub own_secret: Option<fn(&str) -> String>,
}

const fn endpoint(
    name: &'static str,
    steps: &'static [&'static str],
    answer: fn(&View) -> Answer,
) -> Endpoint {
    Endpoint { name, steps, answer, own_secret: None }
}

/// The charms by their names in metadata.yaml; postgresql-k8s has a program of its own.
const CHARMS: &[(&str, &[Endpoint])] = &[
    ("traefik-k8s", &[endpoint("traefik-route", &["changed"], routes::answer)]),
    ("hydra", &[endpoint("hydra-endpoint-info", &["created"], identity::hydra)]),
    (
        "identity-platform-login-ui-operator",
        &[
            endpoint("ui-endpoint-info", &["created"], identity::login_ui),
            endpoint("kratos-info", &[], identity::kratos_info),
        ],
    ),
    ("smtp-integrator", &[endpoint("smtp", &["created"], mail::answer)]),
    ("kratos-external-idp-integrator", &[endpoint("kratos-external-idp", &["joined"], idp::answer)]),
    ("tempo-coordinator-k8s", &[endpoint("tracing", &["changed"], tracing::answer)]),
    ("loki-k8s", &[endpoint("logging", &["joined", "changed"], logging::answer)]),
    (
        "prometheus-k8s",
        &[endpoint("metrics-endpoint", &["joined", "changed", "departed"], scrape::prometheus)],
    ),
    ("grafana-k8s", &[endpoint("grafana-dashboard", &["changed"], scrape::grafana)]),
    (
        "self-signed-certificates",
        &[endpoint("send-ca-cert", &["joined", "update-status"], certificates::answer)],
    ),
    (
        "kratos-webhook",
        &[
            Endpoint {
                name: "registration-webhook",
                steps: &["created"],
                answer: webhook::registration,
                own_secret: Some(|relation| format!("relation-{}-api-key-secret", number(relation))),
            },
            Endpoint {
                name: "login-webhook",
                steps: &["created"],
                answer: webhook::login,
                own_secret: Some(|relation| format!("relation-{}-login-api-key-secret", number(relation))),
            },
        ],
    ),
];

/// The endpoints of a charm, by its name in metadata.yaml.
pub fn endpoints(charm: &str) -> Option<&'static [Endpoint]> {
    CHARMS.iter().find(|(name, _)| *name == charm).map(|(_, endpoints)| *endpoints)
}

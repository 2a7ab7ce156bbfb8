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

const TRAEFIK: &[Endpoint] = &[endpoint("traefik-route", &["changed"], routes::answer)];
const HYDRA: &[Endpoint] = &[endpoint("hydra-endpoint-info", &["created"], identity::hydra)];
const LOGIN_UI: &[Endpoint] = &[
    endpoint("ui-endpoint-info", &["created"], identity::login_ui),
    endpoint("kratos-info", &[], identity::kratos_info),
];
const SMTP: &[Endpoint] = &[endpoint("smtp", &["created"], mail::answer)];
const IDP: &[Endpoint] = &[endpoint("kratos-external-idp", &["joined"], idp::answer)];
const TEMPO: &[Endpoint] = &[endpoint("tracing", &["changed"], tracing::answer)];
const LOKI: &[Endpoint] = &[endpoint("logging", &["joined", "changed"], logging::answer)];
const PROMETHEUS: &[Endpoint] =
    &[endpoint("metrics-endpoint", &["joined", "changed", "departed"], scrape::prometheus)];
const GRAFANA: &[Endpoint] = &[endpoint("grafana-dashboard", &["changed"], scrape::grafana)];
const CERTIFICATES: &[Endpoint] =
    &[endpoint("send-ca-cert", &["joined", "update-status"], certificates::answer)];
const WEBHOOKS: &[Endpoint] = &[
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
];

/// The endpoints of a charm, by its name in metadata.yaml.
pub fn endpoints(charm: &str) -> Option<&'static [Endpoint]> {
    Some(match charm {
        "traefik-k8s" => TRAEFIK,
        "hydra" => HYDRA,
        "identity-platform-login-ui-operator" => LOGIN_UI,
        "smtp-integrator" => SMTP,
        "kratos-external-idp-integrator" => IDP,
        "tempo-coordinator-k8s" => TEMPO,
        "loki-k8s" => LOKI,
        "prometheus-k8s" => PROMETHEUS,
        "grafana-k8s" => GRAFANA,
        "self-signed-certificates" => CERTIFICATES,
        "kratos-webhook" => WEBHOOKS,
        _ => return None,
    })
}

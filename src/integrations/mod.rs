//! One file per endpoint: a remote databag becomes typed data, typed data becomes our databag. No I/O.

#[cfg(test)]
mod any_databag;
pub mod certificates;
pub mod dashboard;
pub mod database;
pub mod external_idp;
pub mod hydra;
pub mod kratos_info;
mod log_rules;
pub mod logging;
pub mod login_ui;
pub mod metrics;
pub mod peers;
pub mod relation;
pub mod routes;
pub mod rules;
pub mod runs;
#[cfg(test)]
pub mod sample;
pub mod smtp;
pub mod topology;
pub mod tracing;
pub mod web_hooks;

pub use relation::{ByRelation, Endpoint, Relation, Remote, SecretContent, Sifted};

/// Every endpoint that is read as a [`Relation`], in the order in which they are read; database and peers are read
/// by their own rules.
pub const ENDPOINTS: &[Endpoint] = &[
    external_idp::ENDPOINT,
    hydra::ENDPOINT,
    login_ui::ENDPOINT,
    web_hooks::REGISTRATION,
    web_hooks::LOGIN,
    smtp::ENDPOINT,
    tracing::ENDPOINT,
    certificates::ENDPOINT,
    routes::PUBLIC,
    routes::INTERNAL,
    kratos_info::ENDPOINT,
    metrics::ENDPOINT,
    dashboard::ENDPOINT,
    logging::ENDPOINT,
];

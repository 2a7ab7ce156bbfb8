//! One file per endpoint: a remote databag becomes typed data, typed data becomes our databag. No I/O.

#[cfg(test)]
mod any_databag;
pub mod certificates;
pub mod dashboard;
pub mod database;
pub mod endpoint;
pub mod external_idp;
pub mod hydra;
pub mod kratos_info;
mod log_rules;
pub mod logging;
pub mod login_ui;
pub mod metrics;
pub mod peers;
mod publish;
mod related;
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

pub use endpoint::Endpoint;
pub use publish::{Features, Keys, Publication};
pub use related::{Problem, ReadContext, Related};
pub use relation::{Relation, SecretContent, first_three};

use related::Given;

/// Every endpoint that is read as a [`Relation`]: what is observed, understood and published follows from this table.
/// Problems are reported in its order. Database and peers are read by their own rules.
pub const ENDPOINTS: &[Endpoint] = &[
    external_idp::ENDPOINT,
    login_ui::ENDPOINT,
    certificates::ENDPOINT,
    web_hooks::REGISTRATION,
    web_hooks::LOGIN,
    hydra::ENDPOINT,
    smtp::ENDPOINT,
    tracing::ENDPOINT,
    routes::PUBLIC,
    logging::ENDPOINT,
    routes::INTERNAL,
    kratos_info::ENDPOINT,
    metrics::ENDPOINT,
    dashboard::ENDPOINT,
];

/// The endpoint of a name.
pub fn endpoint(name: &str) -> Option<&'static Endpoint> {
    ENDPOINTS.iter().find(|endpoint| endpoint.name == name)
}

/// Understands all relations: each endpoint reads its own.
pub fn read(relations: &[Relation], context: ReadContext<'_>) -> Related {
    let mut related = Related::default();
    let (mut problems, mut conflicts) = (Vec::new(), Vec::new());
    for endpoint in ENDPOINTS {
        let own = relations.iter().filter(|relation| relation.id.endpoint() == endpoint.name).collect();
        (endpoint.read)(&mut related, &mut Given::new(own, &mut problems, &mut conflicts), context);
    }
    problems.append(&mut conflicts);
    Related { problems, ..related }
}

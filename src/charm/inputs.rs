//! What other applications tell Kratos, gathered over all relations: what is used, and what is wrong with the rest.

use std::collections::BTreeSet;

use reqwest::Url;

use super::facts::workload_version;
use super::observed::Observed;
use crate::integrations::{
    ByRelation, Relation, Remote, Sifted, certificates, external_idp, hydra, logging, login_ui, routes, smtp,
    tracing, web_hooks,
};
use crate::juju::RelationId;
use crate::kratos::facts::login_ui::LoginUi;
use crate::kratos::facts::provider::OidcProvider;
use crate::kratos::facts::public_url::PublicUrl;
use crate::kratos::facts::smtp::Smtp;
use crate::kratos::facts::web_hook::WebHook;
use crate::kratos::names::KRATOS;
use crate::kratos::render::environment::MAIL_SERVER;

/// Everything that comes in through relations but the database.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Each with the relation that it came by, in the order of the relations' numbers; no id twice.
    pub providers: ByRelation<OidcProvider>,
    pub hydra_admin_url: Option<Url>,
    pub login_ui: LoginUi,
    pub registration_hooks: Vec<WebHook>,
    pub login_hooks: Vec<WebHook>,
    pub smtp: Option<Smtp>,
    pub otlp: Option<Url>,
    pub certificates: BTreeSet<String>,
    /// Where browsers reach Kratos.
    pub public_url: Option<PublicUrl>,
    /// Where other applications reach Kratos, unless directly.
    pub internal_url: Option<PublicUrl>,
    /// Which units of Loki take logs, and where.
    pub log_takers: logging::Takers,
    pub problems: Vec<Problem>,
}

/// Something of a relation that is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub relation: RelationId,
    /// Quotes no value that may be secret.
    pub reason: String,
}

/// Reads all of it. What is wrong costs no more than itself.
pub fn inputs(observed: &Observed) -> Inputs {
    let mut problems = Vec::new();
    let version = workload_version(observed);
    let providers = each(observed, external_idp::ENDPOINT.name, &mut problems, |relation| {
        external_idp::providers(relation, version.as_ref())
    });
    let (providers, doubles) = external_idp::join(sift(providers, &mut problems));
    let interfaces = each(observed, login_ui::ENDPOINT.name, &mut problems, login_ui::pages);
    let (login_ui, conflicts) = login_ui::join(sift(interfaces, &mut problems));
    let certificates = each(observed, certificates::ENDPOINT.name, &mut problems, certificates::certificates);
    let certificates = sift(certificates, &mut problems).into_iter().flat_map(|(_, found)| found).collect();
    let mut hooks = |endpoint: &str| {
        let hooks = each(observed, endpoint, &mut problems, web_hooks::hook);
        hooks.into_iter().map(|(_, hook)| hook).collect()
    };
    let (registration_hooks, login_hooks) =
        (hooks(web_hooks::REGISTRATION.name), hooks(web_hooks::LOGIN.name));
    let hydra_admin_url = first(observed, hydra::ENDPOINT.name, &mut problems, hydra::admin_url);
    let before = problems.len();
    let smtp = first(observed, smtp::ENDPOINT.name, &mut problems, smtp::server);
    let is_unusable = problems.len() > before;
    let smtp = smtp.or_else(|| if is_unusable { last_server(observed) } else { None });
    let otlp = first(observed, tracing::ENDPOINT.name, &mut problems, tracing::otlp);
    let routes = each(observed, routes::PUBLIC.name, &mut problems, routes::address);
    let (public_url, others) = routes::join(routes);
    let log_takers = each(observed, logging::ENDPOINT.name, &mut problems, logging::takers);
    let log_takers = sift(log_takers, &mut problems).into_iter().flat_map(|(_, found)| found).collect();
    let internal_url = first(observed, routes::INTERNAL.name, &mut problems, routes::address);
    problems.extend(
        doubles
            .into_iter()
            .chain(conflicts)
            .chain(others)
            .map(|(relation, reason)| Problem { relation, reason }),
    );
    Inputs {
        providers,
        hydra_admin_url,
        login_ui,
        registration_hooks,
        login_hooks,
        smtp,
        otlp,
        certificates,
        public_url,
        internal_url,
        log_takers,
        problems,
    }
}

/// What each relation of an endpoint says, by number.
fn each<T>(
    observed: &Observed,
    endpoint: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Relation) -> Remote<T>,
) -> ByRelation<T> {
    let mut found = Vec::new();
    for relation in observed.related(endpoint) {
        match read(relation) {
            Remote::Absent => {}
            Remote::Invalid(reason) => problems.push(Problem { relation: relation.id.clone(), reason }),
            Remote::Ready(data) => found.push((relation.id.clone(), data)),
        }
    }
    found
}

/// Of an endpoint with one relation at a time, the first that has something to use: two are there while one replaces
/// the other.
fn first<T>(
    observed: &Observed,
    endpoint: &str,
    problems: &mut Vec<Problem>,
    read: impl Fn(&Relation) -> Remote<T>,
) -> Option<T> {
    each(observed, endpoint, problems, read).into_iter().next().map(|(_, data)| data)
}

/// The mail server that is in use. While what the relation says cannot be used it stays: mails that cannot be sent are
/// given up after a few attempts.
fn last_server(observed: &Observed) -> Option<Smtp> {
    let service = observed.container()?.plan.services.get(KRATOS)?;
    Smtp::parse(service.environment.get(MAIL_SERVER)?)
}

/// The parts that are used.
fn sift<T>(found: ByRelation<Sifted<T>>, problems: &mut Vec<Problem>) -> ByRelation<T> {
    let mut used = Vec::new();
    for (relation, sifted) in found {
        let problem = |reason| Problem { relation: relation.clone(), reason };
        problems.extend(sifted.refused.into_iter().map(problem));
        used.push((relation, sifted.used));
    }
    used
}

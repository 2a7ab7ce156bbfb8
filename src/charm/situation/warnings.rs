//! Warnings: what is wrong although the services are configured and run.
//!
//! [`warnings`] gathers all of them, the first of equals first. Each text ends with what to do about it.

use super::cluster::{self, ClusterProblem};
use super::facts::{KratosSettings, StoredData};
use super::parsed::Parsed;
use super::schemas::SchemaChanges;
use crate::charm::observed::Observed;
use crate::charm::texts::{blocked, waiting};
use crate::integrations::{Problem, external_idp, kratos_info, routes};
use crate::juju::{Status, StatusKind};
use crate::kratos::Facts;
use crate::kratos::facts::smtp::Smtp;
use crate::kratos::render::courier::{Unsent, unsent};
use crate::kratos::render::stored::ConfigMapNames;

/// What the warnings follow from.
pub struct WarningFacts<'a> {
    pub observed: &'a Observed,
    pub parsed: &'a Parsed,
    pub stored: &'a StoredData,
    pub kratos: Option<&'a KratosSettings>,
    pub schema_changes: &'a SchemaChanges,
    pub cluster_problems: &'a [ClusterProblem],
}

/// All warnings.
pub fn warnings(known: &WarningFacts<'_>) -> Vec<Status> {
    let WarningFacts { observed, parsed, stored, .. } = known;
    let application = observed.application();
    let mut warnings: Vec<Status> = public_address(observed, parsed).into_iter().collect();
    warnings.extend(parsed.related.problems.iter().map(|problem| unusable(observed, problem)));
    if let Some(kratos) = known.kratos {
        warnings.extend(half_a_schema_set(application, &kratos.facts));
        warnings.extend(known.schema_changes.warning(application));
        warnings.extend(mail(application, &kratos.facts));
        let maps = cluster::config_map_names(observed);
        let maps = maps.unwrap_or_else(|| ConfigMapNames::usual(observed.namespace()));
        warnings.extend(kratos.notes.iter().map(|note| blocked(note.message(application, &maps))));
    }
    warnings.extend(limits(parsed));
    warnings.extend(fence(observed));
    warnings.extend(cluster::broken_schemas(observed, parsed, stored));
    warnings.extend(cluster::broken_providers(observed, stored));
    warnings.extend(known.cluster_problems.iter().map(|problem| problem.status.clone()));
    warnings
}

/// A fence that is still up after the dispatch tried to lift it belongs to a run that goes on elsewhere.
fn fence(observed: &Observed) -> Option<Status> {
    let (who, unit) = (observed.fence.as_ref()?, &observed.context.unit);
    Some(waiting(format!(
        "Writes are refused by the write fence of {who}: it goes when that run ends; see: juju run {unit} show-migrations"
    )))
}

fn limits(parsed: &Parsed) -> Option<Status> {
    let invalid = parsed.limits.as_ref().err()?;
    Some(blocked(format!("Failed obtaining resource limit spec: {invalid}")))
}

/// Without a public address identity providers cannot be told where to send browsers back (docs/behaviour.md#row-8 and
/// #row-9). That is no reason to stop configuring everything else (docs/behaviour.md#weakness-73).
fn public_address(observed: &Observed, parsed: &Parsed) -> Option<Status> {
    if parsed.related.public_url.is_some() {
        return None;
    }
    let is_read = observed.related(kratos_info::ENDPOINT.name).next().is_some();
    let is_routed = observed.related(routes::PUBLIC.name).next().is_some();
    let application = observed.application();
    let command = format!("juju integrate {application}:public-route traefik-k8s:traefik-route");
    if observed.related(external_idp::ENDPOINT.name).next().is_none() {
        // No other status would show it (docs/behaviour.md#weakness-26).
        let text = format!("{} says nothing without a public address", kratos_info::ENDPOINT.name);
        let text = if is_routed { text } else { format!("{text}: {command}") };
        return is_read.then(|| Status::new(StatusKind::Active, text));
    }
    Some(if is_routed {
        waiting("Waiting for public ingress")
    } else if is_read {
        let text = "Cannot send integration data without an external hostname. Please provide a traefik-route relation.";
        blocked(format!("{text} {command}"))
    } else {
        waiting(format!("Waiting for public ingress: {command}"))
    })
}

/// The data is the other application's to correct; ours is to show where it stands.
fn unusable(observed: &Observed, problem: &Problem) -> Status {
    let Problem { relation, reason } = problem;
    let (unit, endpoint) = (&observed.context.unit, relation.endpoint());
    let command = format!("juju show-unit {unit} --endpoint {endpoint}");
    blocked(format!("Cannot use what {relation} says: {reason}; look at it: {command}"))
}

/// Either option alone has no effect (docs/behaviour.md#row-52).
fn half_a_schema_set(application: &str, facts: &Facts) -> Option<Status> {
    let options = &facts.options;
    let (set, missing, example) = match (&options.identity_schemas, &options.default_identity_schema_id) {
        (Some(schemas), None) => {
            let first = schemas.keys().next().map_or("user_v1", String::as_str);
            ("identity_schemas", "default_identity_schema_id", first)
        }
        (None, Some(_)) => ("default_identity_schema_id", "identity_schemas", "@schemas.json"),
        _ => return None,
    };
    Some(blocked(format!(
        "Option {set} has no effect without {missing}: juju config {application} {missing}={example}, \
         or: juju config {application} --reset {set}"
    )))
}

/// Verification was asked for; recovery comes with every login user interface.
fn mail(application: &str, facts: &Facts) -> Option<Status> {
    if facts.smtp.as_ref().is_some_and(Smtp::is_login_in_the_clear) {
        return Some(blocked(
            "No mail is sent: Kratos does not log in over a connection that is not encrypted; encrypt it: \
             juju config smtp-integrator transport_security=starttls",
        ));
    }
    let command = format!("juju integrate {application}:smtp smtp-integrator:smtp");
    Some(match unsent(facts)? {
        Unsent::Verification => {
            blocked(format!("enable_verification=true needs a mail server, and there is none: {command}"))
        }
        Unsent::Recovery => Status::new(
            StatusKind::Active,
            format!("Recovery mails are not sent without a mail server: {command}"),
        ),
    })
}

//! What is wrong without standing in the way: the services are configured and run, but a person should know.

use super::cluster;
use super::facts::{known_facts, public_url};
use super::inputs::{Problem, inputs};
use super::observed::Observed;
use super::schemas;
use crate::integrations::{external_idp, kratos_info, routes};
use crate::juju::{Status, StatusKind};
use crate::kratos::Facts;
use crate::kratos::render::courier::{Unsent, unsent};
use crate::kratos::render::left_out::notes;
use crate::kratos::render::stored::ConfigMapNames;

/// Everything of that kind, the first of equals first. Each text ends with what to do about it.
pub fn complaints(observed: &Observed) -> Vec<Status> {
    let application = observed.application();
    let mut complaints: Vec<Status> = public_address(observed).into_iter().collect();
    complaints.extend(inputs(observed).problems.iter().map(|problem| unusable(observed, problem)));
    if let Some(facts) = known_facts(observed) {
        complaints.extend(half_a_schema_set(application, &facts));
        complaints.extend(schemas::complaint(observed));
        complaints.extend(mail(application, &facts));
        let maps = observed.config_map_names();
        let maps = maps.unwrap_or_else(|| ConfigMapNames::usual(observed.namespace()));
        let told = notes(&facts).into_iter().map(|note| note.message(application, &maps));
        complaints.extend(told.map(|text| Status::new(StatusKind::Blocked, text)));
    }
    complaints.extend(cluster::complaints(observed));
    complaints
}

/// Rows 8 and 9: without a public address identity providers cannot be told where to send browsers back. That is no
/// reason to stop configuring everything else (weakness 73).
fn public_address(observed: &Observed) -> Option<Status> {
    if public_url(observed).is_some() {
        return None;
    }
    let is_read = observed.related(kratos_info::ENDPOINT.name).next().is_some();
    let is_routed = observed.related(routes::PUBLIC.name).next().is_some();
    let application = observed.application();
    let command = format!("juju integrate {application}:public-route traefik-k8s:traefik-route");
    if observed.related(external_idp::ENDPOINT.name).next().is_none() {
        // Weakness 26: nobody else would notice.
        let text = format!("{} says nothing without a public address", kratos_info::ENDPOINT.name);
        let text = if is_routed { text } else { format!("{text}: {command}") };
        return is_read.then(|| Status::new(StatusKind::Active, text));
    }
    Some(if is_routed {
        Status::new(StatusKind::Waiting, "Waiting for public ingress")
    } else if is_read {
        let text = "Cannot send integration data without an external hostname. Please provide a traefik-route relation.";
        Status::new(StatusKind::Blocked, format!("{text} {command}"))
    } else {
        Status::new(StatusKind::Waiting, format!("Waiting for public ingress: {command}"))
    })
}

/// The data is the other application's to correct; ours is to show where it stands.
fn unusable(observed: &Observed, problem: &Problem) -> Status {
    let Problem { relation, reason } = problem;
    let (unit, endpoint) = (&observed.context.unit, relation.endpoint());
    let command = format!("juju show-unit {unit} --endpoint {endpoint}");
    Status::new(
        StatusKind::Blocked,
        format!("Cannot use what {relation} says: {reason}; look at it: {command}"),
    )
}

/// Either option alone has no effect (behaviour row 52).
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
    Some(Status::new(
        StatusKind::Blocked,
        format!(
            "Option {set} has no effect without {missing}: juju config {application} {missing}={example}, \
             or: juju config {application} --reset {set}"
        ),
    ))
}

/// Verification was asked for; recovery comes with every login user interface.
fn mail(application: &str, facts: &Facts) -> Option<Status> {
    let command = format!("juju integrate {application}:smtp smtp-integrator:smtp");
    Some(match unsent(facts)? {
        Unsent::Verification => Status::new(
            StatusKind::Blocked,
            format!("enable_verification=true needs a mail server, and there is none: {command}"),
        ),
        Unsent::Recovery => Status::new(
            StatusKind::Active,
            format!("Recovery mails are not sent without a mail server: {command}"),
        ),
    })
}

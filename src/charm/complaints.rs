//! What is wrong without standing in the way: the services are configured and run, but a person should know.

use super::cluster;
use super::facts::known_facts;
use super::observed::Observed;
use crate::juju::{Status, StatusKind};
use crate::kratos::Facts;
use crate::kratos::courier::{Unsent, unsent};

/// Everything of that kind, the first of equals first. Each text ends with what to do about it.
pub fn complaints(observed: &Observed) -> Vec<Status> {
    let mut complaints = Vec::new();
    if let Some(facts) = known_facts(observed) {
        let application = observed.application();
        complaints.extend(half_a_schema_set(application, &facts));
        complaints.extend(mail(application, &facts));
    }
    complaints.extend(cluster::complaints(observed));
    complaints
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

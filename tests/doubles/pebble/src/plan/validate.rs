//! What a layer, and then the plan combined from all layers, must obey.
//!
//! It is given sections and gives the first violation in Pebble's words: first the rules of one layer, then (after
//! combination) those that need the whole plan.

use std::collections::BTreeMap;

use super::{
    super::words,
    model::{Check, LogTarget, Sections, Service},
    order,
};

const ACTIONS: [&str; 6] = ["", "restart", "shutdown", "ignore", "success-shutdown", "failure-shutdown"];

/// The rules of one layer.
///
/// # Errors
/// The first violation.
pub fn layer(label: &str, sections: &Sections) -> Result<(), String> {
    if label.starts_with("pebble-") {
        return Err("cannot use reserved label prefix \"pebble-\"".into());
    }
    sections.services.iter().try_for_each(|(name, service)| layer_service(name, service))?;
    sections.checks.iter().try_for_each(|(name, check)| layer_check(name, check))?;
    sections.log_targets.iter().try_for_each(|(name, target)| layer_target(name, target))
}

fn layer_service(name: &str, service: &Service) -> Result<(), String> {
    match name {
        "" => return Err("cannot use empty string as service name".into()),
        "pebble" => return Err("cannot use reserved service name \"pebble\"".into()),
        dash if dash.starts_with('-') => {
            return Err(format!("cannot use service name {name:?}: starting with \"-\" not allowed"));
        }
        _ => {}
    }
    words::service_command(name, &service.command)
        .map_err(|error| format!("plan service {name:?} command invalid: {error}"))?;
    let on_check_failure =
        service.on_check_failure.iter().flatten().map(|(_, action)| ("on-check-failure", action));
    let actions = [("on-success", &service.on_success), ("on-failure", &service.on_failure)];
    for (field, action) in actions.into_iter().chain(on_check_failure) {
        if !ACTIONS.contains(&action.as_str()) {
            return Err(format!("plan service {name:?} {field} action {action:?} invalid"));
        }
    }
    match service.backoff_factor {
        Some(factor) if factor < 1.0 => {
            Err(format!("plan service {name:?} backoff-factor must be 1.0 or greater, not {factor}"))
        }
        _ => Ok(()),
    }
}

fn layer_check(name: &str, check: &Check) -> Result<(), String> {
    if name.is_empty() {
        return Err("cannot use empty string as check name".into());
    }
    if !["", "alive", "ready"].contains(&check.level.as_str()) {
        return Err(format!("plan check {name:?} level must be \"alive\" or \"ready\""));
    }
    if !["", "enabled", "disabled"].contains(&check.startup.as_str()) {
        return Err(format!("plan check {name:?} startup must be \"enabled\" or \"disabled\""));
    }
    for (field, duration) in [("period", check.period), ("timeout", check.timeout)] {
        if duration.is_some_and(|duration| duration.0 == 0) {
            return Err(format!("plan check {name:?} {field} must not be zero"));
        }
    }
    if let Some(exec) = &check.exec {
        words::split(&exec.command)
            .map_err(|error| format!("plan check {name:?} command invalid: {error}"))?;
    }
    Ok(())
}

fn layer_target(name: &str, target: &LogTarget) -> Result<(), String> {
    if name.is_empty() {
        return Err("cannot use empty string as log target name".into());
    }
    for label in target.labels.iter().flatten().map(|(label, _)| label) {
        if label.starts_with("pebble_") {
            return Err(format!("log target {name:?}: label {label:?} uses reserved prefix \"pebble_\""));
        }
    }
    match target.type_.as_str() {
        "" | "loki" | "opentelemetry" | "syslog" => Ok(()),
        other => Err(format!(
            "log target {name:?} has unsupported type {other:?}, must be \"loki\", \"opentelemetry\" or \"syslog\""
        )),
    }
}

/// The rules of the combined plan.
///
/// # Errors
/// The first violation.
pub fn plan(sections: &Sections) -> Result<(), String> {
    for (name, service) in &sections.services {
        if service.command.is_empty() {
            return Err(format!("plan must define \"command\" for service {name:?}"));
        }
    }
    sections.checks.iter().try_for_each(|(name, check)| plan_check(name, check, &sections.services))?;
    for (name, target) in &sections.log_targets {
        if target.type_.is_empty() {
            return Err(format!(
                "plan must define \"type\" (\"loki\", \"opentelemetry\" or \"syslog\") for log target {name:?}"
            ));
        }
        for service in &target.services {
            let service = service.strip_prefix('-').unwrap_or(service);
            if service != "all" && !sections.services.contains_key(service) {
                return Err(format!("log target {name:?} specifies unknown service {service:?}"));
            }
        }
        if target.location.is_empty() {
            return Err(format!("plan must define \"location\" for log target {name:?}"));
        }
    }
    let names: Vec<String> = sections.services.keys().cloned().collect();
    order::start(&sections.services, &names).map(|_| ())
}

fn plan_check(name: &str, check: &Check, services: &BTreeMap<String, Service>) -> Result<(), String> {
    let types = usize::from(check.http.is_some())
        + usize::from(check.tcp.is_some())
        + usize::from(check.exec.is_some());
    if types != 1 {
        return Err(format!("plan must specify one of \"http\", \"tcp\", or \"exec\" for check {name:?}"));
    }
    if check.http.as_ref().is_some_and(|http| http.url.is_empty()) {
        return Err(format!("plan must set \"url\" for http check {name:?}"));
    }
    if check.tcp.as_ref().is_some_and(|tcp| tcp.port == 0) {
        return Err(format!("plan must set \"port\" for tcp check {name:?}"));
    }
    if let Some(exec) = &check.exec {
        if exec.command.is_empty() {
            return Err(format!("plan must set \"command\" for exec check {name:?}"));
        }
        let context = &exec.service_context;
        if !context.is_empty() && !services.contains_key(context) {
            return Err(format!(
                "plan check {name:?} service context specifies non-existent service {context:?}"
            ));
        }
    }
    Ok(())
}

//! Reads the text of one layer into its sections, as strictly as Pebble does.
//!
//! It is given a label and YAML and gives [`Sections`]; unknown sections and fields, duplicate keys, wrong types and bad
//! durations are refused in Pebble's words. Line numbers count inside a section, because Pebble decodes each section from
//! its own re-written text.

use std::collections::BTreeMap;

use super::{
    super::duration::GoDuration,
    model::{Check, Context, ExecCheck, HttpCheck, LogTarget, Sections, Service, Strings, TcpCheck},
    node::{self, Node, Scalar},
};

/// The findings of one section: Go collects them and goes on.
#[derive(Default)]
struct Problems {
    unmarshal: Vec<String>,
    first: Option<String>,
}

impl Problems {
    fn type_error(&mut self, line: usize, node: &Node, wanted: &str) {
        self.unmarshal.push(format!("line {line}: cannot unmarshal {} into {wanted}", node.described()));
    }

    fn into_error(self) -> Option<String> {
        self.first.or_else(|| {
            let lines = self.unmarshal;
            (!lines.is_empty()).then(|| format!("yaml: unmarshal errors:\n  {}", lines.join("\n  ")))
        })
    }
}

/// Reads a layer.
///
/// # Errors
/// A sentence that begins `cannot parse layer "<label>"`, or names the section.
pub fn layer(label: &str, text: &str) -> Result<Sections, String> {
    let tree = node::parse(text).map_err(|error| format!("cannot parse layer {label:?}: {error}"))?;
    let entries = match tree {
        Node::Map(entries) => entries,
        node if node.is_null() => Vec::new(),
        other => {
            return Err(format!(
                "cannot parse layer {label:?}: yaml: unmarshal errors:\n  line 1: cannot unmarshal {} into map[string]yaml.Node",
                other.described()
            ));
        }
    };
    let mut sections = Sections::default();
    for (key, value) in &entries {
        let section = key_text(key);
        let mut problems = Problems::default();
        match section {
            "summary" | "description" => {
                text_of(value, 1, &mut problems);
            }
            "services" => sections.services = objects(value, "plan.Service", &mut problems, service),
            "checks" => sections.checks = objects(value, "plan.Check", &mut problems, check),
            "log-targets" => {
                sections.log_targets = objects(value, "plan.LogTarget", &mut problems, log_target);
            }
            other => return Err(format!("cannot parse layer {label:?}: unknown section {other:?}")),
        }
        if let Some(error) = problems.into_error() {
            return Err(format!("cannot parse layer {label:?} section {section:?}: {error}"));
        }
        null_object(section, value)?;
    }
    Ok(sections)
}

/// An object that is null is refused after decoding, with the kind and the name.
fn null_object(section: &str, value: &Node) -> Result<(), String> {
    let kind = match section {
        "services" => "service",
        "checks" => "check",
        "log-targets" => "log target",
        _ => return Ok(()),
    };
    let Node::Map(entries) = value else { return Ok(()) };
    match entries.iter().find(|(_, object)| object.is_null()) {
        Some((name, _)) => Err(format!("{kind} object cannot be null for {kind} {:?}", key_text(name))),
        None => Ok(()),
    }
}

fn key_text(key: &Node) -> &str {
    match key {
        Node::Scalar(_, text) => text,
        _ => "",
    }
}

/// The entries of a map with the line of each key; a duplicate is a finding.
fn entries<'a>(
    node: &'a Node,
    line: usize,
    wanted: &str,
    problems: &mut Problems,
) -> Vec<(&'a str, &'a Node, usize)> {
    let Node::Map(pairs) = node else {
        if !node.is_null() {
            problems.type_error(line, node, wanted);
        }
        return Vec::new();
    };
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found = Vec::new();
    let mut at = line;
    for (key, value) in pairs {
        let name = key_text(key);
        if let Some(earlier) = seen.get(name) {
            problems
                .unmarshal
                .push(format!("line {at}: mapping key {name:?} already defined at line {earlier}"));
        }
        seen.insert(name, at);
        found.push((name, value, at));
        at += 1 + value.lines();
    }
    found
}

type Reader<T> = fn(&mut T, &str, &Node, usize, &mut Problems) -> bool;

fn object<T: Default>(node: &Node, line: usize, wanted: &str, problems: &mut Problems, read: Reader<T>) -> T {
    let mut object = T::default();
    for (name, value, at) in entries(node, line, wanted, problems) {
        if !read(&mut object, name, value, at, problems) {
            problems.unmarshal.push(format!("line {at}: field {name} not found in type {wanted}"));
        }
    }
    object
}

fn objects<T: Default>(
    node: &Node,
    wanted: &str,
    problems: &mut Problems,
    read: Reader<T>,
) -> BTreeMap<String, T> {
    entries(node, 1, &format!("map[string]*{wanted}"), problems)
        .into_iter()
        .map(|(name, value, at)| (name.to_owned(), object(value, at + 1, wanted, problems, read)))
        .collect()
}

fn text_of(node: &Node, line: usize, problems: &mut Problems) -> String {
    match node {
        Node::Scalar(Scalar::Null, _) => String::new(),
        Node::Scalar(_, text) => text.clone(),
        other => {
            problems.type_error(line, other, "string");
            String::new()
        }
    }
}

fn list_of(node: &Node, line: usize, problems: &mut Problems) -> Vec<String> {
    match node {
        Node::List(items) => items.iter().map(|item| text_of(item, line, problems)).collect(),
        node if node.is_null() => Vec::new(),
        other => {
            problems.type_error(line, other, "[]string");
            Vec::new()
        }
    }
}

fn map_of(node: &Node, line: usize, problems: &mut Problems) -> Option<Strings> {
    if node.is_null() {
        return None;
    }
    let found = entries(node, line + 1, "map[string]string", problems);
    Some(found.into_iter().map(|(name, value, at)| (name.to_owned(), text_of(value, at, problems))).collect())
}

fn int_of(node: &Node, line: usize, problems: &mut Problems) -> Option<i64> {
    match node {
        Node::Scalar(Scalar::Null, _) => None,
        Node::Scalar(Scalar::Int, text) => match text.parse() {
            Ok(number) => Some(number),
            Err(_) => {
                problems.type_error(line, node, "int");
                None
            }
        },
        other => {
            problems.type_error(line, other, "int");
            None
        }
    }
}

fn duration_of(node: &Node, problems: &mut Problems) -> Option<GoDuration> {
    let parsed = match node {
        Node::Scalar(Scalar::Null, _) => return None,
        Node::Scalar(_, text) => GoDuration::parse(text).map_err(|_| format!("invalid duration {text:?}")),
        _ => Err("duration must be a YAML string".to_owned()),
    };
    match parsed {
        Ok(duration) => Some(duration),
        Err(error) => {
            problems.first.get_or_insert(error);
            None
        }
    }
}

fn float_of(node: &Node, problems: &mut Problems) -> Option<f64> {
    let parsed = match node {
        Node::Scalar(Scalar::Null, _) => return None,
        Node::Scalar(_, text) => text.parse().map_err(|_| format!("invalid floating-point number {text:?}")),
        _ => Err("value must be a YAML number".to_owned()),
    };
    match parsed {
        Ok(number) => Some(number),
        Err(error) => {
            problems.first.get_or_insert(error);
            None
        }
    }
}

fn context(to: &mut Context, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    match name {
        "environment" => to.environment = map_of(value, line, problems),
        "user-id" => to.user_id = int_of(value, line, problems),
        "user" => to.user = text_of(value, line, problems),
        "group-id" => to.group_id = int_of(value, line, problems),
        "group" => to.group = text_of(value, line, problems),
        "working-dir" => to.working_dir = text_of(value, line, problems),
        _ => return false,
    }
    true
}

fn service(to: &mut Service, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    match name {
        "summary" => to.summary = text_of(value, line, problems),
        "description" => to.description = text_of(value, line, problems),
        "startup" => to.startup = text_of(value, line, problems),
        "override" => to.override_ = text_of(value, line, problems),
        "command" => to.command = text_of(value, line, problems),
        "after" => to.after = list_of(value, line, problems),
        "before" => to.before = list_of(value, line, problems),
        "requires" => to.requires = list_of(value, line, problems),
        "on-success" => to.on_success = text_of(value, line, problems),
        "on-failure" => to.on_failure = text_of(value, line, problems),
        "on-check-failure" => to.on_check_failure = map_of(value, line, problems),
        "backoff-delay" => to.backoff_delay = duration_of(value, problems),
        "backoff-factor" => to.backoff_factor = float_of(value, problems),
        "backoff-limit" => to.backoff_limit = duration_of(value, problems),
        "kill-delay" => to.kill_delay = duration_of(value, problems),
        other => return context(&mut to.context, other, value, line, problems),
    }
    true
}

fn check(to: &mut Check, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    let inside = line + 1;
    let some = !value.is_null();
    match name {
        "override" => to.override_ = text_of(value, line, problems),
        "level" => to.level = text_of(value, line, problems),
        "startup" => to.startup = text_of(value, line, problems),
        "period" => to.period = duration_of(value, problems),
        "timeout" => to.timeout = duration_of(value, problems),
        "threshold" => to.threshold = int_of(value, line, problems).unwrap_or_default(),
        "http" => to.http = some.then(|| object(value, inside, "plan.HTTPCheck", problems, http_check)),
        "tcp" => to.tcp = some.then(|| object(value, inside, "plan.TCPCheck", problems, tcp_check)),
        "exec" => to.exec = some.then(|| object(value, inside, "plan.ExecCheck", problems, exec_check)),
        _ => return false,
    }
    true
}

fn http_check(to: &mut HttpCheck, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    match name {
        "url" => to.url = text_of(value, line, problems),
        "headers" => to.headers = map_of(value, line, problems),
        _ => return false,
    }
    true
}

fn tcp_check(to: &mut TcpCheck, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    match name {
        "port" => to.port = int_of(value, line, problems).unwrap_or_default(),
        "host" => to.host = text_of(value, line, problems),
        _ => return false,
    }
    true
}

fn exec_check(to: &mut ExecCheck, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    match name {
        "command" => to.command = text_of(value, line, problems),
        "service-context" => to.service_context = text_of(value, line, problems),
        other => return context(&mut to.context, other, value, line, problems),
    }
    true
}

fn log_target(to: &mut LogTarget, name: &str, value: &Node, line: usize, problems: &mut Problems) -> bool {
    match name {
        "type" => to.type_ = text_of(value, line, problems),
        "location" => to.location = text_of(value, line, problems),
        "services" => to.services = list_of(value, line, problems),
        "override" => to.override_ = text_of(value, line, problems),
        "labels" => to.labels = map_of(value, line, problems),
        _ => return false,
    }
    true
}

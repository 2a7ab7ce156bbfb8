//! The commands that there are: names, arguments, options, and the texts of help.

use std::fmt::Write;

use super::Fault;
use crate::hooks::Flag;
use crate::juju::STAND_INS;

/// One command.
pub(super) struct Spec {
    pub name: &'static str,
    aliases: &'static [&'static str],
    args: &'static str,
    purpose: &'static str,
    values: &'static [&'static [&'static str]],
    switches: &'static [&'static [&'static str]],
}

impl Spec {
    pub fn accepted(&self) -> Vec<Flag> {
        let values = self.values.iter().map(|names| Flag::value(names));
        values.chain(self.switches.iter().map(|names| Flag::switch(names))).collect()
    }
}

const FORMAT: &[&str] = &["format"];
const RESOURCE: &[&str] = &["resource"];
const CHANNEL: &[&str] = &["channel"];
const REVISION: &[&str] = &["revision"];
const CONFIG: &[&str] = &["config"];
const NUM_UNITS: &[&str] = &["n", "num-units"];
const WAIT: &[&str] = &["wait"];
const FORCE: &[&str] = &["force"];
const NO_PROMPT: &[&str] = &["no-prompt"];
const UTC: &[&str] = &["utc"];
const COLOR: &[&str] = &["color"];
const NO_COLOR: &[&str] = &["no-color"];

macro_rules! spec {
    ($name:literal, $aliases:expr, $args:literal, $purpose:literal, $values:expr, $switches:expr) => {
        Spec {
            name: $name,
            aliases: &$aliases,
            args: $args,
            purpose: $purpose,
            values: &$values,
            switches: &$switches,
        }
    };
}

const SPECS: &[Spec] = &[
    spec!("add-model", [], "NAME", "Names the model.", [], []),
    spec!("add-unit", [], "APP", "Adds units to an application.", [NUM_UNITS], []),
    spec!("cancel-task", [], "TASK...", "Cancels pending or running tasks.", [FORMAT], []),
    spec!(
        "config",
        [],
        "APP [KEY | KEY=VALUE...]",
        "Shows, sets or resets an application's configuration.",
        [FORMAT, &["reset"], &["file"]],
        []
    ),
    spec!(
        "debug-log",
        [],
        "",
        "Shows the model's log.",
        [&["limit"], &["n", "lines"], &["i", "include"], &["l", "level"]],
        [&["replay"], &["no-tail"]]
    ),
    spec!(
        "deploy",
        [],
        "CHARM [APP]",
        "Deploys a charm by its name, or from ./DIR or ./FILE.charm.",
        [CHANNEL, REVISION, RESOURCE, CONFIG, NUM_UNITS, &["base"]],
        [&["trust"], FORCE]
    ),
    spec!("integrate", ["relate"], "APP[:ENDPOINT] APP[:ENDPOINT]", "Relates two applications.", [], []),
    spec!(
        "refresh",
        [],
        "APP",
        "Gives an application another revision of its charm.",
        [CHANNEL, REVISION, RESOURCE, CONFIG, &["path"], &["base"]],
        [&["trust"], FORCE, &["force-units"]]
    ),
    spec!(
        "remove-application",
        [],
        "APP...",
        "Removes applications.",
        [],
        [NO_PROMPT, FORCE, &["destroy-storage"]]
    ),
    spec!(
        "remove-relation",
        [],
        "APP[:ENDPOINT] APP[:ENDPOINT] | RELATION-ID",
        "Removes a relation.",
        [],
        [FORCE]
    ),
    spec!(
        "remove-unit",
        [],
        "APP",
        "Removes units, highest number first.",
        [&["num-units"]],
        [NO_PROMPT, FORCE]
    ),
    spec!(
        "resolved",
        ["resolve"],
        "UNIT...",
        "Runs the failed hook of a unit again.",
        [],
        [&["no-retry"], &["all"]]
    ),
    spec!(
        "run",
        [],
        "UNIT... ACTION [KEY=VALUE...]",
        "Runs an action on units (APP/leader is the leader).",
        [WAIT, FORMAT, &["params"]],
        [&["background"], &["string-args"], UTC, COLOR, NO_COLOR]
    ),
    spec!("scale-application", [], "APP N", "Sets how many units an application has.", [], []),
    spec!("secrets", ["list-secrets"], "", "Lists the model's secrets.", [FORMAT, &["owner"]], []),
    spec!("show-operation", [], "OPERATION", "Shows an operation and its tasks.", [FORMAT], [UTC]),
    spec!(
        "show-secret",
        [],
        "ID | LABEL",
        "Shows a secret.",
        [FORMAT, &["r", "revision"]],
        [&["reveal"], &["revisions"]]
    ),
    spec!("show-task", [], "TASK", "Shows a task's results.", [WAIT, FORMAT], [&["watch"], UTC]),
    spec!(
        "show-unit",
        [],
        "UNIT...",
        "Shows units with their relation data.",
        [FORMAT, &["endpoint"]],
        [&["app"]]
    ),
    spec!(
        "status",
        [],
        "[APP|UNIT ...]",
        "Shows the model, or a part of it.",
        [FORMAT],
        [&["relations", "integrations"], COLOR, NO_COLOR, UTC]
    ),
    spec!(
        "trust",
        [],
        "APP",
        "Trusts an application with the cloud's credentials.",
        [&["scope"]],
        [&["remove"]]
    ),
];

/// The command of that name or alias.
pub(super) fn find(name: &str) -> Option<&'static Spec> {
    SPECS.iter().find(|spec| spec.name == name || spec.aliases.contains(&name))
}

/// All names, one a line, indented.
pub(super) fn names() -> String {
    SPECS.iter().map(|spec| format!("  {}", spec.name)).collect::<Vec<_>>().join("\n")
}

/// What `help` prints.
pub(super) fn overview() -> String {
    let mut text =
        String::from("The sandbox understands these juju commands (`help COMMAND` tells more):\n\n");
    for spec in SPECS {
        let _ = writeln!(text, "  {:<19} {}", spec.name, spec.purpose);
    }
    text.push_str("\nCharms that can be deployed by name: kratos, and stand-ins for\n\n");
    for (name, tracks) in STAND_INS {
        let channels: Vec<String> = tracks.iter().map(|track| format!("{track}/stable")).collect();
        let _ = writeln!(text, "  {name:<35} {}", channels.join(", "));
    }
    text
}

/// What `help COMMAND` prints.
pub(super) fn about(name: Option<&str>) -> Result<String, Fault> {
    let Some(name) = name else { return Ok(overview()) };
    let spec = find(name).ok_or_else(|| {
        Fault::Usage(format!("unknown command or topic for \"{name}\". The sandbox knows:\n{}", names()))
    })?;
    let mut text = format!(
        "Usage: juju {} [options] {}\n\n{}\n\n{}\n",
        spec.name,
        spec.args,
        spec.purpose,
        options(spec)
    );
    if !spec.aliases.is_empty() {
        let _ = writeln!(text, "Aliases: {}", spec.aliases.join(", "));
    }
    Ok(text)
}

/// The options of a command, one a line.
pub(super) fn options(spec: &Spec) -> String {
    let dashed = |names: &&[&str]| {
        let each = names.iter().map(|name| format!("{}{name}", if name.len() > 1 { "--" } else { "-" }));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut lines: Vec<String> =
        spec.values.iter().map(|names| format!("  {} VALUE", dashed(names))).collect();
    lines.extend(spec.switches.iter().map(|names| format!("  {}", dashed(names))));
    if lines.is_empty() {
        "It takes no options.".to_owned()
    } else {
        format!("Options:\n{}", lines.join("\n"))
    }
}

//! The log of Kratos: one line per event on standard error, as text (`time= level= msg= ...`) or as JSON.
//!
//! It is given a message and a JSON object of fields; it adds the time, the level and the fields that every line of
//! the program carries. Text and JSON both sort the fields, as the original's logger does.

use super::clock;
use super::version::Release;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Write;

/// Writes to standard output; a reader that has gone away is no reason to fail.
pub fn out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Writes to standard error.
pub fn err(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details for a developer.
    Debug,
    /// The normal course.
    Info,
    /// Something that is tried again.
    Warning,
    /// A request or a start that failed.
    Error,
    /// The program ends.
    Fatal,
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Fatal => "fatal",
        }
    }

    /// The least level that is printed under the configuration value `log.level`.
    pub fn configured(name: &str) -> Self {
        match name {
            "trace" | "debug" => Level::Debug,
            "warning" => Level::Warning,
            "error" => Level::Error,
            "fatal" | "panic" => Level::Fatal,
            _ => Level::Info,
        }
    }
}

/// A logger of one release, in one format, from one level upwards.
#[derive(Clone, Copy, Debug)]
pub struct Logger {
    /// The release named in every line.
    pub release: Release,
    /// JSON instead of text.
    pub json: bool,
    /// Lines below this level are dropped.
    pub level: Level,
}

impl Logger {
    /// The logger before any configuration is read: text, from level info.
    pub fn new(release: Release) -> Self {
        Logger { release, json: false, level: Level::Info }
    }

    /// Logs `msg` with `fields` (a JSON object).
    pub fn log(&self, level: Level, msg: &str, fields: Value) {
        let mut all = object(fields);
        all.entry("audience").or_insert_with(|| "application".into());
        all.insert("service_name".into(), "Ory Kratos".into());
        all.insert("service_version".into(), self.release.label().into());
        self.write(level, msg, all);
    }

    /// Logs at level info.
    pub fn info(&self, msg: &str, fields: Value) {
        self.log(Level::Info, msg, fields);
    }

    /// Logs at level warning, with `error` as the field of that name.
    pub fn warning(&self, msg: &str, error: Value) {
        self.log(Level::Warning, msg, json!({ "error": error }));
    }

    /// Logs a request; those lines carry no name of the service.
    pub fn access(&self, msg: &str, fields: Value) {
        self.write(Level::Info, msg, object(fields));
    }

    fn write(&self, level: Level, msg: &str, fields: Map<String, Value>) {
        if level < self.level {
            return;
        }
        let mut fields: BTreeMap<String, Value> = fields.into_iter().collect();
        let line = if self.json {
            fields.insert("level".into(), level.label().into());
            fields.insert("msg".into(), msg.into());
            fields.insert("time".into(), clock::nanoseconds().into());
            serde_json::to_string(&fields).unwrap_or_default()
        } else {
            let mut line = format!("time={} level={} msg={msg}", clock::seconds(), level.label());
            for (key, value) in &fields {
                line.push_str(&format!(" {key}={}", go_text(value)));
            }
            line
        };
        err(&format!("{line}\n"));
    }
}

fn object(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A value as Go prints it: `map[a:1 b:[x y]]`, keys sorted, `<nil>` for null.
pub fn go_text(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(go_text).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let sorted: BTreeMap<_, _> = map.iter().collect();
            let pairs: Vec<_> =
                sorted.iter().map(|(key, value)| format!("{key}:{}", go_text(value))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::go_text;
    use serde_json::json;

    #[test]
    fn values_look_like_those_of_go() {
        let value = json!({"port": 1, "host": "h", "list": ["a", true], "none": null});
        assert_eq!(go_text(&value), "map[host:h list:[a true] none:<nil> port:1]");
    }
}

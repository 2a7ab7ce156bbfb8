//! The configuration: files merged, the environment on top, checked as the original's schema checks it.
//!
//! `migrate sql` only reads and merges the files; `serve` and `courier watch` [`load`] them: with the environment,
//! checked, and with the identity schemas that they name.

mod conditions;
mod environment;
mod extension;
mod outline;
mod validate;

use super::version::Release;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Why a configuration cannot be used.
#[derive(Clone, Debug)]
pub struct Invalid {
    /// The block for humans, printed before anything else; empty if a file could not be read.
    pub block: String,
    /// The error.
    pub message: String,
    /// The format of the log that the configuration asked for, as far as it was read.
    pub json_log: bool,
}

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The merged values.
    pub value: Value,
    /// The identity schemas: id, URL, document.
    pub schemas: Vec<(String, String, Value)>,
}

impl Config {
    /// A text, by its path.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        path.iter().try_fold(&self.value, |value, key| value.get(key))?.as_str()
    }

    /// A switch, by its path, with its default.
    pub fn flag(&self, path: &[&str], default: bool) -> bool {
        path.iter()
            .try_fold(&self.value, |value, key| value.get(key))
            .and_then(Value::as_bool)
            .unwrap_or(default)
    }

    /// Host and port of the listener `public` or `admin`.
    pub fn address(&self, listener: &str) -> (String, u16) {
        let serve = &self.value["serve"][listener];
        let default = if listener == "admin" { 4434 } else { 4433 };
        let port = serve["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap_or(default);
        (serve["host"].as_str().unwrap_or("0.0.0.0").to_owned(), port)
    }

    /// The URL at which a listener is reached from outside, without a slash at its end.
    pub fn base_url(&self, listener: &str) -> String {
        let given = self.text(&["serve", listener, "base_url"]);
        let (host, port) = self.address(listener);
        given.map_or_else(|| format!("http://{host}:{port}"), |url| url.trim_end_matches('/').to_owned())
    }

    /// What `/admin/health/config` answers: the revision, else a hash of the values.
    pub fn revision(&self) -> String {
        match self.text(&["revision"]).filter(|revision| !revision.is_empty()) {
            Some(revision) => revision.to_owned(),
            None => Sha256::digest(self.value.to_string()).iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The address under which the public port shows an identity schema.
    pub fn schema_url(&self, id: &str) -> String {
        format!("{}/schemas/{}", self.base_url("public"), URL_SAFE_NO_PAD.encode(id))
    }
}

/// Reads, merges, overrides and checks, and then looks at the identity schemas, as at a start.
pub fn load(files: &[String], release: Release) -> Result<Config, Invalid> {
    let config = read(files, release)?;
    let json_log = config.value["log"]["format"] == "json";
    match fault_of_schemas(&config) {
        Some(message) => Err(Invalid { block: String::new(), message, json_log }),
        None => Ok(config),
    }
}

/// What the original has against the identity schemas.
pub fn fault_of_schemas(config: &Config) -> Option<String> {
    config.schemas.iter().find_map(|(_, _, document)| extension::fault(document))
}

/// Reads, merges, overrides and checks; reads the identity schemas, but does not look into them.
pub fn read(files: &[String], release: Release) -> Result<Config, Invalid> {
    let failed = |message: String, value: &Value| Invalid {
        block: String::new(),
        message,
        json_log: value["log"]["format"] == "json",
    };
    let mut value = read_files(files).map_err(|message| failed(message, &Value::Null))?;
    let outline = outline::of(release);
    environment::apply(&outline, &mut value, &|name| {
        std::env::var(name).ok().filter(|text| !text.is_empty())
    });
    if files.iter().any(|file| told_to_refuse(file)) {
        return Err(failed("I[#] S[#] a test wants this to be refused".to_owned(), &value));
    }
    let faults = validate::faults(&outline, &value);
    if !faults.is_empty() {
        let message = validate::message(&faults);
        return Err(Invalid { block: validate::block(&faults), message, json_log: false });
    }
    let mut schemas = Vec::new();
    for schema in value["identity"]["schemas"].as_array().into_iter().flatten() {
        let (id, url) = (&schema["id"], schema["url"].as_str().unwrap_or_default());
        let document = document(url).map_err(|message| failed(message, &value))?;
        schemas.push((id.as_str().unwrap_or_default().to_owned(), url.to_owned(), document));
    }
    Ok(Config { value, schemas })
}

/// A test's own reason to refuse: the configuration holds the text of the file `.refuse` beside it.
fn told_to_refuse(file: &str) -> bool {
    let path = std::path::Path::new(file).with_file_name(".refuse");
    let (Ok(text), Ok(config)) = (std::fs::read_to_string(path), std::fs::read_to_string(file)) else {
        return false;
    };
    config.contains(text.trim())
}

/// The identity schema behind a URL; one behind http(s) counts as a schema without rules, for lack of a network.
fn document(url: &str) -> Result<Value, String> {
    let text = if let Some(path) = url.strip_prefix("file://") {
        std::fs::read_to_string(path).map_err(|error| format!("open {path}: {}", reason(&error)))?
    } else if let Some(data) = url.strip_prefix("base64://") {
        let bytes = STANDARD.decode(data).or_else(|_| URL_SAFE_NO_PAD.decode(data));
        let bytes = bytes.map_err(|error| format!("illegal base64 data: {error}"))?;
        String::from_utf8(bytes).map_err(|_| "illegal base64 data: not text".to_owned())?
    } else {
        return Ok(Value::Object(Map::new()));
    };
    serde_json::from_str(&text).map_err(|error| format!("unable to parse the identity schema {url}: {error}"))
}

/// Reads and merges `files`, later over earlier; the error is the message of the original.
pub fn read_files(files: &[String]) -> Result<Value, String> {
    let mut merged = Value::Object(Map::new());
    for file in files {
        let text =
            std::fs::read_to_string(file).map_err(|error| format!("open {file}: {}", reason(&error)))?;
        let value: Value = serde_yaml::from_str(&text).map_err(|error| format!("yaml: {error}"))?;
        match value {
            Value::Object(_) => merge(&mut merged, value),
            Value::Null => {}
            _ => return Err("yaml: unmarshal errors: the document is not a map".into()),
        }
    }
    Ok(merged)
}

/// The reason of an I/O error in the words of Go: lower case, no number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(release: Release, change: impl Fn(&mut Value)) -> String {
        let mut value = json!({
            "dsn": "postgres://h/d",
            "identity": {"schemas": [{"id": "default", "url": "file:///s.json"}]},
            "selfservice": {"default_browser_return_url": "http://localhost/"},
            "serve": {"admin": {"port": 4434}},
        });
        change(&mut value);
        validate::message(&validate::faults(&outline::of(release), &value))
    }

    #[test]
    fn faults_are_worded_as_recorded() {
        let new = |change: fn(&mut Value)| fault(Release::V26_2_0, change);
        assert_eq!(
            new(|v| v["log"] = json!({"level": "loud"})),
            r#"I[#/log/level] S[#/properties/log/properties/level/enum] value must be one of "trace", "debug", "info", "warning", "error", "fatal", "panic""#
        );
        assert_eq!(
            new(|v| v["identity"] = json!({})),
            r#"I[#/identity] S[#/properties/identity/required] missing properties: "schemas""#
        );
        assert_eq!(
            new(|v| v["serve"]["admin"]["port"] = "abc".into()),
            "I[#/serve/admin/port] S[#/properties/serve/properties/admin/properties/port/type] expected integer, but got string"
        );
        assert_eq!(
            new(|v| v["secrets"] = json!({"cipher": ["short"]})),
            "I[#/secrets/cipher/0] S[#/properties/secrets/properties/cipher/items/minLength] length must be >= 32, but got 5"
        );
        assert_eq!(
            new(|v| v["foo"] = 1.into()),
            r#"I[#] S[#/additionalProperties] additionalProperties "foo" not allowed"#
        );
    }

    #[test]
    fn what_one_release_takes_another_refuses() {
        let revision = |v: &mut Value| v["revision"] = "7".into();
        assert_eq!(validate::faults(&outline::of(Release::V26_2_0), &json!({})).len(), 3);
        assert!(fault(Release::V1_3_1, revision).contains(r#"additionalProperties "revision" not allowed"#));
        assert_eq!(fault(Release::V25_4_0, revision), "I[#] S[#] validation failed");
        let hooks = |hook: Value| {
            move |v: &mut Value| v["selfservice"]["flows"] = json!({"login": {"after": {"hooks": [hook]}}})
        };
        let web = json!({"hook": "web_hook", "config": {"url": "http://h/", "method": "POST"}});
        assert_eq!(fault(Release::V26_2_0, hooks(web)), "I[#] S[#] validation failed");
        assert!(fault(Release::V26_2_0, hooks(json!({"hook": "web_hook"}))).ends_with("anyOf failed"));
    }
}

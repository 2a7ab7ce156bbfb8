//! What can be told from the text of a kratos.yaml: what in it forces a restart, and its identity schemas; and how the
//! text is finished before it is handed to Kratos.
//!
//! Given a rendered file, [`finish`] adds the identity schemas that must not go yet and the revision by which a running
//! Kratos tells that it has loaded exactly this text. Kratos follows its file, but not all of it: [`restarting`] finds
//! what it reads only when it starts.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::config::is_live;
use crate::kratos::version::WorkloadVersion;
use crate::yaml;

/// The key whose value `GET /admin/health/config` answers.
const REVISION: &str = "revision";

/// A file as it is pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub text: String,
    /// What Kratos answers once it has loaded the text; `None`: this Kratos cannot tell.
    pub revision: Option<String>,
}

/// Adds `kept` (URLs of identity schemas by id) and, for a Kratos that knows the key, the revision.
pub fn finish(text: &str, kept: &BTreeMap<String, String>, version: Option<&WorkloadVersion>) -> Finished {
    let Some(mut whole) = parse(text.as_bytes()) else {
        return Finished { text: text.to_owned(), revision: None };
    };
    if let Some(schemas) = whole.pointer_mut("/identity/schemas").and_then(Value::as_array_mut) {
        schemas.extend(kept.iter().map(|(id, url)| serde_json::json!({"id": id, "url": url})));
    }
    let mut revision = None;
    if version.is_some_and(WorkloadVersion::has_revision)
        && let Some(map) = whole.as_object_mut()
    {
        map.remove(REVISION);
        let own = digest(&serde_json::to_string(map).unwrap_or_default());
        map.insert(REVISION.to_owned(), own.clone().into());
        revision = Some(own);
    }
    Finished { text: yaml::text(&whole), revision }
}

/// What forces a restart: the digest of each value, by its path with dots.
pub fn restarting(text: &[u8]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let whole = parse(text).unwrap_or_default();
    for (key, value) in whole.as_object().into_iter().flatten() {
        if key != REVISION && !is_live(key) {
            leaves(key, value, &mut found);
        }
    }
    found
}

/// The URLs of the identity schemas by their ids.
pub fn schemas(text: &[u8]) -> BTreeMap<String, String> {
    let whole = parse(text).unwrap_or_default();
    let entries = whole.pointer("/identity/schemas").and_then(Value::as_array);
    let pair = |entry: &Value| Some((entry["id"].as_str()?.to_owned(), entry["url"].as_str()?.to_owned()));
    entries.into_iter().flatten().filter_map(pair).collect()
}

/// The id of the schema that new identities get.
pub fn default_schema(text: &[u8]) -> Option<String> {
    Some(parse(text)?.pointer("/identity/default_schema_id")?.as_str()?.to_owned())
}

/// The digest of a text: 64 hexadecimal digits.
pub fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(text: &[u8]) -> Option<Value> {
    serde_yaml::from_slice(text).ok()
}

fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                leaves(&format!("{path}.{key}"), value, found);
            }
        }
        other => drop(found.insert(path.to_owned(), digest(&other.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "serve:\n  admin:\n    port: 4434\nlog:\n  level: info\nselfservice:\n  lifespan: 1h\n\
                        identity:\n  schemas:\n  - id: '007'\n    url: base64://e30=\n";

    fn version(text: &str) -> Option<WorkloadVersion> {
        WorkloadVersion::parse(text)
    }

    #[test]
    fn only_what_is_read_at_the_start_forces_a_restart() {
        let before = restarting(FILE.as_bytes());
        assert_eq!(before.keys().collect::<Vec<_>>(), ["log.level", "serve.admin.port"]);
        assert_eq!(restarting(FILE.replace("1h", "2h").as_bytes()), before);
        let changed = restarting(FILE.replace("4434", "4444").as_bytes());
        assert!(changed["log.level"] == before["log.level"] && changed != before);
    }

    #[test]
    fn the_revision_follows_the_content_and_old_programs_are_not_told() {
        let none = BTreeMap::new();
        let first = finish(FILE, &none, version("v25.4.0").as_ref());
        let value = parse(first.text.as_bytes()).unwrap();
        assert_eq!(value["revision"].as_str(), first.revision.as_deref());
        assert_eq!(value["identity"]["schemas"][0]["id"], "007");
        assert_eq!(finish(FILE, &none, version("v26.2.0").as_ref()), first);
        let other = finish(&FILE.replace("1h", "2h"), &none, version("v26.2.0").as_ref());
        assert_ne!(other.revision, first.revision);
        for old in [version("v1.3.1"), None] {
            let file = finish(FILE, &none, old.as_ref());
            assert!(file.revision.is_none() && !file.text.contains("revision"), "{}", file.text);
        }
    }

    #[test]
    fn schemas_that_are_kept_stand_beside_the_others() {
        let kept = BTreeMap::from([("old".to_owned(), "base64://e30=".to_owned())]);
        let file = finish(FILE, &kept, None);
        assert_eq!(schemas(file.text.as_bytes()).into_keys().collect::<Vec<_>>(), ["007", "old"]);
        assert!(schemas(b"no: [yaml").is_empty());
    }
}

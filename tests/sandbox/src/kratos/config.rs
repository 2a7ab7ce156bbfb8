//! The configuration: files merged, the environment on top, checked as the original's schema checks it.

use serde_json::{Map, Value};

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
pub fn reason(error: &std::io::Error) -> String {
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

//! JSON request bodies, read as strictly and as loosely as Go's decoder does, with its error sentences.
//!
//! It is given the bytes of a body and gives typed fields: unknown fields are ignored, null means unset, only the first
//! JSON value counts.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    duration::GoDuration,
    respond::{Failure, bad},
};

/// The fields of a JSON object, with the words that its errors need.
pub struct Fields {
    values: Map<String, Value>,
    context: &'static str,
    structure: &'static str,
}

/// Reads the first JSON value of a body.
///
/// # Errors
/// Go's words for what is wrong: `EOF`, `unexpected EOF`, `invalid character ...`.
pub fn first_value(body: &[u8]) -> Result<Value, String> {
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    match values.next() {
        None => Err("EOF".into()),
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if error.is_eof() => Err("unexpected EOF".into()),
        Some(Err(error)) => Err(syntax(body, &error)),
    }
}

/// Go's sentence for the character at which the text stops being JSON.
fn syntax(body: &[u8], error: &serde_json::Error) -> String {
    let text = String::from_utf8_lossy(body);
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let at = error.column().saturating_sub(1);
    let character = line.chars().nth(at).unwrap_or('\n');
    for literal in ["null", "true", "false"] {
        let start = line[..line.len().min(at)].rfind(&literal[..1]);
        if let Some(start) = start
            && let Some(expected) = literal.chars().nth(at - start)
            && line.get(start..at) == literal.get(..at - start)
        {
            return format!("invalid character {character:?} in literal {literal} (expecting {expected:?})");
        }
    }
    format!("invalid character {character:?} looking for beginning of value")
}

fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Fields {
    /// Reads a body that must be a JSON object. `context` begins every error, `structure` is the name of Go's type.
    ///
    /// # Errors
    /// 400 with Go's sentence.
    pub fn read(body: &[u8], context: &'static str, structure: &'static str) -> Result<Self, Failure> {
        match first_value(body).map_err(|error| bad(format!("{context}: {error}")))? {
            Value::Object(values) => Ok(Self { values, context, structure }),
            Value::Null => Ok(Self { values: Map::new(), context, structure }),
            other => Err(bad(format!(
                "{context}: json: cannot unmarshal {} into Go value of type {structure}",
                go_kind(&other)
            ))),
        }
    }

    /// Takes an object that is already read.
    #[must_use]
    pub fn of(value: &Value, context: &'static str, structure: &'static str) -> Self {
        Self { values: value.as_object().cloned().unwrap_or_default(), context, structure }
    }

    fn wrong(&self, name: &str, value: &Value, wanted: &str) -> Failure {
        bad(format!(
            "{}: json: cannot unmarshal {} into Go struct field {}.{name} of type {wanted}",
            self.context,
            go_kind(value),
            self.structure
        ))
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    /// A string; empty when unset.
    ///
    /// # Errors
    /// 400 when it is something else.
    pub fn text(&self, name: &str) -> Result<String, Failure> {
        match self.get(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(other) => Err(self.wrong(name, other, "string")),
        }
    }

    /// A boolean; false when unset.
    ///
    /// # Errors
    /// 400 when it is something else.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.wrong(name, other, "bool")),
        }
    }

    /// A whole number, when set.
    ///
    /// # Errors
    /// 400 when it is something else.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.wrong(name, value, "int")),
        }
    }

    /// A list of strings; empty when unset.
    ///
    /// # Errors
    /// 400 when it (or an element) is something else.
    pub fn list(&self, name: &str) -> Result<Vec<String>, Failure> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| self.wrong(name, item, "string")))
                .collect(),
            Some(other) => Err(self.wrong(name, other, "[]string")),
        }
    }

    /// A map of strings; empty when unset.
    ///
    /// # Errors
    /// 400 when it (or a value) is something else.
    pub fn map(&self, name: &str) -> Result<BTreeMap<String, String>, Failure> {
        match self.get(name) {
            None => Ok(BTreeMap::new()),
            Some(Value::Object(fields)) => fields
                .iter()
                .map(|(key, value)| match value {
                    Value::Null => Ok((key.clone(), String::new())),
                    Value::String(text) => Ok((key.clone(), text.clone())),
                    other => Err(self.wrong(name, other, "string")),
                })
                .collect(),
            Some(other) => Err(self.wrong(name, other, "map[string]string")),
        }
    }

    /// The objects of a list; empty when unset.
    ///
    /// # Errors
    /// 400 when it is no list.
    pub fn objects(&self, name: &str, structure: &'static str) -> Result<Vec<Self>, Failure> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                Ok(items.iter().map(|item| Self::of(item, self.context, structure)).collect())
            }
            Some(other) => Err(self.wrong(name, other, structure)),
        }
    }

    /// The raw value, when set.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }

    /// A duration, when set and not empty; `label` begins the error.
    ///
    /// # Errors
    /// 400 `invalid <label>: time: ...`.
    pub fn duration(&self, name: &str, label: &str) -> Result<Option<GoDuration>, Failure> {
        let text = self.text(name)?;
        if text.is_empty() { Ok(None) } else { parse_duration(&text, label).map(Some) }
    }
}

/// Reads a duration of a request.
///
/// # Errors
/// 400 `invalid <label>: time: ...`.
pub fn parse_duration(text: &str, label: &str) -> Result<GoDuration, Failure> {
    GoDuration::parse(text).map_err(|error| bad(format!("invalid {label}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_are_worded_like_go() {
        let error = |body: &str| first_value(body.as_bytes()).err().unwrap_or_default();
        assert_eq!(error("not json"), "invalid character 'o' in literal null (expecting 'u')");
        assert_eq!(error(""), "EOF");
        assert_eq!(error("{"), "unexpected EOF");
        assert_eq!(error("xyz"), "invalid character 'x' looking for beginning of value");
    }

    #[test]
    fn only_the_first_value_counts_and_null_is_unset() {
        let fields = Fields::read(br#"{"a":null,"b":"x"} trailing"#, "cannot decode", "t").expect("readable");
        assert_eq!(fields.text("a").expect("unset"), "");
        assert_eq!(fields.text("b").expect("set"), "x");
        let error =
            Fields::read(br#"{"b":1}"#, "cannot decode", "").and_then(|f| f.text("b")).expect_err("a number");
        assert_eq!(
            error.message,
            "cannot decode: json: cannot unmarshal number into Go struct field .b of type string"
        );
    }
}

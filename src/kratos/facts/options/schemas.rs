//! The options with identity schemas.
//!
//! Kratos refuses its whole configuration for one schema that it cannot use, and takes a default that does not exist and
//! fails at every request; so both are refused here.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{InvalidOption, Reader};
use crate::kratos::schema::rules::{fault_of_id, fault_of_schema};

const SCHEMAS: &str = "identity_schemas";
const DEFAULT: &str = "default_identity_schema_id";
const EXAMPLE: &str = "@schemas.json";

impl Reader<'_> {
    /// A JSON object from schema id to JSON schema.
    pub(super) fn identity_schemas(&self) -> Result<Option<BTreeMap<String, Value>>, InvalidOption> {
        let Some(text) = self.text(SCHEMAS, EXAMPLE)? else { return Ok(None) };
        let refuse = |reason: String| {
            let expected = format!("it is a JSON object from schema ids to identity schemas, but {reason}");
            self.refuse(SCHEMAS, text, expected, EXAMPLE)
        };
        let schemas: BTreeMap<String, Value> = match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map.into_iter().collect(),
            Ok(_) => return refuse("it is JSON of another shape".to_owned()),
            Err(error) => {
                return refuse(format!("line {} column {} is no JSON", error.line(), error.column()));
            }
        };
        if schemas.is_empty() {
            return refuse("it is empty".to_owned());
        }
        for (id, schema) in &schemas {
            if let Some(fault) = fault_of_id(id).or_else(|| fault_of_schema(schema, self.version)) {
                let id: String = id.chars().take(40).flat_map(char::escape_debug).collect();
                return refuse(format!("of \"{id}\", {fault}"));
            }
        }
        Ok(Some(schemas))
    }

    /// The id of one of the schemas above. Without them it means nothing, which is no reason to refuse it.
    pub(super) fn default_identity_schema_id(&self) -> Result<Option<String>, InvalidOption> {
        const EXAMPLE: &str = "user_v1";
        let Some(id) = self.text(DEFAULT, EXAMPLE)?.map(str::trim) else { return Ok(None) };
        match self.identity_schemas()? {
            Some(schemas) if !schemas.contains_key(id) => {
                let known: Vec<&str> = schemas.keys().map(String::as_str).take(5).collect();
                let expected = format!("it is an id in {SCHEMAS} ({})", known.join(", "));
                self.refuse(DEFAULT, id, expected, EXAMPLE)
            }
            _ => Ok(Some(id.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Options;
    use super::*;

    fn parse(schemas: &str, default: Value) -> Result<Options, InvalidOption> {
        let config =
            BTreeMap::from([(SCHEMAS.to_owned(), Value::from(schemas)), (DEFAULT.to_owned(), default)]);
        Options::parse("kratos", &config, None)
    }

    fn user() -> Value {
        json!({"properties": {"traits": {"type": "object", "properties": {"email": {"type": "string"}}}}})
    }

    #[test]
    fn schemas_are_taken_as_they_are() {
        let text = json!({"user \u{1f600}": user(), "b: #": user()}).to_string();
        let options = parse(&text, "b: #".into()).unwrap();
        let set = options.schema_set().unwrap();
        assert_eq!(set.default_id, "b: #");
        assert_eq!(set.schemas["user \u{1f600}"], user());
        let alone = parse(&text, Value::Null).unwrap();
        assert!(alone.schema_set().is_none() && alone.identity_schemas.is_some());
        for text in ["unset", "", " \n"] {
            assert_eq!(
                parse(text, "unset".into()).unwrap(),
                Options::parse("kratos", &BTreeMap::new(), None).unwrap()
            );
        }
        assert!(parse("unset", "nobody".into()).unwrap().schema_set().is_none());
    }

    #[test]
    fn weakness_70_what_kratos_refuses_is_refused_first() {
        let cases = [
            ("[]".to_owned(), "it is JSON of another shape"),
            ("{".to_owned(), "line 1 column 1 is no JSON"),
            ("{}".to_owned(), "it is empty"),
            (json!({"": user()}).to_string(), "of \"\", the id is empty"),
            (json!({"a\nb": user()}).to_string(), "of \"a\\nb\", the id holds control characters"),
            (json!({"x".repeat(2049): user()}).to_string(), "the id is longer than 2048 bytes"),
            (json!({"a": []}).to_string(), "of \"a\", the schema is no JSON object"),
            (json!({"a": {"type": 3}}).to_string(), "no JSON schema (draft 7)"),
            (json!({"a": {"type": "object"}}).to_string(), "no properties.traits.properties"),
            (
                json!({"a": {"properties": {"traits": {"type": "string", "properties": {"b": {}}}}}})
                    .to_string(),
                "not of type object",
            ),
            (
                json!({"a": {"properties": {"traits": {"properties": {"b": {"ory.sh/kratos": 1}}}}}})
                    .to_string(),
                "what \"ory.sh/kratos\" holds",
            ),
        ];
        for (text, fault) in cases {
            let message = parse(&text, Value::Null).unwrap_err().to_string();
            assert!(message.contains(fault), "{message}");
            assert!(message.starts_with("Invalid option identity_schemas="), "{message}");
            assert!(message.ends_with("run: juju config kratos identity_schemas=@schemas.json"), "{message}");
        }
        let message = parse(&json!({"a": user()}).to_string(), "b".into()).unwrap_err().to_string();
        assert_eq!(
            message,
            "Invalid option default_identity_schema_id=b: it is an id in identity_schemas (a); \
             run: juju config kratos default_identity_schema_id=user_v1"
        );
    }
}

//! An identity schema as something to check traits against, as Kratos checks them.
//!
//! Kratos reads JSON schema draft 7, demands the formats that it knows, and checks an identity as an object with the one
//! key `traits`. What is found is told by path and rule; a value of an identity is never repeated.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::rules::fault_of_schema;

/// A text of a schema that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it is no JSON (line {line} column {column})")]
    Json { line: usize, column: usize },
    #[error("an identity schema is a JSON object with properties.traits")]
    Shape,
    #[error("it is no JSON schema of draft 7: {0}")]
    Schema(String),
    #[error("Kratos would refuse it: {0}")]
    Refused(String),
    #[error("its address is not of the form that this charm writes (base64://…)")]
    Address,
}

/// Where traits do not fit, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// A JSON pointer into the identity, such as `/traits/email`.
    pub path: String,
    /// The keyword of the schema, with the name of a missing property.
    pub rule: String,
}

/// A schema that was understood.
#[derive(Debug)]
pub struct IdentitySchema(Validator);

impl IdentitySchema {
    /// Reads the text of a schema that Kratos does not have yet.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| Error::Json { line: error.line(), column: error.column() })?;
        let schema = Self::new(&document)?;
        match fault_of_schema(&document, None) {
            Some(fault) => Err(Error::Refused(fault)),
            None => Ok(schema),
        }
    }

    /// Reads the schema behind a URL of kratos.yaml.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::new(&document(url).ok_or(Error::Address)?)
    }

    fn new(document: &Value) -> Result<Self, Error> {
        if !document.pointer("/properties/traits").is_some_and(Value::is_object) {
            return Err(Error::Shape);
        }
        let options = jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(true);
        options.build(document).map(Self).map_err(|error| Error::Schema(error.to_string()))
    }

    /// Where the traits do not fit; nothing: they do.
    pub fn misfits(&self, traits: &Value) -> Vec<Misfit> {
        let identity = json!({ "traits": traits });
        let misfit = |error: jsonschema::ValidationError<'_>| Misfit {
            path: error.instance_path().to_string(),
            rule: match error.kind() {
                ValidationErrorKind::Required { property } => {
                    format!("required {}", property.as_str().unwrap_or_default())
                }
                kind => kind.keyword().to_owned(),
            },
        };
        self.0.iter_errors(&identity).map(misfit).collect()
    }
}

/// The document behind a URL of kratos.yaml, if it holds it itself.
pub fn document(url: &str) -> Option<Value> {
    let data = url.strip_prefix("base64://")?;
    let bytes = BASE64_STANDARD.decode(data).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(data)).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOCIAL: &str = include_str!("../render/identity_schemas/social_user_v0.json");

    fn misfits(traits: &Value) -> Vec<(String, String)> {
        let schema = IdentitySchema::parse(SOCIAL).unwrap();
        schema.misfits(traits).into_iter().map(|misfit| (misfit.path, misfit.rule)).collect()
    }

    #[test]
    fn misfits_are_told_by_path_and_rule() {
        assert!(misfits(&json!({"email": "ada@example.com"})).is_empty());
        assert_eq!(misfits(&json!({})), [("/traits".to_owned(), "required email".to_owned())]);
        let found = misfits(&json!({"email": "sesame", "name": 3}));
        let expected = [("/traits/email", "format"), ("/traits/name", "type")];
        assert_eq!(found, expected.map(|(path, rule)| (path.to_owned(), rule.to_owned())));
    }

    #[test]
    fn what_is_no_identity_schema_is_refused_with_a_reason() {
        let refused = |text: &str| IdentitySchema::parse(text).unwrap_err().to_string();
        assert_eq!(refused("{"), "it is no JSON (line 1 column 1)");
        for text in ["[]", "{}", r#"{"type": "object"}"#, r#"{"properties": {"traits": 3}}"#] {
            assert_eq!(refused(text), Error::Shape.to_string(), "{text}");
        }
        let bad = refused(r#"{"properties": {"traits": {"type": "thing"}}}"#);
        assert!(bad.starts_with("it is no JSON schema of draft 7: "), "{bad}");
        let unknown =
            refused(r#"{"properties": {"traits": {"properties": {"a": {"ory.sh/kratos": {"x": 1}}}}}}"#);
        assert!(unknown.starts_with("Kratos would refuse it: in the trait \"a\""), "{unknown}");
    }

    #[test]
    fn a_schema_is_read_from_the_url_that_this_charm_writes() {
        let url = format!("base64://{}", BASE64_STANDARD.encode(SOCIAL));
        assert!(IdentitySchema::from_url(&url).is_ok());
        for url in ["file:///schema.json", "base64://%", "http://example.com/"] {
            assert_eq!(IdentitySchema::from_url(url).unwrap_err(), Error::Address, "{url}");
        }
    }
}

//! An identity with the exact text of what a request may set.
//!
//! Kratos and PostgreSQL keep numbers of any length, a [`Value`] keeps 64 bits. So what is read to be written again is
//! kept as the text that it came in, and the value is for looking at.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The names of the parts of [`Plain`].
pub const PLAIN: [&str; 6] =
    ["schema_id", "traits", "state", "metadata_public", "metadata_admin", "external_id"];

/// What a request may set, credentials and addresses aside. What is null is none, as an older Kratos refuses what it does
/// not know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plain {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_id: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traits: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_public: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_admin: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Box<RawValue>>,
}

/// An identity as it was read.
pub struct Exact {
    pub value: Value,
    pub plain: Plain,
}

impl Exact {
    /// Reads the JSON of an identity.
    pub fn parse(text: &[u8]) -> serde_json::Result<Self> {
        Ok(Self { value: serde_json::from_slice(text)?, plain: serde_json::from_slice(text)? })
    }
}

/// An identity as it is written: in a request, or on a line of a file. It may hold a password or its hash.
#[derive(Serialize)]
pub struct Whole {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    #[serde(flatten)]
    pub plain: Plain,
    /// Credentials and addresses.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_of_any_length_stay_as_they_are() {
        let text = r#"{"id":"1","traits":{"n":123456789012345678901234567890,"f":0.10000000000000000001},"state":null}"#;
        let Exact { value, plain } = Exact::parse(text.as_bytes()).unwrap();
        assert_eq!(value["id"], "1");
        let more = Map::from_iter([("credentials".to_owned(), json!({}))]);
        let whole = Whole { id: Some(value["id"].clone()), plain, more };
        let expected = r#"{"id":"1","traits":{"n":123456789012345678901234567890,"f":0.10000000000000000001},"credentials":{}}"#;
        assert_eq!(serde_json::to_string(&whole).unwrap(), expected);
        assert!(Exact::parse(b"[]").is_err(), "an identity is an object");
    }
}

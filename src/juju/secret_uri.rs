//! The address of a Juju secret, in each of the three ways in which it is written.
//!
//! Given `secret:<id>`, `secret://<model-uuid>/<id>` or a bare id, [`SecretUri`] holds the id and, if there is one, the
//! model. The same secret is spelt differently by the two sides of a cross-model relation, hence the own equality.

use std::fmt;
use std::str::FromStr;

use super::error::{Error, Result};
use super::types::invalid;

/// The address of a secret.
///
/// Two are equal if their ids are, unless both name a model and the models differ. That relation is not transitive, so
/// there is no `Eq`, no order and no hash: key a map by [`SecretUri::id`].
#[derive(Debug, Clone)]
pub struct SecretUri {
    model: Option<String>,
    id: String,
}

impl SecretUri {
    /// The last path segment, unique within a controller.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl PartialEq for SecretUri {
    fn eq(&self, other: &Self) -> bool {
        let same_model = match (&self.model, &other.model) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        self.id == other.id && same_model
    }
}

impl fmt::Display for SecretUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.model {
            Some(model) => write!(f, "secret://{model}/{}", self.id),
            None => write!(f, "secret:{}", self.id),
        }
    }
}

impl FromStr for SecretUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || invalid("a secret URI such as secret:9m4e2mr0ui3e8a215n4g", text);
        let (model, id) = match text.strip_prefix("secret:") {
            Some(rest) => match rest.strip_prefix("//") {
                Some(path) => {
                    path.split_once('/').map(|(model, id)| (Some(model), id)).ok_or_else(refused)?
                }
                None => (None, rest),
            },
            None => (None, text),
        };
        if !segment(id) || !model.is_none_or(segment) {
            return Err(refused());
        }
        Ok(Self { model: model.map(str::to_owned), id: id.to_owned() })
    }
}

/// Letters, digits and inner hyphens: what ids and uuids consist of, and never a flag.
fn segment(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "9m4e2mr0ui3e8a215n4g";

    fn uri(text: &str) -> SecretUri {
        text.parse().unwrap()
    }

    #[test]
    fn every_spelling_is_read() {
        let full = format!("secret://8b2b1c3e-0000-4000-8000-000000000001/{ID}");
        assert_eq!(uri(&full).id(), ID);
        assert_eq!(uri(&full).to_string(), full);
        assert_eq!(uri(ID).to_string(), format!("secret:{ID}"));
    }

    #[test]
    fn equality_ignores_a_model_that_only_one_side_names() {
        let (a, b, bare) = (uri("secret://a/x1"), uri("secret://b/x1"), uri("secret:x1"));
        assert_eq!(a, bare);
        assert_eq!(bare, b);
        assert_ne!(a, b);
        assert_ne!(bare, uri("secret:x2"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "secret:",
            "secret://",
            "secret:///x",
            "secret://m/",
            "secret://m/a/b",
            "a b",
            "--label",
            "x?y",
        ] {
            assert_eq!(text.parse::<SecretUri>().unwrap_err().kind(), "invalid-name", "{text}");
        }
    }
}

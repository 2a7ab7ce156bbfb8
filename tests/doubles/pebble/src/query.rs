//! The query of a request: pairs of names and values, some of them lists.
//!
//! It is given the text behind the question mark and gives decoded values.

use percent_encoding::percent_decode_str;

use super::{body::parse_duration, duration::GoDuration, respond::Failure};

/// The decoded pairs, in order.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// The first value of a name; empty when there is none.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of a name as they are.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// A list: the name may be repeated, and each value may hold several, divided by commas.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.all(name).into_iter().flat_map(|value| value.split(','));
        values.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
    }

    /// A duration, when given.
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub fn duration(&self, name: &str) -> Result<Option<GoDuration>, Failure> {
        match self.text(name) {
            "" => Ok(None),
            text => parse_duration(text, name).map(Some),
        }
    }
}

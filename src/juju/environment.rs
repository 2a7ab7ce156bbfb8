//! The environment variables of a hook, as plain data.
//!
//! Given the variables of this process, or those that a test writes down, [`Environment`] answers for one variable at a
//! time. Juju exports many variables empty where they have no meaning, so empty counts as not set.

#![expect(clippy::disallowed_methods, reason = "reads it once for everyone")]

use std::collections::BTreeMap;

use super::error::{Error, Result};

/// The environment variables that describe one hook.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process. Bytes that are not UTF-8 become U+FFFD.
    pub fn current() -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (lossy(name), lossy(value))).collect()
    }

    /// The value of `name`, unless it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of `name`, or the error that names it.
    pub fn require(&self, name: &'static str) -> Result<&str> {
        self.get(name).ok_or(Error::MissingVariable { name })
    }

    /// The value of `name` as a `T`, if it is set; `expected` says what a `T` looks like.
    pub(super) fn parse<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>> {
        let parsed = |value: &str| {
            value.parse().map_err(|_| Error::InvalidVariable { name, value: value.to_owned(), expected })
        };
        self.get(name).map(parsed).transpose()
    }

    /// As [`Environment::parse`], for a variable that must be set.
    pub(super) fn require_parsed<T: std::str::FromStr>(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<T> {
        self.parse(name, expected)?.ok_or(Error::MissingVariable { name })
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

/// Only the names: an environment is a common hiding place of credentials.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

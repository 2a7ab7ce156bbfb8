//! The names and small values that cross the edge to Juju, each parsed once into a type.
//!
//! Given texts such as `kratos/0`, `pg-database:7` or `4433/tcp`, the types here check and hold them, and print them
//! back as Juju writes them, so that a wrong name is an error where it enters and not where it is used.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::error::{Error, Result};

/// The content of one side of a relation: text keys, text values, no empty values.
pub type Databag = BTreeMap<String, String>;

/// Whether something concerns this unit alone or the whole application (leader only).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Unit,
    Application,
}

impl Scope {
    /// Juju's word, as in `secret-add --owner`.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Application => "application",
        }
    }
}

/// The name of a unit, such as `kratos/0`; ordered by application, then by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitName {
    application: String,
    number: u32,
}

impl UnitName {
    /// The application, such as `kratos`.
    pub fn application(&self) -> &str {
        &self.application
    }

    /// The unit's number within its application.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.application, self.number)
    }
}

impl FromStr for UnitName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (application, number) = name_and_number(text, '/', "a unit name such as kratos/0")?;
        Ok(Self { application, number })
    }
}

/// The identity of one relation, such as `pg-database:7`; ordered by number, which Juju counts up per model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationId {
    number: u32,
    endpoint: String,
}

impl RelationId {
    /// The endpoint on our side, such as `pg-database`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The number that Juju gave the relation.
    pub fn number(&self) -> u32 {
        self.number
    }
}

impl fmt::Display for RelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.endpoint, self.number)
    }
}

impl FromStr for RelationId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (endpoint, number) = name_and_number(text, ':', "a relation id such as pg-database:7")?;
        Ok(Self { number, endpoint })
    }
}

/// A single open port; prints as `4433/tcp`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port {
    pub number: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl Port {
    /// A TCP port.
    pub fn tcp(number: u16) -> Self {
        Self { number, protocol: "tcp".to_owned() }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

impl FromStr for Port {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split_once('/')
            .filter(|(_, protocol)| matches!(*protocol, "tcp" | "udp"))
            .and_then(|(number, protocol)| Some((decimal(number)?, protocol)))
            .and_then(|(number, protocol)| Some((u16::try_from(number).ok().filter(|n| *n > 0)?, protocol)))
            .map(|(number, protocol)| Self { number, protocol: protocol.to_owned() })
            .ok_or_else(|| invalid("a port such as 4433/tcp", text))
    }
}

/// Splits `name<separator>number`. The name must not be able to pass for a flag on a command line.
fn name_and_number(text: &str, separator: char, expected: &'static str) -> Result<(String, u32)> {
    text.rsplit_once(separator)
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphanumeric()))
        .filter(|(name, _)| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.')
        })
        .and_then(|(name, number)| Some((name.to_owned(), decimal(number)?)))
        .ok_or_else(|| invalid(expected, text))
}

/// Digits only: the standard parser also takes a sign.
fn decimal(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn invalid(expected: &'static str, value: &str) -> Error {
    Error::InvalidName { expected, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_print_as_they_were_read() {
        let unit: UnitName = "postgresql-k8s/12".parse().unwrap();
        assert_eq!((unit.application(), unit.number()), ("postgresql-k8s", 12));
        assert_eq!(unit.to_string(), "postgresql-k8s/12");
        let id: RelationId = "kratos-external-idp:7".parse().unwrap();
        assert_eq!((id.endpoint(), id.number()), ("kratos-external-idp", 7));
        assert_eq!(id.to_string(), "kratos-external-idp:7");
        assert_eq!("4433/tcp".parse::<Port>().unwrap(), Port::tcp(4433));
        assert_eq!(Port::tcp(4433).to_string(), "4433/tcp");
    }

    #[test]
    fn what_is_no_name_is_refused_and_quoted() {
        for text in
            ["", "kratos", "kratos/", "/0", "kratos/-1", "kratos/+1", "-r/0", "a b/0", "kratos/4294967296"]
        {
            let error = text.parse::<UnitName>().unwrap_err();
            assert_eq!(error.kind(), "invalid-name");
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
        for text in ["", "db", "db:", ":7", "db:x", "--app:7", "7"] {
            assert!(text.parse::<RelationId>().is_err(), "{text}");
        }
        for text in ["", "4433", "0/tcp", "70000/tcp", "80-90/tcp", "icmp", "80/sctp"] {
            assert!(text.parse::<Port>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_order_as_numbers() {
        let mut units: Vec<UnitName> = ["b/1", "a/10", "a/9"].map(|t| t.parse().unwrap()).into();
        units.sort();
        assert_eq!(units.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a/9", "a/10", "b/1"]);
        let mut ids: Vec<RelationId> = ["a:10", "b:9"].map(|t| t.parse().unwrap()).into();
        ids.sort();
        assert_eq!(ids[0].to_string(), "b:9");
    }
}

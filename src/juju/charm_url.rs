//! Where the unit's charm came from, as Juju's agent notes it in the charm's directory.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::error::{Error, Result};

/// The file with the URL, in the directory of the charm.
const FILE: &str = ".juju-charm";

/// A charm's URL with its revision, such as `ch:amd64/noble/kratos-42` or `local:kratos-3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharmUrl {
    text: String,
    revision: u32,
}

impl CharmUrl {
    /// Reads it from the directory of a charm; `None`: no agent noted one there, or nothing that is one.
    pub fn read(charm_dir: &Path) -> Option<Self> {
        std::fs::read_to_string(charm_dir.join(FILE)).ok()?.parse().ok()
    }

    /// The charm, for people: its revision and, if it is none of Charmhub's, that it is local.
    pub fn describe(&self) -> String {
        let kind = if self.is_local() { "local charm" } else { "charm" };
        format!("{kind} revision {}", self.revision)
    }

    /// The command that brings an application to this charm.
    pub fn refresh(&self, application: &str) -> String {
        if self.is_local() {
            return format!("juju refresh {application} --path FILE.charm");
        }
        format!("juju refresh {application} --revision {}", self.revision)
    }

    fn is_local(&self) -> bool {
        self.text.starts_with("local:")
    }
}

impl FromStr for CharmUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let expected = "a charm URL such as ch:amd64/noble/kratos-42";
        let refused = || Error::InvalidName { expected, value: text.to_owned() };
        let (path, revision) = text.rsplit_once('-').ok_or_else(refused)?;
        let is_path = |char: char| char.is_ascii_alphanumeric() || "-_./~".contains(char);
        match path.split_once(':') {
            Some(("ch" | "cs" | "local", path)) if !path.is_empty() && path.chars().all(is_path) => {}
            _ => return Err(refused()),
        }
        let revision = revision.parse().map_err(|_| refused())?;
        Ok(Self { text: text.to_owned(), revision })
    }
}

impl fmt::Display for CharmUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_its_charm_and_how_to_come_back_to_it() {
        let told = |text: &str| {
            let url: CharmUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), text.trim());
            (url.describe(), url.refresh("idp"))
        };
        let of_charmhub = ("charm revision 42".to_owned(), "juju refresh idp --revision 42".to_owned());
        assert_eq!(told("ch:amd64/noble/kratos-42\n"), of_charmhub);
        assert_eq!(told("ch:kratos-extra-42"), of_charmhub);
        let local = ("local charm revision 0".to_owned(), "juju refresh idp --path FILE.charm".to_owned());
        assert_eq!(told("local:kratos-0"), local);
    }

    #[test]
    fn what_is_no_url_of_a_charm_is_refused() {
        for text in [
            "",
            "kratos-4",
            "ch:kratos",
            "ch:-4",
            "ch:kratos-x",
            "http://kratos-4",
            "ch:a b-4",
            "ch:kratos--",
        ] {
            assert!(text.parse::<CharmUrl>().is_err(), "{text}");
        }
    }
}

//! Secrets: owners, revisions, labels, grants and which revision each consumer tracks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::{Life, Model, ModelError, application_of};

/// A secret's content: values in base64, as Juju keeps them.
pub type Content = BTreeMap<String, String>;

/// Who owns a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The application; its leader writes, all its units read.
    Application(String),
    /// One unit.
    Unit(String),
}

impl Owner {
    /// `application` or `unit`, as secret-info-get says it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Application(_) => "application",
            Self::Unit(_) => "unit",
        }
    }

    /// The name of the application or unit.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Application(name) | Self::Unit(name) => name,
        }
    }
}

/// A grant: it ends with its relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The application or unit that may read.
    pub target: String,
    /// Through which relation.
    pub relation: u32,
}

/// What one reader of a secret tracks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consumer {
    /// The revision that it reads without --peek or --refresh.
    pub revision: u32,
    /// The newest revision that it was told of (or read).
    pub told: u32,
    /// Its own label.
    pub label: Option<String>,
}

/// One revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// Its content.
    pub content: Content,
    /// When it was made.
    pub created: SystemTime,
}

/// A secret.
#[derive(Debug, Clone)]
pub struct Secret {
    /// The bare id, 20 characters.
    pub id: String,
    /// Who owns it.
    pub owner: Owner,
    /// The owner's label.
    pub label: Option<String>,
    /// The owner's description.
    pub description: Option<String>,
    /// The rotation policy; nothing rotates by itself here.
    pub rotate: Option<String>,
    /// When it expires, as it was given; nothing expires by itself here.
    pub expire: Option<String>,
    /// Revisions that were not removed.
    pub revisions: BTreeMap<u32, Revision>,
    /// Grants.
    pub access: Vec<Access>,
    /// Readers by unit.
    pub consumers: BTreeMap<String, Consumer>,
    /// Revisions whose secret-remove the owner ran.
    pub told_obsolete: BTreeSet<u32>,
}

impl Secret {
    /// The newest revision's number.
    #[must_use]
    pub fn latest(&self) -> u32 {
        self.revisions.keys().next_back().copied().unwrap_or(0)
    }

    /// The oldest revision that nobody can come back to and that its owner was not told of.
    #[must_use]
    pub fn obsolete(&self) -> Option<u32> {
        let latest = self.latest();
        let tracked = |revision: u32| self.consumers.values().any(|consumer| consumer.revision == revision);
        self.revisions
            .keys()
            .copied()
            .find(|&number| number != latest && !tracked(number) && !self.told_obsolete.contains(&number))
    }

    /// The bare id in `secret:ID`, `secret://MODEL/ID` or `ID`; nothing if it is none.
    #[must_use]
    pub fn parse_uri(uri: &str) -> Option<String> {
        let rest = uri.strip_prefix("secret:").unwrap_or(uri);
        let id = rest.strip_prefix("//").map_or(Some(rest), |path| path.split_once('/').map(|(_, id)| id))?;
        let valid = id.len() == 20 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'v').contains(&b));
        valid.then(|| id.to_owned())
    }
}

impl Model {
    /// A new secret id.
    pub fn new_secret_id(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
        (0..20).map(|_| char::from(ALPHABET[(self.random() % 32) as usize])).collect()
    }

    /// The secret of that id.
    ///
    /// # Errors
    /// `secret "ID" not found`.
    pub fn secret(&self, id: &str) -> Result<&Secret, ModelError> {
        self.secrets.get(id).ok_or_else(|| ModelError::not_found("secret", id))
    }

    /// As [`Model::secret`], to change it.
    ///
    /// # Errors
    /// `secret "ID" not found`.
    pub fn secret_mut(&mut self, id: &str) -> Result<&mut Secret, ModelError> {
        self.secrets.get_mut(id).ok_or_else(|| ModelError::not_found("secret", id))
    }

    /// Whether a unit owns a secret, itself or as a unit of the owning application.
    #[must_use]
    pub fn owns(&self, unit: &str, secret: &Secret) -> bool {
        match &secret.owner {
            Owner::Application(app) => app == application_of(unit),
            Owner::Unit(owner) => owner == unit,
        }
    }

    /// Whether a unit may change a secret: its unit, or the leader of its application.
    ///
    /// # Errors
    /// The secret is another's (permission denied), or the unit is not the leader.
    pub fn check_manages(&self, unit: &str, secret: &Secret) -> Result<(), ModelError> {
        match &secret.owner {
            _ if !self.owns(unit, secret) => Err(ModelError::PermissionDenied),
            Owner::Application(_) if !self.is_leader(unit) => Err(ModelError::NotLeader),
            _ => Ok(()),
        }
    }

    /// Whether a unit may read a secret: its owner's units, and who was granted it through a living relation.
    #[must_use]
    pub fn may_read(&self, unit: &str, secret: &Secret) -> bool {
        self.owns(unit, secret)
            || secret.access.iter().any(|access| {
                (access.target == unit || access.target == application_of(unit))
                    && self.relations.get(&access.relation).is_some_and(|it| it.life == Life::Alive)
            })
    }

    /// Reads a secret for a unit and gives the revision's content. The first read starts tracking the newest
    /// revision.
    ///
    /// # Errors
    /// The secret is not there or may not be read; its tracked revision was removed.
    pub fn read_secret(
        &mut self,
        unit: &str,
        id: &str,
        peek: bool,
        refresh: bool,
        label: Option<&str>,
    ) -> Result<Content, ModelError> {
        let secret = self.secret(id)?;
        if !self.may_read(unit, secret) {
            return Err(ModelError::PermissionDenied);
        }
        let secret = self.secret_mut(id)?;
        let latest = secret.latest();
        let new = Consumer { revision: latest, told: latest, label: None };
        let consumer = secret.consumers.entry(unit.to_owned()).or_insert(new);
        if let Some(label) = label {
            consumer.label = Some(label.to_owned());
        }
        if refresh {
            consumer.revision = latest;
        }
        let wanted = if peek { latest } else { consumer.revision };
        secret
            .revisions
            .get(&wanted)
            .map(|revision| revision.content.clone())
            .ok_or_else(|| ModelError::not_found("secret revision", &format!("{id}/{wanted}")))
    }

    /// The id of the secret that a unit means by a label: its own or its application's by the owner's label,
    /// or one that it reads by its consumer label.
    #[must_use]
    pub fn secret_labelled(&self, unit: &str, label: &str) -> Option<String> {
        let owned = self.owned_by_label(unit, label);
        owned.or_else(|| {
            let labelled = |secret: &&Secret| {
                secret.consumers.get(unit).is_some_and(|consumer| consumer.label.as_deref() == Some(label))
            };
            self.secrets.values().find(labelled).map(|secret| secret.id.clone())
        })
    }

    /// The id of a secret that a unit or its application owns under that label.
    #[must_use]
    pub fn owned_by_label(&self, unit: &str, label: &str) -> Option<String> {
        let found = |secret: &&Secret| self.owns(unit, secret) && secret.label.as_deref() == Some(label);
        self.secrets.values().find(found).map(|secret| secret.id.clone())
    }

    /// Adds a secret and gives its id.
    pub fn add_secret(
        &mut self,
        owner: Owner,
        label: Option<&str>,
        content: Content,
        now: SystemTime,
    ) -> String {
        let id = self.new_secret_id();
        let secret = Secret {
            id: id.clone(),
            owner,
            label: label.map(str::to_owned),
            description: None,
            rotate: None,
            expire: None,
            revisions: [(1, Revision { content, created: now })].into(),
            access: Vec::new(),
            consumers: BTreeMap::new(),
            told_obsolete: BTreeSet::new(),
        };
        self.secrets.insert(id.clone(), secret);
        id
    }

    /// Gives a secret new content; equal content makes no revision.
    ///
    /// # Errors
    /// The secret is not there.
    pub fn revise_secret(&mut self, id: &str, content: Content, now: SystemTime) -> Result<(), ModelError> {
        let secret = self.secret_mut(id)?;
        let latest = secret.latest();
        if secret.revisions.get(&latest).is_none_or(|revision| revision.content != content) {
            secret.revisions.insert(latest + 1, Revision { content, created: now });
        }
        Ok(())
    }

    /// Grants a secret through a relation to an application or unit at its other side.
    ///
    /// # Errors
    /// The secret or relation is not there, or the target takes no part in the relation.
    pub fn grant_secret(&mut self, id: &str, relation: u32, target: &str) -> Result<(), ModelError> {
        let takes_part = self
            .relations
            .get(&relation)
            .is_some_and(|it| it.life == Life::Alive && it.has_application(application_of(target)));
        if !takes_part {
            let text = format!("\"{target}\" is not related through relation {relation}");
            return Err(ModelError::Invalid(text));
        }
        let access = Access { target: target.to_owned(), relation };
        let secret = self.secret_mut(id)?;
        if !secret.access.contains(&access) {
            secret.access.push(access);
        }
        Ok(())
    }
}

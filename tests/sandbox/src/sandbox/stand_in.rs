//! Stand-in applications: the other side of a relation without a charm, written by hand.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Sandbox;
use crate::juju::Error;
use crate::model::{Content, ModelError, Owner, Secret};

impl Sandbox {
    /// Adds a stand-in application with one endpoint and the unit `NAME/0`. `juju integrate` relates it like
    /// any other; it takes the side that the other endpoint leaves.
    ///
    /// # Errors
    /// The name is taken.
    pub fn add_stub_application(&self, name: &str, endpoint: &str, interface: &str) -> Result<(), Error> {
        let address = self.engine.free_address()?;
        Ok(self.engine.state().model.add_stub(name, endpoint, interface, &address, Self::now())?)
    }

    /// The id of the relation between two applications (`app` or `app:endpoint`).
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn relation(&self, one: &str, other: &str) -> Result<u32, Error> {
        Ok(self.engine.state().model.relation_between(one, other)?)
    }

    /// The content of a bag: `holder` is an application or a unit. Empty if there is none.
    #[must_use]
    pub fn databag(&self, relation: u32, holder: &str) -> BTreeMap<String, String> {
        let state = self.engine.state();
        let relation = state.model.relations.get(&relation);
        let bag = relation.and_then(|it| it.app_bags.get(holder).or_else(|| it.unit_bags.get(holder)));
        bag.map(|bag| bag.data.clone()).unwrap_or_default()
    }

    /// Writes into a bag by hand (an empty value deletes its key) and settles.
    ///
    /// # Errors
    /// The relation is not there, or the holder takes no part in it.
    pub async fn set_databag(&self, relation: u32, holder: &str, data: &[(&str, &str)]) -> Result<(), Error> {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.engine.state().model.set_bag(relation, holder, &data)?;
        self.engine.settle().await;
        Ok(())
    }

    /// Adds a secret that an application owns and gives its URI (`secret:ID`).
    ///
    /// # Errors
    /// The application is not there.
    pub fn add_secret(&self, owner: &str, content: &[(&str, &str)]) -> Result<String, Error> {
        let mut state = self.engine.state();
        state.model.application(owner)?;
        let owner = Owner::Application(owner.to_owned());
        let id = state.model.add_secret(owner, None, encode(content), Self::now());
        Ok(format!("secret:{id}"))
    }

    /// Grants a secret through a relation to an application or unit.
    ///
    /// # Errors
    /// The secret or the relation is not there, or the target takes no part in it.
    pub fn grant_secret(&self, uri: &str, relation: u32, target: &str) -> Result<(), Error> {
        Ok(self.engine.state().model.grant_secret(&id(uri)?, relation, target)?)
    }

    /// Gives a secret new content (equal content makes no revision) and settles.
    ///
    /// # Errors
    /// The secret is not there.
    pub async fn revise_secret(&self, uri: &str, content: &[(&str, &str)]) -> Result<(), Error> {
        self.engine.state().model.revise_secret(&id(uri)?, encode(content), Self::now())?;
        self.engine.settle().await;
        Ok(())
    }

    /// The newest content of a secret, whoever owns it.
    ///
    /// # Errors
    /// The secret is not there.
    pub fn secret(&self, uri: &str) -> Result<BTreeMap<String, String>, Error> {
        let state = self.engine.state();
        let secret = state.model.secret(&id(uri)?)?;
        let content = secret.revisions.get(&secret.latest()).map(|revision| revision.content.clone());
        let decode =
            |value: String| String::from_utf8_lossy(&STANDARD.decode(value).unwrap_or_default()).into_owned();
        Ok(content.unwrap_or_default().into_iter().map(|(key, value)| (key, decode(value))).collect())
    }
}

fn encode(content: &[(&str, &str)]) -> Content {
    content.iter().map(|(key, value)| ((*key).to_owned(), STANDARD.encode(value))).collect()
}

fn id(uri: &str) -> Result<String, Error> {
    Secret::parse_uri(uri)
        .ok_or_else(|| ModelError::Invalid(format!("secret URI \"{uri}\" not valid")).into())
}

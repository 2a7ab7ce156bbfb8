//! What an endpoint's answer is made from: everything that a databag of ours may hold.

use std::collections::BTreeMap;

use super::related::Related;
use super::topology::Topology;
use crate::juju::UnitName;
use crate::kratos::facts::options::Options;
use crate::kratos::render::stored::ConfigMapNames;

/// Keys of one databag; `None` deletes.
pub type Keys = BTreeMap<String, Option<String>>;

/// The application of which data is published, as Traefik and others reach it.
#[derive(Clone, Copy, Debug)]
pub struct RouteTarget<'a> {
    pub model: &'a str,
    pub application: &'a str,
}

impl RouteTarget<'_> {
    /// The host of the application's service in the cluster.
    pub fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.application, self.model)
    }
}

/// The flags of what Kratos offers, by its rendered configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features(pub Vec<&'static str>);

impl Features {
    /// The flags with commas between them; `None` if there are none.
    pub fn text(&self) -> Option<String> {
        Some(self.0.join(",")).filter(|flags| !flags.is_empty())
    }
}

/// What may be published.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    pub model: &'a str,
    pub unit: &'a UnitName,
    /// `None`: the model has no UUID.
    pub topology: Option<&'a Topology>,
    pub related: &'a Related,
    /// `None`: one of them is invalid.
    pub options: Option<&'a Options>,
    /// `None`: not known in this dispatch.
    pub config_maps: Option<ConfigMapNames<'a>>,
    /// `None`: the configuration is not known yet.
    pub features: Option<&'a Features>,
}

impl<'a> Publication<'a> {
    /// The application to which Traefik routes.
    pub fn backend(&self) -> RouteTarget<'a> {
        RouteTarget { model: self.model, application: self.unit.application() }
    }
}

//! What an endpoint's answer is made from: everything that a databag of ours may hold.

use std::collections::BTreeMap;

use super::kratos_info::Features;
use super::related::Related;
use super::routes::RouteTarget;
use super::topology::Topology;
use crate::juju::UnitName;
use crate::kratos::facts::options::Options;
use crate::kratos::render::stored::ConfigMapNames;

/// Keys of one databag; `None` deletes.
pub type Keys = BTreeMap<String, Option<String>>;

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

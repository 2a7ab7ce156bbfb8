//! What a charm declares: reads metadata.yaml, config.yaml and actions.yaml into types.
//!
//! It is given the three texts and checks them by Juju's rules (types, defaults, names, at least one way to
//! read each), because a charm that Juju would refuse must not run here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::config;

/// A charm's declarations.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Charm {
    /// The charm's name.
    pub name: String,
    /// Endpoints by name.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Workload containers, in the order of their names.
    pub containers: Vec<String>,
    /// Resources by name.
    pub resources: BTreeMap<String, Resource>,
    /// Names in extra-bindings.
    pub bindings: Vec<String>,
    /// Configuration options by name.
    pub options: BTreeMap<String, ConfigOption>,
    /// Actions by name.
    pub actions: BTreeMap<String, ActionSchema>,
}

/// One endpoint of a charm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Which side it takes.
    pub role: Role,
    /// The interface.
    pub interface: String,
    /// How many relations it takes at most.
    pub limit: Option<u32>,
}

/// The side that an endpoint takes in a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `provides`
    Provider,
    /// `requires`
    Requirer,
    /// `peers`
    Peer,
    /// A stand-in application's endpoint: it takes the side that the other one leaves.
    Either,
}

/// A resource that a charm declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// `oci-image` or `file`.
    pub kind: String,
    /// The image that the charm was published with.
    pub upstream_source: Option<String>,
}

/// The type of a configuration option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// true or false.
    Boolean,
    /// The URI of a secret.
    Secret,
}

/// A configuration option.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigOption {
    /// Its type.
    pub kind: Kind,
    /// The value that it has when nobody set one.
    pub default: Option<Value>,
    /// What it is for.
    pub description: String,
}

/// An action's schema as actions.yaml gives it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ActionSchema {
    /// What it is for.
    pub description: String,
    /// JSON schema of each parameter.
    pub params: BTreeMap<String, Value>,
    /// Parameters that must be given.
    pub required: Vec<String>,
    /// Whether parameters beside `params` are accepted (Juju: false if the charm says nothing).
    pub additional: bool,
}

/// Why a charm cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CharmError {
    /// A file is not YAML of the right shape.
    #[error("cannot parse {file}: {source}")]
    Parse {
        /// metadata.yaml, config.yaml or actions.yaml
        file: &'static str,
        /// Where and what.
        source: serde_yaml::Error,
    },
    /// A declaration breaks a rule of Juju's.
    #[error("invalid {file}: {reason}")]
    Invalid {
        /// The file.
        file: &'static str,
        /// The rule and the name that breaks it.
        reason: String,
    },
}

impl CharmError {
    /// A stable label: `parse` or `invalid`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Parse { .. } => "parse",
            Self::Invalid { .. } => "invalid",
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    containers: BTreeMap<String, Value>,
    #[serde(default)]
    provides: BTreeMap<String, EndpointYaml>,
    #[serde(default)]
    requires: BTreeMap<String, EndpointYaml>,
    #[serde(default)]
    peers: BTreeMap<String, EndpointYaml>,
    #[serde(default)]
    resources: BTreeMap<String, ResourceYaml>,
    #[serde(default, rename = "extra-bindings")]
    extra_bindings: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EndpointYaml {
    Short(String),
    Long { interface: String, limit: Option<u32> },
}

#[derive(Deserialize)]
struct ResourceYaml {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "upstream-source")]
    upstream_source: Option<String>,
}

#[derive(Deserialize, Default)]
struct ConfigYaml {
    #[serde(default)]
    options: BTreeMap<String, OptionYaml>,
}

#[derive(Deserialize)]
struct OptionYaml {
    #[serde(rename = "type")]
    kind: Kind,
    default: Option<Value>,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct ActionYaml {
    #[serde(default)]
    description: String,
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default, rename = "additionalProperties")]
    additional: bool,
}

impl Charm {
    /// Reads a charm's declarations; config.yaml and actions.yaml may be missing.
    ///
    /// # Errors
    /// [`CharmError`] names the file and what is wrong in it.
    pub fn parse(metadata: &str, config: Option<&str>, actions: Option<&str>) -> Result<Self, CharmError> {
        let metadata: Metadata =
            serde_yaml::from_str(metadata).map_err(|source| CharmError::Parse { file: METADATA, source })?;
        let mut charm = Self {
            containers: metadata.containers.into_keys().collect(),
            bindings: metadata.extra_bindings.into_keys().collect(),
            resources: metadata
                .resources
                .into_iter()
                .map(|(name, r)| (name, Resource { kind: r.kind, upstream_source: r.upstream_source }))
                .collect(),
            name: metadata.name,
            ..Self::default()
        };
        if !super::is_application_name(&charm.name) {
            return Err(invalid(METADATA, format!("bad charm name \"{}\"", charm.name)));
        }
        for (role, group) in [
            (Role::Provider, metadata.provides),
            (Role::Requirer, metadata.requires),
            (Role::Peer, metadata.peers),
        ] {
            for (name, yaml) in group {
                let (interface, limit) = match yaml {
                    EndpointYaml::Short(interface) => (interface, None),
                    EndpointYaml::Long { interface, limit } => (interface, limit),
                };
                let endpoint = Endpoint { name: name.clone(), role, interface, limit };
                if charm.endpoints.insert(name.clone(), endpoint).is_some() {
                    return Err(invalid(
                        METADATA,
                        format!("charm using a duplicated relation name: \"{name}\""),
                    ));
                }
            }
        }
        charm.options = parse_options(config.unwrap_or_default())?;
        charm.actions = parse_actions(actions.unwrap_or_default())?;
        Ok(charm)
    }
}

const METADATA: &str = "metadata.yaml";
const CONFIG: &str = "config.yaml";
const ACTIONS: &str = "actions.yaml";

fn invalid(file: &'static str, reason: String) -> CharmError {
    CharmError::Invalid { file, reason }
}

// An empty file is a mapping without keys.
fn parse_yaml<T: Default + serde::de::DeserializeOwned>(
    file: &'static str,
    text: &str,
) -> Result<T, CharmError> {
    serde_yaml::from_str::<Option<T>>(text)
        .map(Option::unwrap_or_default)
        .map_err(|source| CharmError::Parse { file, source })
}

fn parse_options(text: &str) -> Result<BTreeMap<String, ConfigOption>, CharmError> {
    let yaml: ConfigYaml = parse_yaml(CONFIG, text)?;
    let mut options = BTreeMap::new();
    for (name, option) in yaml.options {
        // Juju reads an empty text as "no default" for anything but text.
        let default = option.default.filter(|value| option.kind == Kind::String || value != "");
        if let Some(value) = &default {
            config::check(&name, option.kind, value)
                .map_err(|reason| invalid(CONFIG, format!("invalid config default: {reason}")))?;
        }
        options.insert(name, ConfigOption { kind: option.kind, default, description: option.description });
    }
    Ok(options)
}

fn parse_actions(text: &str) -> Result<BTreeMap<String, ActionSchema>, CharmError> {
    let yaml: BTreeMap<String, ActionYaml> = parse_yaml(ACTIONS, text)?;
    let mut actions = BTreeMap::new();
    for (name, action) in yaml {
        if !super::is_key_name(&name) || name.starts_with("juju") {
            return Err(invalid(ACTIONS, format!("bad action name {name}")));
        }
        if let Some(key) = action.params.keys().find(|key| !super::is_key_name(key)) {
            return Err(invalid(ACTIONS, format!("bad parameter name \"{key}\" of action {name}")));
        }
        let ActionYaml { description, params, required, additional } = action;
        actions.insert(name, ActionSchema { description, params, required, additional });
    }
    Ok(actions)
}

//! The charm's side of the Juju agent: which event this is, and the commands that read and change the model.
//!
//! Given the environment of a hook, [`Context`] says what happened to which unit; [`Agent`] runs the hook commands
//! through a [`Transport`] and returns typed values. Nothing in here knows which charm it serves, so that every rule
//! about Kratos stays out of the plumbing.

mod agent;
mod charm_url;
mod context;
mod environment;
mod error;
mod event;
pub mod log;
mod secret_uri;
mod status;
pub mod transport;
mod types;
mod word;

pub use agent::{
    Agent, Bag, BindAddress, Entity, InterfaceAddress, Network, NewSecret, SecretInfo, SecretRead, SecretRef,
};
pub use charm_url::CharmUrl;
pub use context::Context;
pub use environment::Environment;
pub use error::{Error, Result, tolerate};
pub use event::{
    ActionEvent, Event, RelationEvent, RelationEventKind, SecretEvent, SecretEventKind, StorageEvent,
    StorageEventKind, WorkloadEvent, WorkloadEventKind,
};
pub use secret_uri::SecretUri;
pub use status::{Status, StatusKind};
pub use transport::{CommandOutput, ExecTransport, SocketTransport, Transport};
pub use types::{Databag, Port, RelationId, Scope, UnitName};
pub use word::quoted;

//! The domain: what Kratos is told (configuration, environment) and how its program is spoken to.

pub mod addresses;
pub mod admin;
pub mod command;
pub mod config;
pub mod courier;
pub mod environment;
pub mod expired;
pub mod facts;
pub mod files;
pub mod input;
pub mod login_ui;
pub mod options;
pub mod otlp;
pub mod place;
pub mod process;
pub mod provider;
pub mod public_url;
pub mod rendered;
pub mod schema;
pub mod secret;
pub mod smtp;
pub mod stored;
pub mod uri;
pub mod version;
pub mod web_hook;
pub mod yaml;

pub use facts::Facts;
pub use place::{ADMIN_PORT, Place, pebble_by_hand};
pub use secret::Secret;
pub use version::WorkloadVersion;

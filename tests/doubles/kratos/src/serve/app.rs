//! What every request of a running server shares.

use super::super::config::Config;
use super::super::log::Logger;
use super::super::version::Release;
use super::pool::Pool;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};

/// A running server.
pub struct App {
    /// The release that is played.
    pub release: Release,
    /// The log.
    pub log: Logger,
    /// The connections.
    pub pool: Pool,
    /// The network id: every row hangs on it.
    pub nid: String,
    /// Set once no migration was pending; from then on nobody looks again.
    pub migrated: AtomicBool,
    config: RwLock<Arc<Config>>,
}

impl App {
    /// An app with its first configuration.
    pub fn new(log: Logger, pool: Pool, nid: String, config: Config) -> Self {
        let migrated = AtomicBool::new(false);
        App { release: log.release, log, pool, nid, migrated, config: RwLock::new(Arc::new(config)) }
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another configuration in force.
    pub fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }
}

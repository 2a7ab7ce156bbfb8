//! The connections of a server: opened on demand, a few kept idle, as the original's pool keeps them.
//!
//! The idle ones matter: another client of the database sees them in `pg_stat_activity`, and may end them.

use super::super::database::connect;
use super::super::dsn::Dsn;
use super::answer::Failure;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::Client;

/// A pool for one database.
pub struct Pool {
    dsn: Dsn,
    idle: Mutex<Vec<Client>>,
}

impl Pool {
    /// A pool that already holds `first`.
    pub fn new(dsn: Dsn, first: Client) -> Self {
        Pool { dsn, idle: Mutex::new(vec![first]) }
    }

    /// An idle connection that still answers, else a new one; the error is that of the attempt to connect.
    pub async fn get(&self) -> Result<Client, Failure> {
        loop {
            let idle = self.idle().pop();
            match idle {
                // The server may have ended it unnoticed.
                Some(client) if client.simple_query("").await.is_ok() => return Ok(client),
                Some(_) => {}
                None => return connect(&self.dsn).await.map_err(Failure::internal),
            }
        }
    }

    /// Takes a connection back, unless it is broken or enough are idle.
    pub fn put(&self, client: Client) {
        let mut idle = self.idle();
        if !client.is_closed() && idle.len() < self.dsn.idle {
            idle.push(client);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

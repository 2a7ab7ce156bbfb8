//! The connections of a server: opened on demand, a few kept idle, as the original's pool keeps them.
//!
//! The idle ones matter: another client of the database sees them in `pg_stat_activity`, and may end them. The original
//! (`database/sql` on pgx) hands out the one that was used last, and looks whether it still lives only if it was not
//! handed out for a second; one that has died since fails the request that gets it.

use super::super::database::connect;
use super::super::dsn::Dsn;
use super::answer::Failure;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// Whoever was handed out longer ago is checked.
const UNCHECKED: Duration = Duration::from_secs(1);

/// A pool for one database.
pub struct Pool {
    dsn: Dsn,
    idle: Mutex<Vec<Pooled>>,
}

/// A connection of a pool.
pub struct Pooled {
    client: Client,
    /// When it was handed out last; a new one counts as not handed out yet.
    handed_out: Option<Instant>,
}

impl Deref for Pooled {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Pool {
    /// A pool that already holds `first`.
    pub fn new(dsn: Dsn, first: Client) -> Self {
        Pool { dsn, idle: Mutex::new(vec![Pooled { client: first, handed_out: None }]) }
    }

    /// The idle connection that was used last, checked if that was long ago, else a new one; the error is that of the
    /// attempt to connect.
    pub async fn get(&self) -> Result<Pooled, Failure> {
        loop {
            let Some(mut pooled) = self.idle().pop() else {
                let client = connect(&self.dsn).await.map_err(Failure::internal)?;
                return Ok(Pooled { client, handed_out: None });
            };
            let is_unchecked = pooled.handed_out.is_some_and(|before| before.elapsed() <= UNCHECKED);
            if is_unchecked || pooled.client.simple_query("").await.is_ok() {
                pooled.handed_out = Some(Instant::now());
                return Ok(pooled);
            }
        }
    }

    /// Takes a connection back, unless it failed or enough are idle.
    pub fn put(&self, pooled: Pooled) {
        let mut idle = self.idle();
        if !pooled.client.is_closed() && idle.len() < self.dsn.idle {
            idle.push(pooled);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Pooled>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

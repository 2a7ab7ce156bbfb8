//! A connection to the server that takes writes, opened within a fixed time.
//!
//! Given a [`Dsn`], it tries the endpoints in order and hands out the client of the first that fits; the task that
//! moves the bytes is owned and ends with the connection. Kratos itself retries a hopeless DSN for five minutes; the
//! charm asks first, gets an answer in seconds, and can say what is wrong.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{FromSql, ToSql};
use tokio_postgres::{Client, Config, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::dsn::{Dsn, Tls};
use super::error::{Error, Result, is_tls};
use super::host_port::HostPort;
use super::tls::client_config;

/// DSN parameters that Kratos or its driver reads and that are no server settings.
const CLIENT_PARAMS: [&str; 5] =
    ["max_conns", "max_idle_conns", "max_conn_lifetime", "max_conn_idle_time", "connect_timeout"];

/// A session that holds a lock is idle for as long as a migration takes; a firewall must not take it for dead.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// How long [`Connection::close`] waits for the farewell to be sent.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open session. Dropping it closes the socket; the server then ends the session and gives its locks back.
pub struct Connection {
    client: Client,
    driver: Driver,
    dsn: Dsn,
    host: String,
    server_version_num: i32,
    standby: bool,
    read_only: bool,
}

impl Connection {
    /// Connects as `application_name` (printable ASCII, at most 63 bytes: the server changes anything else) within
    /// `limit` in total.
    ///
    /// With several endpoints the first that takes writes is chosen; if none does, the first that is no standby (its
    /// sessions are read-only by a setting of the role or the database, which is not for this layer to judge). A
    /// single endpoint is taken as it is; [`is_writable_primary`](super::catalog::is_writable_primary) tells.
    pub async fn open(dsn: &Dsn, application_name: &str, limit: Duration) -> Result<Self> {
        let tls = MakeRustlsConnect::new(client_config(dsn.tls())?);
        let deadline = Instant::now() + limit;
        let endpoints = dsn.endpoints();
        let mut failures = Vec::new();
        let mut fenced = None;
        for (index, endpoint) in endpoints.iter().enumerate() {
            // An endpoint that swallows packets must not use up the time of the others.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(endpoints.len() - index).unwrap_or(u32::MAX);
            let host = dsn.redact(&endpoint.to_string()).into_owned();
            match timeout(share, Self::open_one(dsn, endpoint, application_name, &tls)).await {
                Err(_) => failures.push(Error::Timeout { host, after: share }),
                Ok(Err(error)) if error.is_of_endpoint() => failures.push(error),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(connection)) if endpoints.len() == 1 || !connection.read_only => return Ok(connection),
                Ok(Ok(connection)) if connection.standby => failures.push(Error::ReadOnly { host }),
                Ok(Ok(connection)) => fenced = fenced.or(Some(connection)),
            }
        }
        fenced.ok_or_else(|| Error::summed_up(&failures))
    }

    async fn open_one(dsn: &Dsn, endpoint: &HostPort, name: &str, tls: &MakeRustlsConnect) -> Result<Self> {
        let host = endpoint.to_string();
        let sort = |error: tokio_postgres::Error| Error::sort(&error, dsn, &host).while_connecting();
        let mode = match dsn.tls() {
            Tls::Prefer => SslMode::Prefer,
            Tls::Disable => SslMode::Disable,
            Tls::Require | Tls::VerifyCa { .. } => SslMode::Require,
        };
        let mut config = config(dsn, endpoint, name);
        let (client, driver) = match config.ssl_mode(mode).connect(tls.clone()).await {
            // The client library itself falls back only if the server has no TLS, not if the handshake fails.
            Err(error) if mode == SslMode::Prefer && is_tls(&error) => {
                config.ssl_mode(SslMode::Disable).connect(tls.clone()).await
            }
            result => result,
        }
        .map_err(sort)?;
        let driver = Driver(tokio::spawn(async move {
            // Its error reaches the caller through the client, as a closed connection.
            let _ = driver.await;
        }));
        let mut connection = Self {
            client,
            driver,
            dsn: dsn.clone(),
            host: host.clone(),
            server_version_num: 0,
            standby: false,
            read_only: false,
        };
        connection.look().await.map_err(Error::while_connecting)?;
        Ok(connection)
    }

    /// Reads what the server is, in one round trip.
    async fn look(&mut self) -> Result<()> {
        let sql = "SELECT current_setting('server_version_num')::int4, pg_is_in_recovery(), \
                   current_setting('transaction_read_only') = 'on'";
        let row = self.query_one(sql, &[]).await?;
        self.server_version_num = self.get(&row, 0)?;
        self.standby = self.get(&row, 1)?;
        self.read_only = self.get(&row, 2)?;
        Ok(())
    }

    /// The client, for statements of the caller's own; pass its errors through [`Self::explain`].
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What an error of [`Self::client`] means, with the password masked.
    pub fn explain(&self, error: &tokio_postgres::Error) -> Error {
        Error::sort(error, &self.dsn, &self.host)
    }

    /// The server's version as a number: 150018 for 15.18.
    pub fn server_version_num(&self) -> i32 {
        self.server_version_num
    }

    /// Which endpoint was taken, as `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Ends the session in order, so that the server logs no broken connection and its locks are free soon after.
    pub async fn close(self) {
        let Self { client, mut driver, .. } = self;
        // The driver says farewell and ends once the client is gone.
        drop(client);
        let _ = timeout(FAREWELL, &mut driver.0).await;
    }

    pub(crate) async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>> {
        self.client.query(sql, params).await.map_err(|error| self.explain(&error))
    }

    pub(crate) async fn query_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.client.query_one(sql, params).await.map_err(|error| self.explain(&error))
    }

    /// A column of a row, without the panic of [`Row::get`].
    pub(crate) fn get<'r, T: FromSql<'r>>(&self, row: &'r Row, column: usize) -> Result<T> {
        row.try_get(column).map_err(|error| self.explain(&error))
    }
}

/// The task that moves the bytes; dropping it closes the socket.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn config(dsn: &Dsn, endpoint: &HostPort, application_name: &str) -> Config {
    let mut config = Config::new();
    config
        .host(&endpoint.host)
        .port(endpoint.port)
        .user(dsn.username())
        .password(dsn.password())
        .dbname(dsn.database())
        .application_name(application_name)
        .keepalives_idle(KEEPALIVE);
    let options = dsn
        .params()
        .iter()
        .filter(|(key, _)| key != "application_name" && !CLIENT_PARAMS.contains(&key.as_str()))
        .map(|(key, value)| format!("-c {}={}", escape_option(key), escape_option(value)))
        .collect::<Vec<_>>()
        .join(" ");
    if !options.is_empty() {
        config.options(options);
    }
    config
}

/// Quotes a word of the `options` start-up parameter, which the server splits at white space.
fn escape_option(word: &str) -> String {
    let mut escaped = String::new();
    for character in word.chars() {
        if character == '\\' || character.is_whitespace() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

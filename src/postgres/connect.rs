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

use super::dsn::{Dsn, Tls, server_option};
use super::error::{Error, Result, is_tls};
use super::host_port::HostPort;
use super::session::{Deadline, Session};
use super::tls::client_config;

/// DSN parameters that Kratos or its driver reads and that are no server settings.
const CLIENT_PARAMS: [&str; 13] = [
    "max_conns",
    "max_idle_conns",
    "max_conn_lifetime",
    "max_conn_idle_time",
    "connect_timeout",
    "default_query_exec_mode",
    "statement_cache_capacity",
    "description_cache_capacity",
    "sslsni",
    "sslnegotiation",
    "krbspn",
    "krbsrvname",
    "channel_binding",
];

/// A session that holds a lock is idle for as long as a migration takes: a firewall must not take it for dead, and a node
/// that is gone must be missed within a minute, on either side.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_COUNT: u32 = 3;
/// How long sent data may stay without an acknowledgement.
const UNACKNOWLEDGED: Duration = Duration::from_secs(60);

/// How long [`Connection::close`] waits for the farewell to be sent.
const FAREWELL: Duration = Duration::from_secs(1);

/// An open session. Dropping it closes the socket; the server then ends the session and gives its locks back.
pub struct Connection {
    client: Client,
    driver: Driver,
    deadline: Deadline,
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
        let tls = MakeRustlsConnect::new(client_config(dsn)?);
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
            Tls::Disable | Tls::Allow => SslMode::Disable,
            Tls::Require | Tls::VerifyCa { .. } | Tls::VerifyFull { .. } => SslMode::Require,
        };
        let mut config = login(dsn, endpoint, name, dsn.settings());
        config.ssl_mode(mode);
        let mut connected = config.connect(tls.clone()).await;
        // The client library itself falls back only if the server has no TLS, not if the handshake fails.
        if mode == SslMode::Prefer && connected.as_ref().is_err_and(is_tls) {
            connected = config.ssl_mode(SslMode::Disable).connect(tls.clone()).await;
        }
        // The server may want what we would do without.
        if matches!(dsn.tls(), Tls::Allow) && connected.is_err() {
            connected = config.ssl_mode(SslMode::Require).connect(tls.clone()).await;
        }
        // A proxy that does not know the parameter refuses the login. What a person put into the DSN is never left out.
        if connected.as_ref().is_err_and(is_options_refused) && is_ours_alone(dsn) {
            connected = login(dsn, endpoint, name, &[]).ssl_mode(mode).connect(tls.clone()).await;
        }
        let (client, driver) = connected.map_err(sort)?;
        let driver = Driver(tokio::spawn(async move {
            // Its error reaches the caller through the client, as a closed connection.
            let _ = driver.await;
        }));
        let mut connection = Self {
            client,
            driver,
            deadline: Deadline::default(),
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
                   current_setting('transaction_read_only') = 'on',
                   (SELECT setting::int8 FROM pg_settings WHERE name = 'statement_timeout')";
        let row = self.query_one(sql, &[]).await?;
        self.server_version_num = self.get(&row, 0)?;
        self.standby = self.get(&row, 1)?;
        self.read_only = self.get(&row, 2)?;
        let millis: i64 = self.get(&row, 3)?;
        self.deadline.set_at_login(Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
        Ok(())
    }

    /// The client, for statements of the caller's own; pass its errors through [`Self::explain`].
    pub fn client(&self) -> Session<'_> {
        Session { client: &self.client, driver: &self.driver.0, deadline: &self.deadline }
    }

    /// Lets statements take `limit` from now on, and questions on this connection a little longer.
    pub async fn limit_statements(&self, limit: Duration) -> Result<()> {
        let sql = format!("SET statement_timeout = {}", limit.as_millis());
        self.client().batch_execute(&sql).await.map_err(|error| self.explain(&error))?;
        self.deadline.set(limit);
        Ok(())
    }

    /// Those of the settings of the DSN ([`Dsn::with_setting`]) that this session does not have: a proxy may leave out what it
    /// is given at the login.
    pub async fn missing_settings(&self) -> Result<Vec<String>> {
        let names: Vec<&str> = self.dsn.settings().iter().map(|(name, _)| name.as_str()).collect();
        let sql = "SELECT wanted FROM unnest($1::text[]) AS wanted LEFT JOIN pg_settings ON name = wanted
                   WHERE source IS NULL OR source NOT IN ('client', 'session') ORDER BY 1";
        let rows = self.query(sql, &[&names]).await?;
        rows.iter().map(|row| self.get(row, 0)).collect()
    }

    /// Makes the settings of the DSN that are missing. Only for a session that is known to be this connection's alone: behind a
    /// proxy that pools transactions they would stay with somebody else.
    pub async fn make_settings(&self) -> Result<()> {
        if self.missing_settings().await?.is_empty() {
            return Ok(());
        }
        for (name, value) in self.dsn.settings() {
            self.query("SELECT set_config($1, $2, false)", &[&name, &value]).await?;
        }
        let row =
            self.query_one("SELECT setting::int8 FROM pg_settings WHERE name = 'statement_timeout'", &[]);
        let millis: i64 = self.get(&row.await?, 0)?;
        self.deadline.set_at_login(Duration::from_millis(u64::try_from(millis).unwrap_or_default()));
        Ok(())
    }

    /// What an error of [`Self::client`] means, with the password masked.
    pub fn explain(&self, error: &tokio_postgres::Error) -> Error {
        match self.deadline.passed() {
            Some(after) if error.is_closed() => {
                let reason = format!("no answer within {} s", after.as_secs());
                Error::Lost { host: self.host.clone(), reason }
            }
            _ => Error::sort(error, &self.dsn, &self.host),
        }
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
        self.client().query(sql, params).await.map_err(|error| self.explain(&error))
    }

    pub(crate) async fn query_one(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row> {
        self.client().query_one(sql, params).await.map_err(|error| self.explain(&error))
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

fn login(dsn: &Dsn, endpoint: &HostPort, application_name: &str, settings: &[(String, String)]) -> Config {
    let mut config = Config::new();
    config
        .host(&endpoint.host)
        .port(endpoint.port)
        .user(dsn.username())
        .password(dsn.password())
        .dbname(dsn.database())
        .application_name(application_name)
        .keepalives_idle(KEEPALIVE_IDLE)
        .keepalives_interval(KEEPALIVE_INTERVAL)
        .keepalives_retries(KEEPALIVE_COUNT)
        .tcp_user_timeout(UNACKNOWLEDGED);
    // A person may have written options as the server reads them.
    let written = dsn.params().iter().filter(|(key, _)| key == "options").map(|(_, value)| value.clone());
    let others = server_params(dsn).chain(settings).map(|(key, value)| server_option(key, value));
    let options: Vec<String> = written.chain(others).collect();
    if !options.is_empty() {
        config.options(options.join(" "));
    }
    config
}

/// Whether a person put no server setting into the DSN.
fn is_ours_alone(dsn: &Dsn) -> bool {
    server_params(dsn).next().is_none() && !dsn.params().iter().any(|(key, _)| key == "options")
}

/// The parameters of the DSN that are server settings, and were not put there by us.
fn server_params(dsn: &Dsn) -> impl Iterator<Item = &(String, String)> {
    dsn.params().iter().filter(|(key, _)| {
        !["application_name", "options"].contains(&key.as_str()) && !CLIENT_PARAMS.contains(&key.as_str())
    })
}

/// Whether the login failed because somebody in between does not know the start-up parameter `options`.
fn is_options_refused(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        error.message().contains("unsupported startup parameter") && error.message().contains("options")
    })
}

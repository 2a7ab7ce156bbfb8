//! `serve`: waits for the database, then listens on the public and the admin port until it is told to end.
//!
//! It is given the configuration files and gives the exit code. Before the database answers and has its tables it
//! listens on nothing and handles no signal, so a signal kills it at once; afterwards a signal lets requests finish.

mod admin;
mod answer;
mod app;
mod credentials;
mod health;
mod http;
mod identity;
mod patch;
mod pool;
mod public;
mod recovery;
mod reload;
mod session;
mod traits;
mod write;

use super::cli::{Command, Invocation, fail};
use super::config::{self, Config};
use super::database::{connect_patiently, patiently};
use super::dsn::Dsn;
use super::log::{Level, Logger, err};
use app::App;
use http::Port;
use pool::Pool;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// What the log shows in place of a secret.
const REDACTED: &str = "Value is sensitive and has been redacted. To see the value set config key \"log.leak_sensitive_values = true\" or environment variable \"LOG_LEAK_SENSITIVE_VALUES=true\".";

/// How long requests in flight may take after the signal to end.
const GRACE: Duration = Duration::from_secs(120);

/// A process that is ready to work: its configuration, its log, its database.
pub struct Started {
    /// The configuration.
    pub config: Config,
    /// The log in the configured format.
    pub log: Logger,
    /// The database.
    pub dsn: Dsn,
    /// The connection that found the network.
    pub client: Client,
    /// The network.
    pub nid: String,
}

/// Loads the configuration and waits for the database, as `serve` and `courier watch` both do.
pub async fn start(invocation: &Invocation, log: &Logger) -> Result<Started, u8> {
    let (release, command) = (log.release, invocation.command);
    let config = config::load(&invocation.configs(), release).map_err(|invalid| {
        let log = Logger { json: invalid.json_log, ..*log };
        err(&invalid.block);
        log.log(
            Level::Error,
            "Unable to instantiate configuration.",
            json!({ "error": { "message": invalid.message } }),
        );
        fail(release, command, &invalid.message)
    })?;
    let json = config.text(&["log", "format"]) == Some("json");
    let level = Level::configured(config.text(&["log", "level"]).unwrap_or("info"));
    let log = Logger { release, json, level };
    log.info("No tracer configured - skipping tracing setup", json!({}));
    let dsn = Dsn::parse(config.text(&["dsn"]).unwrap_or_default())
        .map_err(|error| fail(release, command, &error.to_string()))?;
    let client = connect_patiently(&dsn, &log).await.map_err(|message| fail(release, command, &message))?;
    let nid = network(&client, &log).await.map_err(|message| fail(release, command, &message))?;
    let version =
        config.text(&["version"]).filter(|version| !version.is_empty() && *version != release.label());
    if let Some(version) = version {
        let message = format!("Config version is '{version}' but kratos runs on version '{release}'");
        log.log(Level::Warning, &message, json!({}));
    }
    Ok(Started { config, log, dsn, client, nid })
}

/// The network's id; the first start on a database makes the row.
async fn network(client: &Client, log: &Logger) -> Result<String, String> {
    let insert = "INSERT INTO networks (id, created_at, updated_at) \
        VALUES (gen_random_uuid(), now() AT TIME ZONE 'utc', now() AT TIME ZONE 'utc') RETURNING id::text";
    patiently(log, "Unable to determine network, retrying.", async || {
        let row = match client.query_opt("SELECT id::text FROM networks ORDER BY created_at LIMIT 1", &[]).await {
            Ok(None) => client.query_one(insert, &[]).await,
            Ok(Some(row)) => Ok(row),
            Err(error) => Err(error),
        };
        row.map(|row| row.get(0)).map_err(|error| {
            let message = match error.code() {
                Some(&SqlState::UNDEFINED_TABLE) => "Unable to locate the table".to_owned(),
                _ => super::database::sql_error(&error),
            };
            let status = json!({ "debug": "", "message": message, "reason": "", "status": "Internal Server Error", "status_code": 500 });
            (status, message)
        })
    })
    .await
}

/// Serves until SIGTERM or SIGINT.
pub async fn run(invocation: &Invocation, log: &Logger) -> u8 {
    let started = match start(invocation, log).await {
        Ok(started) => started,
        Err(code) => return code,
    };
    let log = started.log;
    for port in [Port::Public, Port::Admin] {
        log.info(&format!("TLS has not been configured for {}, skipping", port.name()), json!({}));
    }
    let addresses = [Port::Public, Port::Admin].map(|port| (port, started.config.address(port.name())));
    let pool = Pool::new(started.dsn, started.client);
    let app = Arc::new(App::new(log, pool, started.nid, started.config));
    let (end, ended) = watch::channel(false);
    let mut servers = Vec::new();
    let mut refused = None;
    for (port, (host, number)) in addresses {
        let address = format!("{host}:{number}");
        starting(&log, port, &address);
        match TcpListener::bind(&address).await {
            Ok(listener) => {
                servers.push((port, tokio::spawn(listen(app.clone(), port, listener, ended.clone()))));
            }
            Err(error) => {
                let message = bind_error(&address, &error);
                let line = format!("Failed to gracefully shutdown {} httpd: {message}", port.name());
                log.log(Level::Error, &line, json!({}));
                refused.get_or_insert(message);
            }
        }
    }
    if let Some(message) = refused {
        return fail(log.release, Command::Serve, &message);
    }
    if invocation.is_set("watch-courier") {
        log.info("Courier worker started.", json!({}));
    }
    tokio::spawn(reload::watch(app.clone(), invocation.configs()));
    wait_for_the_end().await;
    let _ = end.send(true);
    for (port, server) in servers {
        let name = if port == Port::Public { "Public" } else { "Admin" };
        if tokio::time::timeout(GRACE, server).await.is_err() {
            log.log(Level::Error, &format!("Failed to gracefully shutdown {} httpd", port.name()), json!({}));
            return 1;
        }
        log.info(&format!("{name} httpd was shutdown gracefully"), json!({}));
    }
    0
}

/// Returns at SIGTERM or SIGINT.
pub async fn wait_for_the_end() {
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

fn starting(log: &Logger, port: Port, address: &str) {
    if log.release.answers_without_prefix() {
        log.info(&format!("Starting the {} httpd", port.name()), json!({ "addr": address }));
    } else {
        log.info(&format!("Starting the {} httpd on: {address}", port.name()), json!({}));
    }
}

/// The message of the original when an address cannot be listened on.
pub fn bind_error(address: &str, error: &std::io::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("listen tcp {address}: bind: {reason}")
}

async fn listen(app: Arc<App>, port: Port, listener: TcpListener, mut ended: watch::Receiver<bool>) {
    let service = http::router(app, port).into_make_service_with_connect_info::<SocketAddr>();
    let end = async move {
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let _ = axum::serve(listener, service).with_graceful_shutdown(end).await;
}

//! The connection URL of the database, read as Kratos reads it.
//!
//! It is given `postgres://user:password@host[,host]:port/database?parameters` and gives what a client needs. Four
//! parameters belong to Kratos' pool and are taken away; those of TLS and of the choice of a host belong to the client;
//! all others go to the server as settings of the session, known or not. The password never appears in an error, except
//! in the one case in which the original shows it (`pool_min_conns`).

use super::tls::{Mode, connector};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::time::Duration;
use thiserror::Error;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why a URL cannot be used at all; the program ends at once.
#[derive(Debug, Error)]
pub enum DsnError {
    /// Not a PostgreSQL URL.
    #[error("could not create new connection: unsupported dialect in the DSN")]
    Dialect,
    /// A parameter of a pool that the original cannot parse; it prints the whole URL, password included.
    #[error("cannot parse `{0}`: failed to configure the pool (unsupported parameter pool_min_conns)")]
    PoolMinConns(String),
    /// A part that has a value out of its range.
    #[error("cannot parse the DSN: {part} is invalid: {value}")]
    Part {
        /// The name of the part.
        part: &'static str,
        /// The value found, or what is wrong with it.
        value: String,
    },
}

impl DsnError {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            DsnError::Dialect => "dialect",
            DsnError::PoolMinConns(_) => "pool-min-conns",
            DsnError::Part { .. } => "part",
        }
    }
}

/// Which of several hosts will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first that answers.
    Any,
    /// The first that is no standby.
    Primary,
    /// The first that is no standby and whose sessions may write.
    ReadWrite,
}

/// A parsed URL.
#[derive(Clone)]
pub struct Dsn {
    /// The hosts and ports, in the order in which they are tried.
    pub endpoints: Vec<(String, String)>,
    /// Which of them will do.
    pub wanted: Wanted,
    /// The connector; plain where `sslmode` says so.
    pub tls: MakeRustlsConnect,
    /// How many idle connections a server keeps (`max_idle_conns`, 2 without it).
    pub idle: usize,
    mode: Mode,
    config: tokio_postgres::Config,
    user: String,
    database: String,
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<_> = self.endpoints.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        write!(f, "Dsn({} at {})", self.who(), places.join(","))
    }
}

/// The parameters of the query that are not for the server.
#[derive(Default)]
struct Query {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    password: Option<String>,
    mode: Option<Mode>,
    root: Option<String>,
    timeout: Option<u64>,
    wanted: Option<Wanted>,
    idle: Option<usize>,
    application: Option<String>,
    settings: Vec<String>,
}

impl Dsn {
    /// Parses `url`, and reads the file that `sslrootcert` names.
    pub fn parse(url: &str) -> Result<Self, DsnError> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or(DsnError::Dialect)?;
        // The order in which Go takes a URL apart: an unescaped '#', '?' or '/' in a password ends the authority.
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let query = Query::parse(url, query)?;

        let user = query.user.clone().unwrap_or_else(|| decode(user));
        let password = query.password.clone().unwrap_or_else(|| decode(password));
        let database = Some(decode(path)).filter(|name| !name.is_empty()).unwrap_or_else(|| user.clone());
        let mode = match (query.mode, &query.root) {
            (Some(Mode::Require), Some(_)) => Mode::VerifyCa,
            (mode, _) => mode.unwrap_or(Mode::Prefer),
        };
        let mut config = tokio_postgres::Config::new();
        config.user(&user).dbname(&database);
        if !password.is_empty() {
            config.password(password);
        }
        config.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            _ => SslMode::Require,
        });
        config.connect_timeout(Duration::from_secs(query.timeout.unwrap_or(5)));
        if let Some(name) = &query.application {
            config.application_name(name);
        }
        if !query.settings.is_empty() {
            config.options(query.settings.join(" "));
        }
        Ok(Dsn {
            endpoints: query.endpoints(address)?,
            wanted: query.wanted.unwrap_or(Wanted::Any),
            tls: query.connector(mode)?,
            idle: query.idle.unwrap_or(2),
            mode,
            config,
            user,
            database,
        })
    }

    /// What the client connects to one endpoint with.
    pub fn config(&self, host: &str, port: &str) -> tokio_postgres::Config {
        let mut config = self.config.clone();
        config.host(host).port(port.parse().unwrap_or(0));
        config
    }

    /// Whether a server without TLS is refused.
    pub fn demands_tls(&self) -> bool {
        !matches!(self.mode, Mode::Disable | Mode::Prefer)
    }

    /// `user=NAME database=NAME`, as errors name the connection.
    pub fn who(&self) -> String {
        format!("user={} database={}", self.user, self.database)
    }
}

impl Query {
    fn parse(url: &str, query: &str) -> Result<Self, DsnError> {
        let mut found = Query::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")));
            match key.as_str() {
                "max_idle_conns" => found.idle = value.parse().ok(),
                "max_conns" | "max_conn_lifetime" | "max_conn_idle_time" => {}
                // Words of the driver, which never reach the server.
                "default_query_exec_mode"
                | "statement_cache_capacity"
                | "description_cache_capacity"
                | "sslsni"
                | "sslnegotiation"
                | "krbspn"
                | "krbsrvname"
                | "channel_binding" => {}
                "pool_min_conns" => return Err(DsnError::PoolMinConns(url.into())),
                "sslmode" => found.mode = Some(mode(&value)?),
                "sslrootcert" => found.root = Some(value),
                "connect_timeout" => {
                    let seconds = value.parse().map_err(|_| part("connect_timeout", &value))?;
                    found.timeout = Some(seconds).filter(|seconds| *seconds > 0);
                }
                "target_session_attrs" => found.wanted = Some(wanted(&value)?),
                "host" => found.host = Some(value),
                "port" => found.port = Some(value),
                "user" => found.user = Some(value),
                "password" => found.password = Some(value),
                "application_name" => found.application = Some(value),
                "options" => found.settings.push(value),
                "sslcert" | "sslkey" => {
                    return Err(part("sslcert", "client certificates are not played here"));
                }
                _ => {
                    let value = value.replace('\\', "\\\\").replace(' ', "\\ ");
                    found.settings.push(format!("-c {key}={value}"));
                }
            }
        }
        Ok(found)
    }

    /// The endpoints of the authority, unless parameters name them. One port serves all hosts.
    fn endpoints(&self, address: &str) -> Result<Vec<(String, String)>, DsnError> {
        if address.matches(':').count() > 1 && address.contains(',') {
            return Err(part("the port", "invalid port after host"));
        }
        let (hosts, port) = match address.rsplit_once(':') {
            Some((hosts, port)) if !port.contains(']') => (hosts, port),
            _ => (address, ""),
        };
        let hosts = self.host.clone().unwrap_or_else(|| decode(hosts));
        let ports = self.port.clone().unwrap_or_else(|| port.to_owned());
        let ports: Vec<&str> = ports.split(',').collect();
        let count = hosts.split(',').count();
        if ports.len() > 1 && ports.len() != count {
            return Err(part("the port", "as many ports as hosts are needed"));
        }
        let endpoint = |(index, host): (usize, &str)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let host = if host.is_empty() { "localhost" } else { host };
            let port = ports.get(index).or(ports.last()).copied().unwrap_or_default();
            (host.to_owned(), if port.is_empty() { "5432".to_owned() } else { port.to_owned() })
        };
        Ok(hosts.split(',').enumerate().map(endpoint).collect())
    }

    fn connector(&self, mode: Mode) -> Result<MakeRustlsConnect, DsnError> {
        let read = |path: &String| {
            std::fs::read(path)
                .map_err(|_| part("sslrootcert", &format!("unable to read CA file: open {path}")))
        };
        let roots = self.root.as_ref().map(read).transpose()?;
        connector(mode, roots.as_deref()).map_err(|why| part("sslrootcert", &why))
    }
}

fn part(part: &'static str, value: &str) -> DsnError {
    DsnError::Part { part, value: value.into() }
}

fn mode(name: &str) -> Result<Mode, DsnError> {
    match name {
        "disable" => Ok(Mode::Disable),
        "allow" | "prefer" => Ok(Mode::Prefer),
        "require" => Ok(Mode::Require),
        "verify-ca" => Ok(Mode::VerifyCa),
        "verify-full" => Ok(Mode::VerifyFull),
        _ => Err(part("sslmode", name)),
    }
}

fn wanted(name: &str) -> Result<Wanted, DsnError> {
    match name {
        "any" => Ok(Wanted::Any),
        "primary" => Ok(Wanted::Primary),
        "read-write" => Ok(Wanted::ReadWrite),
        _ => Err(part("target_session_attrs", name)),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Dsn, Wanted};

    #[test]
    fn the_parts_are_found_and_the_password_stays_hidden() {
        let url = "postgres://kratos:p%40w@127.0.0.1:5433/db?sslmode=disable&lock_timeout=2000&max_conns=9";
        let dsn = Dsn::parse(url).unwrap();
        assert_eq!(format!("{dsn:?}"), "Dsn(user=kratos database=db at 127.0.0.1:5433)");
        assert_eq!(dsn.config.get_password(), Some("p@w".as_bytes()));
        assert_eq!(dsn.config.get_options(), Some("-c lock_timeout=2000"));
    }

    #[test]
    fn several_hosts_stand_in_the_authority_or_in_parameters() {
        let dsn = Dsn::parse("postgres://u:p@a,b/d?port=1,2&target_session_attrs=primary").unwrap();
        assert_eq!(format!("{dsn:?}"), "Dsn(user=u database=d at a:1,b:2)");
        assert_eq!(dsn.wanted, Wanted::Primary);
        let dsn = Dsn::parse("postgres://u:p@/d?host=a%2C%3A%3A1&port=1%2C2").unwrap();
        assert_eq!(format!("{dsn:?}"), "Dsn(user=u database=d at a:1,::1:2)");
        assert_eq!(Dsn::parse("postgres://u:p@a:1,b:2/d").unwrap_err().kind(), "part");
    }

    #[test]
    fn what_cannot_be_used_is_refused_at_once() {
        assert_eq!(Dsn::parse("mysql://h/d").unwrap_err().kind(), "dialect");
        assert_eq!(Dsn::parse("postgres://h/d?sslmode=maybe").unwrap_err().kind(), "part");
        assert_eq!(Dsn::parse("postgres://h/d?sslmode=verify-ca").unwrap_err().kind(), "part");
        let gone = "postgres://u:secret@h/d?sslmode=verify-ca&sslrootcert=/nonexistent/ca";
        let error = Dsn::parse(gone).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/ca") && !error.to_string().contains("secret"));
        let url = "postgres://u:secret@h/d?pool_min_conns=1";
        assert!(Dsn::parse(url).unwrap_err().to_string().contains(url));
    }
}

//! The connection URL of the database, read as Kratos reads it.
//!
//! It is given `postgres://user:password@host:port/database?parameters` and gives a configuration for the client. Four
//! parameters belong to Kratos' pool and are taken away; `sslmode` and `connect_timeout` belong to the client; all
//! others go to the server as settings of the session, known or not. The password never appears in an error, except
//! in the one case in which the original shows it (`pool_min_conns`).

use percent_encoding::percent_decode_str;
use std::fmt;
use std::time::Duration;
use thiserror::Error;
use tokio_postgres::config::SslMode;

/// Why a URL cannot be used at all; the program ends at once.
#[derive(Debug, Error)]
pub enum DsnError {
    /// Not a PostgreSQL URL.
    #[error("could not create new connection: unsupported dialect in the DSN")]
    Dialect,
    /// A parameter of a pool that the original cannot parse; it prints the whole URL, password included.
    #[error("cannot parse `{0}`: failed to configure the pool (unsupported parameter pool_min_conns)")]
    PoolMinConns(String),
    /// A parameter of the client that has a value out of its range.
    #[error("cannot parse the DSN: {parameter} is invalid: {value:?}")]
    Parameter {
        /// The parameter's name.
        parameter: &'static str,
        /// The value found.
        value: String,
    },
}

impl DsnError {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            DsnError::Dialect => "dialect",
            DsnError::PoolMinConns(_) => "pool-min-conns",
            DsnError::Parameter { .. } => "parameter",
        }
    }
}

/// A parsed URL.
#[derive(Clone)]
pub struct Dsn {
    /// What the client connects with.
    pub config: tokio_postgres::Config,
    /// How many idle connections a server keeps (`max_idle_conns`, 2 without it).
    pub idle: usize,
    user: String,
    database: String,
    host: String,
    port: String,
    /// TLS was demanded; the double speaks none.
    pub demands_tls: bool,
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({} at {})", self.who(), self.place())
    }
}

impl Dsn {
    /// Parses `url`.
    pub fn parse(url: &str) -> Result<Self, DsnError> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or(DsnError::Dialect)?;
        // The order in which Go takes a URL apart: an unescaped '#', '?' or '/' in a password ends the authority.
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (userinfo, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (address, ""),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let mut dsn = Dsn {
            config: tokio_postgres::Config::new(),
            idle: 2,
            user: decode(user),
            database: decode(path),
            host: decode(host),
            port: if port.is_empty() { "5432".into() } else { port.into() },
            demands_tls: false,
        };
        let password = decode(password);
        if !password.is_empty() {
            dsn.config.password(password);
        }
        // A name in the application's own words would be kinder than the original, which sets none.
        dsn.config.ssl_mode(SslMode::Prefer).connect_timeout(Duration::from_secs(5));
        dsn.parameters(url, query)?;
        if dsn.host.is_empty() {
            dsn.host = "localhost".into();
        }
        if dsn.database.is_empty() {
            dsn.database = dsn.user.clone();
        }
        dsn.config.user(&dsn.user).dbname(&dsn.database).host(&dsn.host);
        dsn.config.port(dsn.port.parse().unwrap_or(0));
        Ok(dsn)
    }

    fn parameters(&mut self, url: &str, query: &str) -> Result<(), DsnError> {
        let mut settings = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (key, value) = (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")));
            match key.as_str() {
                "max_idle_conns" => self.idle = value.parse().unwrap_or(2),
                "max_conns" | "max_conn_lifetime" | "max_conn_idle_time" => {}
                "pool_min_conns" => return Err(DsnError::PoolMinConns(url.into())),
                "sslmode" => self.tls(&value)?,
                "connect_timeout" => match value.parse() {
                    Ok(0) => {}
                    Ok(seconds) => {
                        self.config.connect_timeout(Duration::from_secs(seconds));
                    }
                    Err(_) => return Err(DsnError::Parameter { parameter: "connect_timeout", value }),
                },
                "host" => self.host = value,
                "port" => self.port = value,
                "user" => self.user = value,
                "password" => {
                    self.config.password(value);
                }
                "application_name" => {
                    self.config.application_name(value);
                }
                "options" => settings.push(value),
                "sslcert" | "sslkey" | "sslrootcert" | "target_session_attrs" => {}
                _ => settings.push(format!("-c {key}={}", value.replace('\\', "\\\\").replace(' ', "\\ "))),
            }
        }
        if !settings.is_empty() {
            self.config.options(settings.join(" "));
        }
        Ok(())
    }

    fn tls(&mut self, mode: &str) -> Result<(), DsnError> {
        match mode {
            "disable" => {
                self.config.ssl_mode(SslMode::Disable);
            }
            "allow" | "prefer" => {}
            "require" | "verify-ca" | "verify-full" => {
                self.demands_tls = true;
                self.config.ssl_mode(SslMode::Require);
            }
            _ => return Err(DsnError::Parameter { parameter: "sslmode", value: mode.into() }),
        }
        Ok(())
    }

    /// `user=NAME database=NAME`, as errors name the connection.
    pub fn who(&self) -> String {
        format!("user={} database={}", self.user, self.database)
    }

    /// `HOST:PORT`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host alone.
    pub fn host(&self) -> &str {
        &self.host
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::Dsn;

    #[test]
    fn the_parts_are_found_and_the_password_stays_hidden() {
        let dsn = Dsn::parse(
            "postgres://kratos:p%40w@127.0.0.1:5433/db?sslmode=disable&lock_timeout=2000&max_conns=9",
        )
        .unwrap();
        assert_eq!(format!("{dsn:?}"), "Dsn(user=kratos database=db at 127.0.0.1:5433)");
        assert_eq!(dsn.config.get_password(), Some("p@w".as_bytes()));
        assert_eq!(dsn.config.get_options(), Some("-c lock_timeout=2000"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_at_once() {
        assert_eq!(Dsn::parse("mysql://h/d").unwrap_err().kind(), "dialect");
        assert_eq!(Dsn::parse("postgres://h/d?sslmode=maybe").unwrap_err().kind(), "parameter");
        let url = "postgres://u:secret@h/d?pool_min_conns=1";
        assert!(Dsn::parse(url).unwrap_err().to_string().contains(url));
    }
}

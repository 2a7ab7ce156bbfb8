//! The DSN: everything that is needed to reach one database, as one value that never shows its password.
//!
//! Given typed parts it writes the URL that Kratos reads from its environment (`Dsn::url`); [`Dsn::parse`] is its
//! inverse, for a command line. User name, password and database are percent-encoded to the bone, because Kratos
//! takes an unescaped `#`, `/` or `?` for the end of the host and then retries a wrong server for five minutes. No crate
//! serves: `tokio_postgres::Config` reads a URL and cannot write one.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::host_port::{HostPort, HostPortError};
use super::redact::redact;

/// Everything but the unreserved characters of RFC 3986.
const STRICT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How the connection is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Nothing was said: TLS without verification if the server offers it, else plain. This is what Kratos does
    /// without an `sslmode`.
    Prefer,
    /// Plain, even if the server offers TLS; only ever said by a DSN of a command line, as the next.
    Disable,
    /// Plain if the server lets us, else TLS without verification.
    Allow,
    /// TLS, but no CA is known to verify the server with.
    Require,
    /// TLS with the server's chain verified against a CA bundle, its host name not.
    VerifyCa {
        /// The bundle, for this process.
        ca_pem: String,
        /// The path of the same bundle in the workload, for Kratos; empty: the one of the system.
        ca_file: String,
    },
    /// The same, and the host name is one of the certificate.
    VerifyFull { ca_pem: String, ca_file: String },
}

/// What this side shows of itself in the TLS handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    pub certificate_pem: String,
    pub key_pem: String,
    /// The paths of both, for Kratos.
    pub certificate_file: String,
    pub key_file: String,
}

/// What a [`Dsn`] is made of; all texts raw, nothing percent-encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct DsnParts {
    pub username: String,
    pub password: String,
    /// In the order in which they are tried.
    pub endpoints: Vec<HostPort>,
    pub database: String,
    pub tls: Tls,
}

/// A checked set of [`DsnParts`] with run-time parameters. Debug and Display show everything but the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    parts: DsnParts,
    params: Vec<(String, String)>,
    settings: Vec<(String, String)>,
    certificate: Option<Box<ClientCertificate>>,
}

/// Why parts or a URL make no DSN. No variant contains a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DsnError {
    #[error("the database connection has no {0}")]
    Missing(&'static str),
    #[error("the {0} of the database connection contains a NUL character")]
    Nul(&'static str),
    #[error(transparent)]
    Endpoint(#[from] HostPortError),
    #[error("a DSN starts with postgres:// or postgresql://")]
    Scheme,
    #[error(
        "the user name or password in the DSN contains an unescaped character: percent-encode everything but \
         letters, digits and -._~"
    )]
    Unescaped,
    #[error("the {0} in the DSN is not percent-encoded UTF-8")]
    Encoding(&'static str),
    #[error("the DSN parameter {0:?} is not supported")]
    Parameter(String),
    #[error("the DSN parameter {key}={value} is not supported: use {supported}")]
    ParameterValue { key: &'static str, value: String, supported: &'static str },
    #[error("cannot read {path} ({parameter} in the DSN): {reason}")]
    File { parameter: &'static str, path: String, reason: String },
}

impl DsnError {
    /// A stable label of what went wrong.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "dsn-missing-part",
            Self::Nul(_) => "dsn-nul",
            Self::Endpoint(error) => error.kind(),
            Self::Scheme => "dsn-scheme",
            Self::Unescaped => "dsn-unescaped",
            Self::Encoding(_) => "dsn-encoding",
            Self::Parameter(_) | Self::ParameterValue { .. } => "dsn-parameter",
            Self::File { .. } => "dsn-file",
        }
    }
}

impl Dsn {
    /// Checks the parts: user name, database and at least one endpoint are there, hosts are host names, and nothing
    /// holds a NUL, which PostgreSQL's protocol cannot carry.
    pub fn new(mut parts: DsnParts) -> Result<Self, DsnError> {
        for (name, value, required) in [
            ("user name", &parts.username, true),
            ("password", &parts.password, false),
            ("database name", &parts.database, true),
        ] {
            if required && value.is_empty() {
                return Err(DsnError::Missing(name));
            }
            if value.contains('\0') {
                return Err(DsnError::Nul(name));
            }
        }
        if parts.endpoints.is_empty() {
            return Err(DsnError::Missing("endpoint"));
        }
        for endpoint in &mut parts.endpoints {
            *endpoint = HostPort::new(&endpoint.host, endpoint.port)?;
        }
        Ok(Self { parts, params: Vec::new(), settings: Vec::new(), certificate: None })
    }

    /// Adds a run-time parameter (a server setting such as `lock_timeout`, or one that Kratos itself reads such as
    /// `max_conns`); an earlier value of the same key is replaced.
    #[must_use]
    pub fn with_param(mut self, key: &str, value: &str) -> Self {
        self.params.retain(|(known, _)| known != key);
        self.params.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Uses a password where none was given.
    #[must_use]
    pub fn or_password(mut self, password: &str) -> Self {
        if self.parts.password.is_empty() {
            password.clone_into(&mut self.parts.password);
        }
        self
    }

    /// Shows a certificate to the server.
    #[must_use]
    pub fn with_certificate(mut self, certificate: ClientCertificate) -> Self {
        self.certificate = Some(Box::new(certificate));
        self
    }

    /// Adds a server setting of ours for the session. All of them go through the one start-up parameter `options`: a proxy
    /// may refuse any other that it does not know, and pools that serve Kratos let this one pass.
    #[must_use]
    pub fn with_setting(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The URL with the password in it: `postgres://user:pass@host:port/db[?params]`, with several endpoints
    /// `postgres://user:pass@host,host/db?port=port,port&target_session_attrs=primary`. It belongs in a child's
    /// environment only.
    pub fn url(&self) -> String {
        let password = match self.parts.password.as_str() {
            "" => String::new(),
            password => format!(":{}", encode(password)),
        };
        self.url_with(&password)
    }

    /// `text` with the password replaced by `***`, whether it stands there raw, percent-encoded or JSON-escaped.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        redact(text, &self.parts.password)
    }

    pub fn username(&self) -> &str {
        &self.parts.username
    }

    pub fn database(&self) -> &str {
        &self.parts.database
    }

    pub fn endpoints(&self) -> &[HostPort] {
        &self.parts.endpoints
    }

    pub fn tls(&self) -> &Tls {
        &self.parts.tls
    }

    /// The run-time parameters, in the order in which they were added.
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// Our settings for the session, in the order in which they were added.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    pub(super) fn certificate(&self) -> Option<&ClientCertificate> {
        self.certificate.as_deref()
    }

    pub(super) fn password(&self) -> &str {
        &self.parts.password
    }

    fn url_with(&self, password: &str) -> String {
        let DsnParts { username, endpoints, database, tls, .. } = &self.parts;
        let join = |part: fn(&HostPort) -> String| endpoints.iter().map(part).collect::<Vec<_>>().join(",");
        let (hosts, ports) =
            (join(|endpoint| endpoint.host.clone()), join(|endpoint| endpoint.port.to_string()));
        let mut query: Vec<(&str, &str)> = Vec::new();
        // Newer Go refuses a URL whose authority has more than one port, or an address in brackets beside another
        // host. As parameters both are understood by every client.
        let authority = match endpoints.as_slice() {
            [endpoint] => endpoint.to_string(),
            several => {
                let has_ipv6 = several.iter().any(|endpoint| endpoint.host.contains(':'));
                if has_ipv6 {
                    query.push(("host", &hosts));
                }
                // Not "read-write": Kratos would then refuse a primary that is fenced against writes.
                query.extend([("port", ports.as_str()), ("target_session_attrs", "primary")]);
                if has_ipv6 { String::new() } else { hosts.clone() }
            }
        };
        match tls {
            Tls::Prefer => {}
            Tls::Disable => query.push(("sslmode", "disable")),
            Tls::Require => query.push(("sslmode", "require")),
            Tls::Allow => query.push(("sslmode", "allow")),
            Tls::VerifyCa { ca_file, .. } => {
                query.extend([("sslmode", "verify-ca"), ("sslrootcert", ca_file)]);
            }
            Tls::VerifyFull { ca_file, .. } => {
                query.extend([("sslmode", "verify-full"), ("sslrootcert", ca_file)]);
            }
        }
        query.retain(|(key, value)| *key != "sslrootcert" || !value.is_empty());
        if let Some(certificate) = &self.certificate {
            let (file, key) = (&certificate.certificate_file, &certificate.key_file);
            query.extend([("sslcert", file.as_str()), ("sslkey", key.as_str())]);
        }
        let is_options = |(key, _): &&(String, String)| key == "options";
        let others = self.params.iter().filter(|param| !is_options(param));
        query.extend(others.map(|(key, value)| (key.as_str(), value.as_str())));
        let own = self.params.iter().find(is_options).map(|(_, value)| value.clone());
        let settings = self.settings.iter().map(|(name, value)| server_option(name, value));
        let options = own.into_iter().chain(settings).collect::<Vec<_>>().join(" ");
        if !options.is_empty() {
            query.push(("options", &options));
        }
        let query = query.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value)));
        let query = query.collect::<Vec<_>>().join("&");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("postgres://{}{password}@{authority}/{}{mark}{query}", encode(username), encode(database))
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url_with(":***"))
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

impl fmt::Debug for DsnParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, password: _, endpoints, database, tls } = self;
        f.debug_struct("DsnParts")
            .field("username", username)
            .field("password", &"***")
            .field("endpoints", endpoints)
            .field("database", database)
            .field("tls", tls)
            .finish()
    }
}

/// A setting as a word of the start-up parameter `options`, which the server splits at white space.
pub(super) fn server_option(name: &str, value: &str) -> String {
    let mut option = "-c ".to_owned();
    for character in format!("{name}={value}").chars() {
        if character == '\\' || character.is_whitespace() {
            option.push('\\');
        }
        option.push(character);
    }
    option
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, STRICT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> DsnParts {
        DsnParts {
            username: "relation_id_3".to_owned(),
            password: "s3cr/et?#@:".to_owned(),
            endpoints: HostPort::parse_list("pg-primary.model.svc:5432").unwrap(),
            database: "model_kratos".to_owned(),
            tls: Tls::Prefer,
        }
    }

    #[test]
    fn one_endpoint_and_no_word_on_tls_make_a_bare_url() {
        let dsn = Dsn::new(parts()).unwrap();
        assert_eq!(
            dsn.url(),
            "postgres://relation_id_3:s3cr%2Fet%3F%23%40%3A@pg-primary.model.svc:5432/model_kratos"
        );
    }

    #[test]
    fn the_query_says_tls_and_parameters() {
        let tls = Tls::VerifyCa { ca_pem: "PEM".to_owned(), ca_file: "/etc/db ca.pem".to_owned() };
        let endpoints = HostPort::parse_list("a:1,[::1]:2").unwrap();
        let dsn = Dsn::new(DsnParts { tls, endpoints, password: "p".to_owned(), ..parts() }).unwrap();
        let dsn = dsn
            .with_param("lock_timeout", "1")
            .with_param("application_name", "a&b")
            .with_param("lock_timeout", "2s");
        assert_eq!(
            dsn.url(),
            "postgres://relation_id_3:p@/model_kratos?host=a%2C%3A%3A1&port=1%2C2&target_session_attrs=primary\
             &sslmode=verify-ca&sslrootcert=%2Fetc%2Fdb%20ca.pem&application_name=a%26b&lock_timeout=2s"
        );
        let require = Dsn::new(DsnParts { tls: Tls::Require, ..parts() }).unwrap();
        assert!(require.url().ends_with("/model_kratos?sslmode=require"));
    }

    #[test]
    fn no_view_shows_the_password() {
        let dsn = Dsn::new(parts()).unwrap().with_param("lock_timeout", "2s");
        let shown = "postgres://relation_id_3:***@pg-primary.model.svc:5432/model_kratos?lock_timeout=2s";
        assert_eq!(dsn.to_string(), shown);
        assert_eq!(format!("{dsn:?}"), format!("Dsn({shown})"));
        assert!(!format!("{:#?}", parts()).contains("s3cr"));
        assert_eq!(dsn.redact(&format!("failed: {}", dsn.url())), format!("failed: {shown}"));
    }

    #[test]
    fn incomplete_parts_are_refused() {
        for (parts, kind) in [
            (DsnParts { username: String::new(), ..parts() }, "dsn-missing-part"),
            (DsnParts { database: String::new(), ..parts() }, "dsn-missing-part"),
            (DsnParts { endpoints: vec![], ..parts() }, "dsn-missing-part"),
            (DsnParts { password: "a\0b".to_owned(), ..parts() }, "dsn-nul"),
            (
                DsnParts { endpoints: vec![HostPort { host: "a@b".to_owned(), port: 1 }], ..parts() },
                "endpoint-bad-host",
            ),
        ] {
            assert_eq!(Dsn::new(parts).unwrap_err().kind(), kind);
        }
    }
}

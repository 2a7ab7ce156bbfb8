//! What can go wrong with a database, sorted by what somebody can do about it.
//!
//! Given an error of the client library, it finds the kind from the SQLSTATE or the nested cause and writes a message
//! that says what to do. A server's DETAIL is left out, since it quotes rows; passwords are masked in everything.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::dsn::Dsn;

pub type Result<T> = std::result::Result<T, Error>;

/// A failure; `host` is `host:port`, or several of them if all were tried. The message is fit for a status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot reach PostgreSQL at {host} ({reason}): check that it is active and that the network lets us through"
    )]
    Unreachable { host: String, reason: String },
    #[error(
        "PostgreSQL at {host} gave no answer within {after:?}: check that it is active and not overloaded"
    )]
    Timeout { host: String, after: Duration },
    #[error(
        "PostgreSQL at {host} refused the password of {user}: check the credentials or renew the relation"
    )]
    WrongPassword { host: String, user: String },
    #[error("PostgreSQL at {host} has no database {database}: create it or renew the relation")]
    NoDatabase { host: String, database: String },
    #[error("PostgreSQL at {host} does not do the TLS that is required ({reason}): enable TLS there")]
    TlsRefused { host: String, reason: String },
    #[error(
        "the certificate of PostgreSQL at {host} is not trusted ({reason}): check that its CA is the one published"
    )]
    CertificateInvalid { host: String, reason: String },
    #[error("the CA bundle for the database is unusable ({reason}): check what the database published")]
    BadCa { reason: String },
    #[error("PostgreSQL at {host} takes no writes: connect to the primary, or wait until one is elected")]
    ReadOnly { host: String },
    #[error("PostgreSQL at {host} does not let {user} do this ({message}): allow it there and try again")]
    Permission { host: String, user: String, message: String },
    /// A proxy that pools connections knows no start-up parameters but a few.
    #[error(
        "a proxy at {host} refuses the login ({message}): add the parameter to ignore_startup_parameters of PgBouncer, or connect \
         to the database itself, past the proxy"
    )]
    StartupParameter { host: String, message: String },
    /// A proxy that gives each transaction another session.
    #[error(
        "a proxy at {host} shares sessions between connections ({message}): connect to the database itself, past the proxy"
    )]
    Pooler { host: String, message: String },
    #[error("the statement was canceled ({message}): run it again")]
    Canceled { message: String },
    #[error("another session holds a lock that is needed ({message}): end that session or try again later")]
    LockTimeout { message: String },
    #[error("the connection to PostgreSQL at {host} was lost ({reason}): try again")]
    Lost { host: String, reason: String },
    #[error("PostgreSQL: {message}{}", sqlstate.as_ref().map(|code| format!(" (SQLSTATE {code})")).unwrap_or_default())]
    Other { sqlstate: Option<String>, message: String },
}

impl Error {
    /// A stable label of what went wrong.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::WrongPassword { .. } => "wrong-password",
            Self::NoDatabase { .. } => "no-database",
            Self::TlsRefused { .. } => "tls-refused",
            Self::CertificateInvalid { .. } => "certificate-invalid",
            Self::BadCa { .. } => "bad-ca",
            Self::ReadOnly { .. } => "read-only",
            Self::Permission { .. } => "permission",
            Self::StartupParameter { .. } => "startup-parameter",
            Self::Pooler { .. } => "pooler",
            Self::Canceled { .. } => "canceled",
            Self::LockTimeout { .. } => "lock-timeout",
            Self::Lost { .. } => "lost",
            Self::Other { .. } => "other",
        }
    }

    /// Sorts an error of the client library that happened at `host` (`host:port`).
    pub(super) fn sort(error: &tokio_postgres::Error, dsn: &Dsn, host: &str) -> Self {
        let clean = |text: &str| dsn.redact(text).into_owned();
        let host = clean(host);
        let user = clean(dsn.username());
        if let Some(db) = error.as_db_error() {
            let message = clean(db.message());
            let is_pooler = message.starts_with("prepared statement ") && message.ends_with(" exist");
            return match db.code() {
                _ if message.contains("unsupported startup parameter") => {
                    Self::StartupParameter { host, message }
                }
                _ if is_pooler => Self::Pooler { host, message },
                &SqlState::INVALID_PASSWORD => Self::WrongPassword { host, user },
                &SqlState::INVALID_CATALOG_NAME => Self::NoDatabase { host, database: clean(dsn.database()) },
                &SqlState::INVALID_AUTHORIZATION_SPECIFICATION | &SqlState::INSUFFICIENT_PRIVILEGE => {
                    Self::Permission { host, user, message }
                }
                &SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly { host },
                &SqlState::QUERY_CANCELED => Self::Canceled { message },
                &SqlState::LOCK_NOT_AVAILABLE => Self::LockTimeout { message },
                &SqlState::CANNOT_CONNECT_NOW | &SqlState::TOO_MANY_CONNECTIONS => {
                    Self::Unreachable { host, reason: message }
                }
                &SqlState::ADMIN_SHUTDOWN | &SqlState::CRASH_SHUTDOWN => Self::Lost { host, reason: message },
                code => Self::Other { sqlstate: Some(code.code().to_owned()), message },
            };
        }
        let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        let tls = cause.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let reason = clean(&error.source().map_or_else(|| error.to_string(), ToString::to_string));
        match (tls, cause) {
            (Some(rustls::Error::InvalidCertificate(_)), _) => Self::CertificateInvalid { host, reason },
            (Some(_), _) => Self::TlsRefused { host, reason },
            _ if is_tls(error) => Self::TlsRefused { host, reason },
            (None, Some(_)) => Self::Lost { host, reason },
            _ if error.is_closed() => Self::Lost { host, reason },
            _ => Self::Other { sqlstate: None, message: format!("{error}: {reason}") },
        }
    }

    /// The same while no connection stands yet: what was never there cannot be lost.
    pub(super) fn while_connecting(self) -> Self {
        match self {
            Self::Lost { host, reason } => Self::Unreachable { host, reason },
            other => other,
        }
    }

    /// Whether another endpoint of the same database may do better. Credentials, names and certificates are the same
    /// everywhere, so trying on would only hide the message that helps.
    pub(super) fn is_of_endpoint(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Timeout { .. } | Self::ReadOnly { .. })
    }

    /// One error for several endpoints that failed each in its own way (see [`Self::is_of_endpoint`]).
    pub(super) fn summed_up(failures: &[Self]) -> Self {
        let mut hosts = Vec::new();
        let mut reasons = Vec::new();
        let (mut read_only, mut longest) = (Vec::new(), Some(Duration::ZERO));
        for failure in failures {
            match failure {
                Self::Unreachable { host, reason } => {
                    longest = None;
                    hosts.push(host.as_str());
                    reasons.push(reason.clone());
                }
                Self::Timeout { host, after } => {
                    longest = longest.map(|longest| longest.max(*after));
                    hosts.push(host.as_str());
                    reasons.push(format!("no answer within {after:?}"));
                }
                Self::ReadOnly { host } => read_only.push(host.as_str()),
                other => return other.clone(),
            }
        }
        match (read_only.is_empty(), longest) {
            (false, _) => Self::ReadOnly { host: read_only.join(", ") },
            (true, Some(after)) => Self::Timeout { host: hosts.join(", "), after },
            (true, None) => Self::Unreachable { host: hosts.join(", "), reason: reasons.join("; ") },
        }
    }
}

/// Whether the TLS handshake failed, or the server does not speak TLS. The library offers no better way to tell.
pub(super) fn is_tls(error: &tokio_postgres::Error) -> bool {
    error.to_string() == "error performing TLS handshake"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreachable(host: &str) -> Error {
        Error::Unreachable { host: host.to_owned(), reason: "refused".to_owned() }
    }

    fn timeout(host: &str) -> Error {
        Error::Timeout { host: host.to_owned(), after: Duration::from_secs(2) }
    }

    #[test]
    fn failures_of_several_endpoints_become_one() {
        let read_only = Error::ReadOnly { host: "c:1".to_owned() };
        let all = |failures: &[Error]| Error::summed_up(failures).to_string();
        assert_eq!(all(&[unreachable("a:1")]), unreachable("a:1").to_string());
        assert!(
            all(&[unreachable("a:1"), timeout("b:1")]).contains("a:1, b:1 (refused; no answer within 2s)")
        );
        assert_eq!(Error::summed_up(&[timeout("a:1"), timeout("b:1")]), timeout("a:1, b:1"));
        assert_eq!(Error::summed_up(&[unreachable("a:1"), read_only.clone()]), read_only);
    }
}

//! The mail server through which the courier sends.

use serde::Deserialize;

use super::secret::Secret;

/// A mail server; all texts raw, nothing percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub security: TransportSecurity,
    #[serde(default)]
    pub skip_ssl_verify: bool,
    /// `None`: the server asks for no authentication.
    #[serde(default)]
    pub login: Option<SmtpLogin>,
}

/// User name and password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpLogin {
    pub user: String,
    pub password: Secret,
}

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportSecurity {
    None,
    StartTls,
    Tls,
}

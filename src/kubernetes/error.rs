//! Why the Kubernetes API did not do something.

use std::error::Error as StdError;

use serde::Deserialize;

/// An answer that is no success, or none at all. Texts hold nothing of what was sent or received but the API's own
/// message: a ConfigMap may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("cannot use the service account: {0}")]
    ServiceAccount(String),
    #[error("the Kubernetes API does not answer in time")]
    Timeout,
    #[error("cannot reach the Kubernetes API: {0}")]
    Unreachable(String),
    #[error("cannot trust the Kubernetes API: {0}")]
    Tls(String),
    /// The API's own refusal.
    #[error("{message}")]
    Refused { code: u16, message: String },
    #[error("the answer of the Kubernetes API cannot be read: {0}")]
    Answer(String),
}

/// Longest text of the API's that is repeated.
const LONGEST: usize = 300;

impl Error {
    /// A stable label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ServiceAccount(_) => "service-account",
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(_) => "tls",
            Self::Refused { .. } => "refused",
            Self::Answer(_) => "answer",
        }
    }

    /// Whether the service account may not do it: the application is not trusted.
    pub fn is_forbidden(&self) -> bool {
        self.has_code(403)
    }

    /// Whether the object is not there.
    pub fn is_not_found(&self) -> bool {
        self.has_code(404)
    }

    /// Whether somebody else has it: the name, or fields of it.
    pub fn is_conflict(&self) -> bool {
        self.has_code(409)
    }

    /// Whether only somebody who operates the cluster, or time, helps; what was asked for is right.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { code, .. } => matches!(code, 401 | 408 | 429 | 500..),
            _ => true,
        }
    }

    fn has_code(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }

    /// The API's refusal, from the `Status` object in its body.
    pub(super) fn refused(code: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Status {
            message: String,
        }
        let message = match serde_json::from_slice::<Status>(body) {
            Ok(status) if !status.message.is_empty() => plain(&status.message),
            _ => format!("the Kubernetes API answers {code}"),
        };
        Self::Refused { code, message }
    }

    /// What the client met on its way.
    pub(super) fn transport(error: &(dyn StdError + 'static)) -> Self {
        let mut innermost: &(dyn StdError + 'static) = error;
        loop {
            if let Some(tls) = tls(innermost) {
                return Self::Tls(plain(&tls));
            }
            match innermost.source() {
                Some(source) => innermost = source,
                None => return Self::Unreachable(plain(&innermost.to_string())),
            }
        }
    }
}

/// What rustls says, also from within the I/O errors that it travels in: those do not tell it as their source.
fn tls(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found.to_string());
    }
    tls(error.downcast_ref::<std::io::Error>()?.get_ref()?)
}

/// On one line and not too long.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_refusal_is_the_apis() {
        let body = br#"{"kind":"Status","code":409,"message":"Apply failed with 1 conflict:\n  conflict"}"#;
        let error = Error::refused(409, body);
        assert!(error.is_conflict() && !error.is_passing());
        assert_eq!(error.to_string(), "Apply failed with 1 conflict: conflict");
        assert_eq!(Error::refused(503, b"<html>").to_string(), "the Kubernetes API answers 503");
        assert!(Error::refused(503, b"").is_passing() && Error::refused(401, b"").is_passing());
        assert!(Error::refused(403, b"").is_forbidden() && !Error::refused(422, b"").is_passing());
    }

    #[test]
    fn a_tls_failure_is_told_from_an_unreachable_server() {
        let tls = std::io::Error::other(rustls::Error::InvalidCertificate(rustls::CertificateError::Expired));
        assert_eq!(Error::transport(&tls).kind(), "tls");
        assert_eq!(Error::transport(&std::io::Error::other(tls)).kind(), "tls");
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert_eq!(Error::transport(&refused).kind(), "unreachable");
    }
}

//! Why a call of the admin API gave nothing: told apart by what a person can do about it.

use std::time::Duration;

use serde::Deserialize;

use crate::kratos::facts::secret::Secret;

/// A reason of Kratos is cut to so many characters.
const LONGEST_REASON: usize = 300;

/// A call that gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the admin API of Kratos cannot be reached at {address}: {reason}")]
    Unreachable { address: String, reason: String },
    #[error("the admin API of Kratos at {address} did not answer within {} s", limit.as_secs_f64())]
    Timeout { address: String, limit: Duration },
    /// 404: the identity, the credential, or a part of Kratos that is switched off.
    #[error("Kratos found nothing: {reason}")]
    NotFound { reason: String },
    /// 409: another identity has an identifier or address of this one.
    #[error("Kratos found a conflict: {reason}")]
    Conflict { reason: String },
    /// Another 4xx, or a 500 that what the request holds has caused: the request is not acceptable.
    #[error("Kratos refused with {code}: {reason}")]
    Refused { code: u16, reason: String },
    /// 5xx: Kratos or its database has a fault.
    #[error("Kratos failed with {code}: {reason}")]
    Server { code: u16, reason: String },
    #[error("the admin API of Kratos gave an unexpected answer: {what}")]
    Unexpected { what: String },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::NotFound { .. } => "not-found",
            Self::Conflict { .. } => "conflict",
            Self::Refused { .. } => "refused",
            Self::Server { .. } => "server",
            Self::Unexpected { .. } => "unexpected",
        }
    }

    /// The error of an answer that is no success.
    pub(super) fn from_answer(code: u16, body: &[u8]) -> Self {
        let reason = reason(body);
        match code {
            404 => Self::NotFound { reason },
            409 => Self::Conflict { reason },
            400..=499 => Self::Refused { code, reason },
            500 if is_about_data(body) => Self::Refused { code, reason },
            500..=599 => Self::Server { code, reason },
            _ => Self::Unexpected { what: format!("status {code}") },
        }
    }

    /// The same error without the secret that the request carried, should Kratos quote it.
    pub(super) fn without(mut self, secret: &Secret) -> Self {
        let (Self::NotFound { reason }
        | Self::Conflict { reason }
        | Self::Refused { reason, .. }
        | Self::Server { reason, .. }) = &mut self
        else {
            return self;
        };
        if !secret.0.is_empty() {
            *reason = reason.replace(&secret.0, "***");
        }
        self
    }
}

/// Whether a 500 tells of a fault in what was sent, which Kratos answers too where only the database or the hasher
/// notices: values that PostgreSQL cannot take (class 22, and 54000 for what no index holds), and violations of a
/// schema or a policy (`I[#/password] S[] ...`).
fn is_about_data(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    ["(SQLSTATE 22", "(SQLSTATE 54000", "I[#/"].iter().any(|sign| text.contains(sign))
}

/// Kratos' error envelope: `reason` is the useful text, where there is one.
#[derive(Deserialize)]
struct Envelope {
    error: Inner,
}

#[derive(Deserialize)]
struct Inner {
    reason: Option<String>,
    message: Option<String>,
}

fn reason(body: &[u8]) -> String {
    let told = serde_json::from_slice::<Envelope>(body).ok().map(|envelope| envelope.error);
    let text = told.and_then(|error| error.reason.filter(|reason| !reason.is_empty()).or(error.message));
    // Anything but the envelope is the text of a router or a proxy.
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { "no reason given".to_owned() } else { text.chars().take(LONGEST_REASON).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_useful_text_of_an_answer_is_kept_on_one_line() {
        let table: [(u16, &str, &str, &str); 10] = [
            (
                404,
                r#"{"error":{"code":404,"status":"Not Found","message":"Unable to locate the resource"}}"#,
                "not-found",
                "Kratos found nothing: Unable to locate the resource",
            ),
            (
                409,
                r#"{"error":{"code":409,"reason":"This identity conflicts.","message":"generic"}}"#,
                "conflict",
                "Kratos found a conflict: This identity conflicts.",
            ),
            (400, r#"{"error":{"reason":"a\n  b"}}"#, "refused", "Kratos refused with 400: a b"),
            (405, "Method Not Allowed\n", "refused", "Kratos refused with 405: Method Not Allowed"),
            (500, r#"{"error":{}}"#, "server", r#"Kratos failed with 500: {"error":{}}"#),
            (
                500,
                r#"{"error":{"message":"ERROR: value too long for type character varying(255) (SQLSTATE 22001)"}}"#,
                "refused",
                "Kratos refused with 500: ERROR: value too long for type character varying(255) (SQLSTATE 22001)",
            ),
            (
                500,
                r#"{"error":{"message":"I[#/password] S[] at most 72"}}"#,
                "refused",
                "Kratos refused with 500: I[#/password] S[] at most 72",
            ),
            (
                500,
                r#"{"error":{"message":"could not extend file (SQLSTATE 53100)"}}"#,
                "server",
                "Kratos failed with 500: could not extend file (SQLSTATE 53100)",
            ),
            (503, "", "server", "Kratos failed with 503: no reason given"),
            (307, "<a>", "unexpected", "the admin API of Kratos gave an unexpected answer: status 307"),
        ];
        for (code, body, kind, text) in table {
            let error = Error::from_answer(code, body.as_bytes());
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, text));
        }
        let long = Error::from_answer(400, "x".repeat(9000).as_bytes());
        assert!(long.to_string().len() < 400);
    }

    #[test]
    fn a_secret_that_is_quoted_is_masked() {
        let error = Error::from_answer(400, br#"{"error":{"reason":"sesame is too short"}}"#);
        assert_eq!(
            error.without(&Secret("sesame".into())).to_string(),
            "Kratos refused with 400: *** is too short"
        );
    }
}

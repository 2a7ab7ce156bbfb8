//! The JSON frame around every answer of Pebble: given an HTTP status and a body, it yields the result or
//! Pebble's error.

use super::error::Error;
use super::values::ChangeId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// An answer that is not an error.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    change: Option<String>,
    #[serde(default)]
    result: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    message: String,
    kind: Option<String>,
}

impl Envelope {
    /// Reads an answer. `call` names the request ("GET /v1/plan") for errors.
    ///
    /// What makes an answer an error is its type, not its status: a failed health check is a good answer with
    /// status 502.
    pub(super) fn read(call: &str, status: u16, body: &[u8]) -> Result<Self, Error> {
        let envelope: Self = match serde_json::from_slice(body) {
            Ok(envelope) => envelope,
            // Go's HTTP server refuses malformed requests in plain text, and HEAD has no body at all.
            Err(_) if status >= 400 => return Err(refusal(call, status, None, &excerpt(body))),
            Err(_) => return Err(Error::protocol(format!("the answer to {call} is not JSON"))),
        };
        match envelope.kind.as_str() {
            "sync" | "async" => Ok(envelope),
            "error" => {
                let result = Refusal::deserialize(&envelope.result).unwrap_or_default();
                Err(refusal(call, status, result.kind, &result.message))
            }
            other => Err(Error::protocol(format!("the answer to {call} has the unknown type {other:?}"))),
        }
    }

    /// The result in its own type. `what` names it for errors.
    pub(super) fn result<T: DeserializeOwned>(self, what: &str) -> Result<T, Error> {
        serde_json::from_value(self.result).map_err(|error| Error::protocol(format!("{what}: {error}")))
    }

    /// The result as a list; `null` is an empty one.
    pub(super) fn list<T: DeserializeOwned>(self, what: &str) -> Result<Vec<T>, Error> {
        Ok(self.result::<Option<Vec<T>>>(what)?.unwrap_or_default())
    }

    /// The change that an asynchronous answer started, and the answer's result.
    pub(super) fn change(self) -> Result<(ChangeId, Value), Error> {
        match self.change {
            Some(id) if !id.is_empty() => Ok((ChangeId::from(id), self.result)),
            _ => Err(Error::protocol("an asynchronous answer names no change")),
        }
    }
}

fn refusal(call: &str, code: u16, kind: Option<String>, message: &str) -> Error {
    // A daemon that does not know the path says so with this sentence; other 404s are about the thing that
    // was asked for.
    if code == 405 || (code == 404 && message == "invalid API endpoint requested") {
        return Error::Unsupported { call: call.to_owned() };
    }
    Error::Api { code, kind, message: message.to_owned() }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Envelope, Error> {
        Envelope::read("GET /v1/x", status, body.as_bytes())
    }

    #[test]
    fn the_type_decides_not_the_status() {
        let envelope = read(502, r#"{"type":"sync","result":{"healthy":false}}"#).unwrap();
        assert_eq!(envelope.result::<Value>("health").unwrap()["healthy"], false);
        let error =
            read(404, r#"{"type":"error","result":{"message":"no such","kind":"not-found"}}"#).unwrap_err();
        assert!(
            matches!(&error, Error::Api { code: 404, kind: Some(k), message } if k == "not-found" && message == "no such")
        );
        assert!(error.is_not_found());
    }

    #[test]
    fn unknown_endpoints_are_told_from_unknown_things() {
        for (status, body) in [
            (404, r#"{"type":"error","result":{"message":"invalid API endpoint requested"}}"#),
            (405, r#"{"type":"error","result":{"message":"method \"POST\" not allowed"}}"#),
            (405, ""),
        ] {
            assert_eq!(read(status, body).unwrap_err().kind(), "unsupported", "{body}");
        }
        let error = read(404, r#"{"type":"error","result":{"message":"cannot find check"}}"#).unwrap_err();
        assert_eq!(error.kind(), "api");
    }

    #[test]
    fn odd_answers_are_errors() {
        assert_eq!(read(200, "<html>").unwrap_err().kind(), "protocol");
        assert_eq!(read(200, r#"{"type":"banana"}"#).unwrap_err().kind(), "protocol");
        assert!(
            matches!(read(400, "missing Host").unwrap_err(), Error::Api { message, .. } if message == "missing Host")
        );
        assert!(matches!(
            read(500, r#"{"type":"error","result":null}"#).unwrap_err(),
            Error::Api { code: 500, .. }
        ));
        let sync = read(200, r#"{"type":"sync","result":null}"#).unwrap();
        assert!(sync.list::<String>("names").unwrap().is_empty());
        assert_eq!(
            read(202, r#"{"type":"async","result":null}"#).unwrap().change().unwrap_err().kind(),
            "protocol"
        );
    }
}

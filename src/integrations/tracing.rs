//! `tracing` (interface tracing, schema v2): where traces are sent to.
//!
//! We ask for one protocol, OTLP over HTTP. The other side may answer with others only, or with none while it waits for
//! its own backend: then there is no tracing yet (docs/behaviour.md#weakness-4). An https URL stays one
//! (docs/behaviour.md#weakness-60).

use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use super::relation::{Relation, Remote};
use crate::kratos::facts::otlp::endpoint;
use crate::kratos::facts::uri::web_url;

/// Only application databags count.
pub const ENDPOINT: Endpoint = Endpoint {
    read: |related, given, _| related.otlp = given.first(otlp),
    answer: Some(|_, _| Some(request())),
    ..Endpoint::new("tracing")
};

const RECEIVERS: &str = "receivers";
const PROTOCOL: &str = "otlp_http";

/// The OTLP over HTTP receiver, with its scheme.
pub fn otlp(relation: &Relation) -> Remote<Url> {
    find(relation).into()
}

fn find(relation: &Relation) -> Result<Option<Url>, String> {
    let Some(text) = relation.value(RECEIVERS) else { return Ok(None) };
    let Ok(Value::Array(receivers)) = serde_json::from_str(text) else {
        return Err(format!("{RECEIVERS} is no JSON list"));
    };
    let is_ours = |receiver: &&Value| receiver["protocol"]["name"] == PROTOCOL;
    let Some(receiver) = receivers.iter().find(is_ours) else { return Ok(None) };
    let url = receiver["url"].as_str().and_then(web_url).filter(|url| endpoint(url).is_ok());
    url.map(Some).ok_or_else(|| format!("the url of {PROTOCOL} is no http(s)://HOST:PORT"))
}

/// What the leader publishes: the protocol that it asks for.
fn request() -> BTreeMap<String, Option<String>> {
    BTreeMap::from([(RECEIVERS.to_owned(), Some(json!([PROTOCOL]).to_string()))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample::relation;

    fn read(receivers: &str) -> Remote<Url> {
        otlp(&relation("tracing:4", &[(RECEIVERS, receivers)]))
    }

    fn receiver(name: &str, url: &str) -> String {
        format!(r#"{{"protocol": {{"name": "{name}", "type": "http"}}, "url": "{url}"}}"#)
    }

    #[test]
    fn the_one_protocol_that_kratos_speaks_is_found() {
        let (zipkin, otlp) = (receiver("zipkin", "http://t:9411"), receiver("otlp_http", "https://t:4318"));
        assert_eq!(read(&format!("[7, {zipkin}, {otlp}]")), Remote::Ready("https://t:4318".parse().unwrap()));
    }

    #[test]
    fn weakness_04_a_provider_without_our_protocol_is_waited_for() {
        for receivers in ["", " ", "[]", "[7, null, {}]", &format!("[{}]", receiver("otlp_grpc", "t:4317"))] {
            assert_eq!(read(receivers), Remote::Absent, "{receivers}");
        }
        for receivers in ["{", "{}", "7", &format!("[{}]", receiver("otlp_http", "t:4318"))] {
            assert!(matches!(read(receivers), Remote::Invalid(_)), "{receivers}");
        }
    }

    #[test]
    fn weakness_60_the_request_is_one_stable_text_and_https_stays() {
        assert_eq!(
            read(&format!("[{}]", receiver("otlp_http", "https://t:4318"))).ready().unwrap().scheme(),
            "https"
        );
        assert_eq!(request()[RECEIVERS].as_deref(), Some(r#"["otlp_http"]"#));
    }
}

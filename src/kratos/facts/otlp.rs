//! The endpoint to which Kratos sends traces, OTLP over HTTP (docs/behaviour.md#row-42).
//!
//! Kratos takes an address, not a URL: it adds the path of OTLP itself, and is told apart whether to speak TLS.

use reqwest::Url;

/// An endpoint in Kratos' words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint {
    /// `host:port`.
    pub address: String,
    pub is_tls: bool,
}

/// Reads `http(s)://host[:port]`, with or without OTLP's own path. The error says what Kratos cannot be told.
pub fn endpoint(url: &Url) -> Result<OtlpEndpoint, String> {
    let refused = |why: &str| Err(format!("traces cannot be sent to {:?}: {why}", redacted(url)));
    let is_tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return refused("it is no http(s):// URL"),
    };
    if !["", "/", "/v1/traces"].contains(&url.path()) || url.query().is_some() {
        return refused("Kratos takes a host and a port only");
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return refused("it names no host");
    };
    if !host.starts_with('[') && !host.split('.').all(is_label) {
        return refused("Kratos takes no such host name");
    }
    Ok(OtlpEndpoint { address: format!("{host}:{port}"), is_tls })
}

fn is_label(label: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
}

fn redacted(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_whether_it_speaks_tls() {
        let cases = [
            ("http://tempo:4318", Ok(("tempo:4318", false))),
            ("https://tempo.idp.svc:4318/", Ok(("tempo.idp.svc:4318", true))),
            ("https://otel.example.com", Ok(("otel.example.com:443", true))),
            ("http://[::1]:4318/v1/traces", Ok(("[::1]:4318", false))),
            ("http://10.0.0.1:4318", Ok(("10.0.0.1:4318", false))),
            ("http://tempo:4318/other", Err("Kratos takes a host and a port only")),
            ("http://tempo:4318/?a=b", Err("Kratos takes a host and a port only")),
            ("http://under_score:4318", Err("Kratos takes no such host name")),
            ("http://dot.:4318", Err("Kratos takes no such host name")),
            ("grpc://tempo:4317", Err("it is no http(s):// URL")),
        ];
        for (text, expected) in cases {
            let found = endpoint(&Url::parse(text).unwrap());
            match (found, expected) {
                (Ok(found), Ok((address, is_tls))) => {
                    assert_eq!((found.address.as_str(), found.is_tls), (address, is_tls), "{text}");
                }
                (Err(found), Err(reason)) => assert!(found.ends_with(reason), "{found}"),
                (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
            }
        }
    }
}

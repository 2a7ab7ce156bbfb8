//! The address under which the public API is reached from outside.

use std::fmt;

use reqwest::Url;
use serde::Deserialize;

use super::uri::web_url;

/// Scheme, host, perhaps a port, and the path below which an ingress serves it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// Checks an `http` or `https` address such as `https://id.example.com:8443` or `https://example.com/idp`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refused = || format!("{text:?} is no http(s)://HOST[:PORT][/PATH]");
        let url = Url::parse(text).map_err(|_| refused())?;
        let is_bare = url.query().is_none() && url.fragment().is_none();
        let is_open = url.username().is_empty() && url.password().is_none();
        let is_web = matches!(url.scheme(), "http" | "https");
        // The parser takes hosts that Kratos would refuse, such as `a{b`.
        let is_plain = web_url(url.as_str()).is_some();
        (is_web && is_bare && is_open && is_plain).then_some(Self(url)).ok_or_else(refused)
    }

    /// Whether browsers bind security keys to it: to a domain name, over TLS or on this machine.
    pub fn may_bind_keys(&self) -> bool {
        let Some(name) = self.0.domain() else { return false };
        let is_local = name == "localhost" || name.ends_with(".localhost");
        !name.ends_with('.') && (is_local || self.0.scheme() == "https")
    }

    /// Without the port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// `scheme://host[:port]`, as browsers write an origin.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// Without a slash at its end.
impl fmt::Display for PublicUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin(), self.0.path().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bound_to_names_that_browsers_take() {
        for url in [
            "https://id.example.com:8443/x",
            "http://localhost:4433",
            "http://a.localhost",
            "https://localhost",
        ] {
            assert!(PublicUrl::parse(url).unwrap().may_bind_keys(), "{url}");
        }
        for url in [
            "https://10.64.140.43",
            "https://[fd00::1]",
            "https://id.example.com.",
            "http://id.example.com",
            "http://127.0.0.1",
        ] {
            assert!(!PublicUrl::parse(url).unwrap().may_bind_keys(), "{url}");
        }
    }

    #[test]
    fn weakness_62_an_origin_keeps_its_port() {
        let url = PublicUrl::parse("https://Id.Example.com:8443/").unwrap();
        assert_eq!((url.host(), url.to_string().as_str()), ("id.example.com", "https://id.example.com:8443"));
        assert_eq!(PublicUrl::parse("https://x:443").unwrap().origin(), "https://x");
        let below = PublicUrl::parse("https://x/idp-kratos/").unwrap();
        assert_eq!(
            (below.origin().as_str(), below.to_string().as_str()),
            ("https://x", "https://x/idp-kratos")
        );
        for text in
            ["", "x", "ftp://x", "https://", "https://x?q", "https://u@x", "https://x y", "https://x{y"]
        {
            assert!(PublicUrl::parse(text).unwrap_err().contains("is no http"), "{text}");
        }
    }
}

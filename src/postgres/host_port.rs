//! One place where a server listens: a host and a port.
//!
//! Given `host:port[,host:port]` as another charm publishes it, it yields typed endpoints. Only host names and IP
//! addresses are let through, so that an endpoint can stand in a URL without quoting.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// PostgreSQL's registered port.
const DEFAULT_PORT: u16 = 5432;

/// A host (name, IPv4 or IPv6 address without brackets) and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

/// Why a text is no endpoint; every variant names the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostPortError {
    #[error("no host in database endpoint {0:?}: expected host:port[,host:port]")]
    EmptyHost(String),
    #[error("{1:?} in database endpoint {0:?} is not a host name or an IP address")]
    BadHost(String, String),
    #[error("{1:?} in database endpoint {0:?} is not a port (1 to 65535)")]
    BadPort(String, String),
}

impl HostPortError {
    /// A stable label of what went wrong.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::EmptyHost(_) => "endpoint-empty-host",
            Self::BadHost(..) => "endpoint-bad-host",
            Self::BadPort(..) => "endpoint-bad-port",
        }
    }
}

impl HostPort {
    /// Checks the host; an IPv6 address is brought to its canonical form, brackets dropped.
    pub fn new(host: &str, port: u16) -> Result<Self, HostPortError> {
        let input = format!("{host}:{port}");
        if port == 0 {
            return Err(HostPortError::BadPort(input, port.to_string()));
        }
        Ok(Self { host: checked_host(&input, host)?, port })
    }

    /// Parses a comma-separated list, spaces around each item trimmed. An empty item is an error: it would silently
    /// hide that the other side published half of something.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, HostPortError> {
        text.split(',')
            .map(|item| match item.trim() {
                "" => Err(HostPortError::EmptyHost(text.to_owned())),
                item => item.parse(),
            })
            .collect()
    }
}

impl FromStr for HostPort {
    type Err = HostPortError;

    /// Parses `host`, `host:port`, `[v6]`, `[v6]:port` or a bare `v6`; the port defaults to 5432.
    fn from_str(text: &str) -> Result<Self, HostPortError> {
        let item = text.trim();
        let (host, port) = if item.parse::<Ipv6Addr>().is_ok() {
            (item, None)
        } else if let Some((host, rest)) = item.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            if host.parse::<Ipv6Addr>().is_err() {
                return Err(HostPortError::BadHost(text.to_owned(), host.to_owned()));
            }
            match rest.strip_prefix(':') {
                None if rest.is_empty() => (host, None),
                Some(port) => (host, Some(port)),
                None => return Err(HostPortError::BadPort(text.to_owned(), rest.to_owned())),
            }
        } else {
            match item.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (item, None),
            }
        };
        let port = match port {
            None => DEFAULT_PORT,
            Some(digits) => match digits.parse::<u16>() {
                // `parse` also takes "+5432".
                Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => port,
                _ => return Err(HostPortError::BadPort(text.to_owned(), digits.to_owned())),
            },
        };
        Ok(Self { host: checked_host(text, host)?, port })
    }
}

impl fmt::Display for HostPort {
    /// `host:port`, an IPv6 address in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

fn checked_host(input: &str, host: &str) -> Result<String, HostPortError> {
    if host.is_empty() {
        return Err(HostPortError::EmptyHost(input.to_owned()));
    }
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return Ok(address.to_string());
    }
    // Underscores are no part of a host name, but Kubernetes and Docker names in the field have them.
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    if host.len() > 253 || host.starts_with(['.', '-']) || !host.bytes().all(name) {
        return Err(HostPortError::BadHost(input.to_owned(), host.to_owned()));
    }
    Ok(host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn every_customary_form_is_read() {
        for (text, host, port) in [
            ("db", "db", 5432),
            ("db:6432", "db", 6432),
            (" pg-primary.model.svc.cluster.local:5432 ", "pg-primary.model.svc.cluster.local", 5432),
            ("10.1.2.3:1", "10.1.2.3", 1),
            ("::1", "::1", 5432),
            ("[::1]", "::1", 5432),
            ("[2001:DB8:0::1]:65535", "2001:db8::1", 65535),
            ("my_db:5432", "my_db", 5432),
        ] {
            assert_eq!(text.parse::<HostPort>(), Ok(one(host, port)), "{text}");
        }
        assert_eq!(
            HostPort::parse_list("a:1, [::1]:2 ,c"),
            Ok(vec![one("a", 1), one("::1", 2), one("c", 5432)])
        );
        assert_eq!(one("::1", 2).to_string(), "[::1]:2");
    }

    #[test]
    fn bad_input_is_named() {
        for (text, kind) in [
            ("", "endpoint-empty-host"),
            (":5432", "endpoint-empty-host"),
            ("a:1,,b:2", "endpoint-empty-host"),
            ("a:1,", "endpoint-empty-host"),
            ("a:", "endpoint-bad-port"),
            ("a:0", "endpoint-bad-port"),
            ("a:65536", "endpoint-bad-port"),
            ("a:+1", "endpoint-bad-port"),
            ("[::1]5432", "endpoint-bad-port"),
            ("[a]:5432", "endpoint-bad-host"),
            ("[::1", "endpoint-bad-host"),
            ("a:5432:5432", "endpoint-bad-host"),
            ("a/b:5432", "endpoint-bad-host"),
            ("a b", "endpoint-bad-host"),
            ("ü:5432", "endpoint-bad-host"),
            ("-x", "endpoint-bad-host"),
        ] {
            let error = HostPort::parse_list(text).unwrap_err();
            assert_eq!(error.kind(), kind, "{text}: {error}");
            assert!(error.to_string().contains(text.trim()), "{text}: {error}");
        }
        assert_eq!(HostPort::new("a", 0).unwrap_err().kind(), "endpoint-bad-port");
    }

    proptest! {
        #[test]
        fn anything_is_refused_or_comes_back_as_written(text in ".{0,40}") {
            if let Ok(endpoint) = text.parse::<HostPort>() {
                prop_assert_eq!(endpoint.to_string().parse::<HostPort>(), Ok(endpoint.clone()));
                prop_assert_eq!(HostPort::new(&endpoint.host, endpoint.port), Ok(endpoint));
            }
        }
    }
}

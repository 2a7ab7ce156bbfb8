//! The mail server through which the courier sends.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;
use serde::Deserialize;

use super::secret::Secret;

/// What RFC 3986 lets stand in a user name or password as it is.
const USER_INFO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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

impl Smtp {
    /// Whether Kratos refuses to log in: it sends no password over a connection that is not encrypted, but to its own machine.
    pub fn is_login_in_the_clear(&self) -> bool {
        let is_local = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1" | "[::1]");
        self.login.is_some() && self.security == TransportSecurity::None && !is_local
    }

    /// Kratos' `courier.smtp.connection_uri` (docs/behaviour.md#row-41). The error says what of the server cannot be
    /// written into one.
    pub fn uri(&self) -> Result<String, String> {
        let bare = self.host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&self.host);
        let host = match bare.parse::<std::net::Ipv6Addr>() {
            Ok(address) => format!("[{address}]"),
            Err(_) if is_name(bare) => bare.to_owned(),
            Err(_) => {
                return Err(format!("{:?} is no host name", self.host.chars().take(60).collect::<String>()));
            }
        };
        let scheme = if self.security == TransportSecurity::Tls { "smtps" } else { "smtp" };
        let login = self.login.as_ref().map_or_else(String::new, |login| {
            let encode = |text| utf8_percent_encode(text, USER_INFO);
            format!("{}:{}@", encode(&login.user), encode(&login.password.0))
        });
        let query = match self.security {
            TransportSecurity::None => "?disable_starttls=true",
            TransportSecurity::StartTls | TransportSecurity::Tls if self.skip_ssl_verify => {
                "?skip_ssl_verify=true"
            }
            TransportSecurity::StartTls | TransportSecurity::Tls => "",
        };
        Ok(format!("{scheme}://{login}{host}:{}/{query}", self.port))
    }

    /// The server of such a URI; `None`: it is none that [`Smtp::uri`] writes.
    pub fn parse(uri: &str) -> Option<Self> {
        let url = Url::parse(uri).ok()?;
        let has = |key: &str| url.query_pairs().any(|(name, value)| name == key && value == "true");
        let security = match url.scheme() {
            "smtps" => TransportSecurity::Tls,
            "smtp" if has("disable_starttls") => TransportSecurity::None,
            "smtp" => TransportSecurity::StartTls,
            _ => return None,
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(String::from);
        let login = match url.password() {
            Some(password) => {
                Some(SmtpLogin { user: decode(url.username())?, password: Secret(decode(password)?) })
            }
            None => None,
        };
        let host = url.host_str()?.to_owned();
        Some(Self { host, port: url.port()?, security, skip_ssl_verify: has("skip_ssl_verify"), login })
    }
}

fn is_name(host: &str) -> bool {
    !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_41_in_all_its_forms() {
        use TransportSecurity::{None as Plain, StartTls, Tls};
        let cases = [
            (Tls, false, "smtps://u:p@mail.example.com:587/"),
            (Tls, true, "smtps://u:p@mail.example.com:587/?skip_ssl_verify=true"),
            (StartTls, false, "smtp://u:p@mail.example.com:587/"),
            (StartTls, true, "smtp://u:p@mail.example.com:587/?skip_ssl_verify=true"),
            (Plain, false, "smtp://u:p@mail.example.com:587/?disable_starttls=true"),
            (Plain, true, "smtp://u:p@mail.example.com:587/?disable_starttls=true"),
        ];
        for (security, skip_ssl_verify, expected) in cases {
            let login = Some(SmtpLogin { user: "u".into(), password: Secret("p".into()) });
            let smtp = Smtp { host: "mail.example.com".into(), port: 587, security, skip_ssl_verify, login };
            assert_eq!(smtp.uri().unwrap(), expected);
            let read = Smtp::parse(expected).unwrap();
            assert_eq!(read.uri().unwrap(), expected, "read back");
        }
        for text in ["", "https://u:p@h:1/", "smtp://h/", "smtp:h"] {
            assert_eq!(Smtp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_password_is_encoded_and_none_is_made_up() {
        let login = SmtpLogin { user: "a@b".into(), password: Secret("p@ss/w:rd #?%é\n".into()) };
        let mut smtp = Smtp {
            host: "::1".into(),
            port: 25,
            security: TransportSecurity::Tls,
            skip_ssl_verify: false,
            login: Some(login),
        };
        let text = smtp.uri().unwrap();
        assert_eq!(text, "smtps://a%40b:p%40ss%2Fw%3Ard%20%23%3F%25%C3%A9%0A@[::1]:25/");
        assert_eq!(Smtp::parse(&text).unwrap().login, smtp.login, "read back");
        smtp.login = None;
        assert_eq!(smtp.uri().unwrap(), "smtps://[::1]:25/");
        assert_eq!(Smtp::parse("smtps://[::1]:25/").unwrap().uri(), smtp.uri());
        for host in ["", "a b", "evil/path", "u@h", "h:25", "h?q", "h\n"] {
            smtp.host = host.into();
            assert!(smtp.uri().unwrap_err().ends_with("is no host name"), "{host}");
        }
    }
}

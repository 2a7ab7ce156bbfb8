//! Reads a DSN from a URL, the inverse of [`Dsn::url`]; for a DSN that a person gives on a command line.
//!
//! A person may forget to escape a password. So the text before the last `@` is never repeated in an error, and
//! nothing at all is repeated while it is unclear where that text ends. No crate serves: those that read URLs know one host
//! only, and the client's own reader refuses the parameters that are Kratos' alone.

use percent_encoding::percent_decode_str;

use super::dsn::{ClientCertificate, Dsn, DsnError, DsnParts, Tls};
use super::host_port::{HostPort, HostPortError};

/// Parameters that Kratos' driver does not know, that lead to files which it would have to share with us, or that decrypt
/// keys: none can be passed through.
const UNSUPPORTED: [&str; 5] = ["hostaddr", "passfile", "service", "servicefile", "sslpassword"];

/// Where systems keep the authorities that Go trusts by itself.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

impl Dsn {
    /// Parses `postgres://user[:password]@host[:port][,host[:port]]/database[?key=value&…]`.
    ///
    /// The files that `sslrootcert`, `sslcert` and `sslkey` name are read here, as Kratos would read them. `sslmode` may be
    /// `disable`, `allow`, `prefer`, `require`, `verify-ca` or `verify-full`; `require` with `sslrootcert` means `verify-ca`, as it
    /// does to Kratos. `host`, `port`, `user`, `password` and `dbname` may stand as parameters instead. A stated `target_session_attrs` must be `any`, `primary` or
    /// `read-write`; several endpoints always mean `primary`.
    pub fn parse(url: &str) -> Result<Self, DsnError> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or(DsnError::Scheme)?;
        let (userinfo, rest) = split_userinfo(rest)?;
        if userinfo.contains(['/', '?', '#', '@', '[', ']']) {
            return Err(DsnError::Unescaped);
        }
        let (username, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
        if password.contains(':') {
            return Err(DsnError::Unescaped);
        }
        let (location, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, database) = location.split_once('/').unwrap_or((location, ""));

        let query = Query::parse(query)?;
        let parts = DsnParts {
            username: query.user.clone().map_or_else(|| decode("user name", username), Ok)?,
            password: query.password.clone().map_or_else(|| decode("password", password), Ok)?,
            endpoints: query.endpoints(hosts)?,
            database: query.dbname.clone().map_or_else(|| decode("database name", database), Ok)?,
            tls: query.tls()?,
        };
        let dsn = query.params.iter().fold(Self::new(parts)?, |dsn, (key, value)| dsn.with_param(key, value));
        Ok(match query.certificate()? {
            Some(certificate) => dsn.with_certificate(certificate),
            None => dsn,
        })
    }
}

/// The part before the last `@` of the authority, and the rest. Without one, the user stands among the parameters.
fn split_userinfo(rest: &str) -> Result<(&str, &str), DsnError> {
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    if !before.contains('@') && query.split('&').any(|pair| pair.starts_with("user=")) {
        return Ok(("", rest));
    }
    rest.rsplit_once('@').ok_or(DsnError::Missing("user name"))
}

#[derive(Default)]
struct Query {
    host: Option<String>,
    port: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    sslcert: Option<String>,
    sslkey: Option<String>,
    user: Option<String>,
    password: Option<String>,
    dbname: Option<String>,
    params: Vec<(String, String)>,
}

impl Query {
    fn parse(text: &str) -> Result<Self, DsnError> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // In a query, and only there, a plus is a space.
            let key = decode("parameter", &key.replace('+', " "))?;
            let value = decode("parameter", &value.replace('+', " "))?;
            match key.as_str() {
                "host" => query.host = Some(value),
                "port" => query.port = Some(value),
                "sslmode" => query.sslmode = Some(value),
                "sslrootcert" => query.sslrootcert = Some(value),
                "sslcert" => query.sslcert = Some(value),
                "sslkey" => query.sslkey = Some(value),
                "user" => query.user = Some(value),
                "password" => query.password = Some(value),
                "dbname" | "database" => query.dbname = Some(value),
                "target_session_attrs" if matches!(value.as_str(), "any" | "primary" | "read-write") => {}
                "target_session_attrs" => {
                    return Err(DsnError::ParameterValue {
                        key: "target_session_attrs",
                        value,
                        supported: "primary",
                    });
                }
                _ if key.contains('\0') || value.contains('\0') => return Err(DsnError::Nul("parameter")),
                key if UNSUPPORTED.contains(&key) => return Err(DsnError::Parameter(key.to_owned())),
                _ => query.params.push((key, value)),
            }
        }
        Ok(query)
    }

    /// The hosts of the URL or of the parameter, with the ports of the parameter if it is there: one for all, or one
    /// for each.
    fn endpoints(&self, hosts: &str) -> Result<Vec<HostPort>, DsnError> {
        let mut endpoints = HostPort::parse_list(match &self.host {
            Some(host) if hosts.is_empty() => host,
            _ => hosts,
        })?;
        let Some(port) = &self.port else { return Ok(endpoints) };
        let ports: Vec<&str> = port.split(',').collect();
        let count = endpoints.len();
        for (index, endpoint) in endpoints.iter_mut().enumerate() {
            let digits = match ports.as_slice() {
                [one] => one,
                several if several.len() == count => several[index],
                _ => {
                    return Err(DsnError::ParameterValue {
                        key: "port",
                        value: port.clone(),
                        supported: "one for each host",
                    });
                }
            };
            let port =
                digits.parse().map_err(|_| HostPortError::BadPort(port.clone(), (*digits).to_owned()))?;
            *endpoint = HostPort::new(&endpoint.host, port)?;
        }
        Ok(endpoints)
    }

    fn tls(&self) -> Result<Tls, DsnError> {
        match (self.sslmode.as_deref(), &self.sslrootcert) {
            (Some("verify-ca" | "require"), Some(path)) => {
                Ok(Tls::VerifyCa { ca_pem: file("sslrootcert", path)?, ca_file: path.clone() })
            }
            (Some("verify-full"), Some(path)) => {
                Ok(Tls::VerifyFull { ca_pem: file("sslrootcert", path)?, ca_file: path.clone() })
            }
            (Some("verify-ca"), None) => {
                Ok(Tls::VerifyCa { ca_pem: system_bundle()?, ca_file: String::new() })
            }
            (Some("verify-full"), None) => {
                Ok(Tls::VerifyFull { ca_pem: system_bundle()?, ca_file: String::new() })
            }
            (Some("allow"), _) => Ok(Tls::Allow),
            (Some("require"), None) => Ok(Tls::Require),
            (Some("disable"), _) => Ok(Tls::Disable),
            (Some("prefer") | None, _) => Ok(Tls::Prefer),
            (Some(mode), _) => Err(DsnError::ParameterValue {
                key: "sslmode",
                value: mode.to_owned(),
                supported: "disable, allow, prefer, require, verify-ca or verify-full",
            }),
        }
    }

    /// What `sslcert` and `sslkey` name; each needs the other.
    fn certificate(&self) -> Result<Option<ClientCertificate>, DsnError> {
        let (certificate_file, key_file) = match (&self.sslcert, &self.sslkey) {
            (None, None) => return Ok(None),
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            (Some(_), None) => return Err(DsnError::Missing("sslkey parameter (required by sslcert)")),
            (None, Some(_)) => return Err(DsnError::Missing("sslcert parameter (required by sslkey)")),
        };
        Ok(Some(ClientCertificate {
            certificate_pem: file("sslcert", &certificate_file)?,
            key_pem: file("sslkey", &key_file)?,
            certificate_file,
            key_file,
        }))
    }
}

fn file(parameter: &'static str, path: &str) -> Result<String, DsnError> {
    std::fs::read_to_string(path).map_err(|error| DsnError::File {
        parameter,
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn system_bundle() -> Result<String, DsnError> {
    let found = SYSTEM_BUNDLES.iter().find(|path| std::path::Path::new(path).is_file());
    file("sslmode", found.unwrap_or(&SYSTEM_BUNDLES[0]))
}

/// Undoes percent-encoding strictly: a stray `%` is an error, not itself.
fn decode(part: &'static str, text: &str) -> Result<String, DsnError> {
    let escaped = |tail: &str| tail.len() >= 2 && tail.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(escaped) {
        return Err(DsnError::Encoding(part));
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err(DsnError::Encoding(part)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_write_is_read() {
        let dsn =
            Dsn::parse("postgresql://ory:p%2Fw@[::1],b:6432/kratos?sslmode=disable&max_conns=20&x=a+b%2B")
                .unwrap();
        assert_eq!((dsn.username(), dsn.password(), dsn.database()), ("ory", "p/w", "kratos"));
        assert_eq!(dsn.endpoints(), HostPort::parse_list("[::1]:5432,b:6432").unwrap());
        assert_eq!(dsn.tls(), &Tls::Disable);
        assert_eq!(
            dsn.params(),
            [("max_conns".to_owned(), "20".to_owned()), ("x".to_owned(), "a b+".to_owned())]
        );
        assert_eq!(Dsn::parse("postgres://u@h/d").unwrap().url(), "postgres://u@h:5432/d");
    }

    #[test]
    fn parameters_may_stand_for_parts() {
        for url in [
            "postgres://h:5432/d?user=ory&password=p%26w",
            "postgres://ory:x@h/?dbname=d&password=p%26w",
            "postgres:///d?host=h&user=ory&password=p%26w",
        ] {
            let dsn = Dsn::parse(url).unwrap();
            assert_eq!(dsn.url(), "postgres://ory:p%26w@h:5432/d", "{url}");
        }
        let dsn = Dsn::parse("postgres://ory@h/d").unwrap();
        assert_eq!(dsn.clone().or_password("p").url(), "postgres://ory:p@h:5432/d");
        assert_eq!(dsn.or_password("p").or_password("q").url(), "postgres://ory:p@h:5432/d");
        let dsn =
            Dsn::parse("postgres://ory@h/d?options=-csearch_path%3Dory").unwrap().with_setting("a", "b c");
        assert!(dsn.url().ends_with("/d?options=-csearch_path%3Dory%20-c%20a%3Db%5C%20c"), "{dsn}");
    }

    #[test]
    fn mistakes_are_named_but_never_the_password() {
        for (url, kind) in [
            ("mysql://u:hunter2@h/d", "dsn-scheme"),
            ("hunter2", "dsn-scheme"),
            ("postgres://hunter2", "dsn-missing-part"),
            ("postgres://u:hunter2/x", "dsn-missing-part"),
            ("postgres://u:hunter2/x@h/d", "dsn-unescaped"),
            ("postgres://u:hunter2?@h/d", "dsn-unescaped"),
            ("postgres://u:hunter2#@h/d", "dsn-unescaped"),
            ("postgres://u:hun@ter2@h/d", "dsn-unescaped"),
            ("postgres://u:hunter2:@h/d", "dsn-unescaped"),
            ("postgres://u:hunter2%@h/d", "dsn-encoding"),
            ("postgres://u:hunter2%zz@h/d", "dsn-encoding"),
            ("postgres://u:hunter2%ff@h/d", "dsn-encoding"),
            ("postgres://u:hunter2%00@h/d", "dsn-nul"),
            ("postgres://:hunter2@h/d", "dsn-missing-part"),
            ("postgres://u:hunter2@h", "dsn-missing-part"),
            ("postgres://u:hunter2@/d", "endpoint-empty-host"),
            ("postgres://u:hunter2@h:x/d", "endpoint-bad-port"),
            ("postgres://u:hunter2@h/d?port=x", "endpoint-bad-port"),
            ("postgres://u:hunter2@a,b,c/d?port=1,2", "dsn-parameter"),
            ("postgres://u:hunter2@h/d?sslmode=verify", "dsn-parameter"),
            ("postgres://u:hunter2@h/d?sslcert=/nonexistent/cert", "dsn-missing-part"),
            ("postgres://u:hunter2@h/d?sslcert=/nonexistent/cert&sslkey=/nonexistent/key", "dsn-file"),
            ("postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/nonexistent/ca", "dsn-file"),
            ("postgres://u:hunter2@h/d?sslmode=verify-ca&sslrootcert=/nonexistent/ca", "dsn-file"),
            ("postgres://h/d?password=hunter2", "dsn-missing-part"),
            ("postgres://u:hunter2@h/d?target_session_attrs=standby", "dsn-parameter"),
            ("postgres://u@h/d?sslpassword=hunter2", "dsn-parameter"),
            ("postgres://u:hunter2@h/d?lock_timeout=%00", "dsn-nul"),
        ] {
            let error = Dsn::parse(url).unwrap_err();
            assert_eq!(error.kind(), kind, "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}: {error:?}");
        }
    }

    fn tls(ca: &tempfile::NamedTempFile) -> impl Strategy<Value = Tls> + use<> {
        let ca_file = ca.path().to_str().unwrap().to_owned();
        let ca_pem = "PEM".to_owned();
        let full = Tls::VerifyFull { ca_pem: ca_pem.clone(), ca_file: ca_file.clone() };
        let verify = Tls::VerifyCa { ca_pem, ca_file };
        prop::sample::select(vec![Tls::Prefer, Tls::Disable, Tls::Allow, Tls::Require, verify, full])
    }

    #[test]
    fn parsing_undoes_writing() {
        let ca = tempfile::Builder::new().prefix("ca &=?#%+@").tempfile().unwrap();
        std::fs::write(ca.path(), "PEM").unwrap();
        let text = "[^\0]{1,12}";
        let params = prop::collection::vec((text, "[^\0]{0,12}"), 0..3);
        let strategy =
            (text, "[^\0]{0,12}", text, "[a-z][a-z0-9.-]{0,9}", 1..=u16::MAX, 1..3_usize, tls(&ca), params);
        proptest!(|((username, password, database, host, port, count, tls, params) in strategy)| {
            let endpoints = vec![HostPort { host, port }, HostPort { host: "::1".to_owned(), port }];
            let endpoints = endpoints.into_iter().take(count).collect();
            let dsn = Dsn::new(DsnParts { username, password, endpoints, database, tls }).unwrap();
            let dsn = params.iter().fold(dsn, |dsn, (key, value)| dsn.with_param(key, value));
            prop_assert_eq!(Dsn::parse(&dsn.url()), Ok(dsn));
        });
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(postgres://)?.{0,60}") {
            if let Ok(dsn) = Dsn::parse(&text) {
                prop_assert_eq!(Dsn::parse(&dsn.url()), Ok(dsn));
            }
        }
    }
}

//! `smtp`: the mail server through which the courier sends.
//!
//! The password comes as a secret, from older integrators as plain text. A server that asks for no authentication
//! gets none: there is no login with an empty or made-up password (docs/behaviour.md#weakness-21).

use super::endpoint::Endpoint;
use super::related::{Given, ReadContext, Related};
use super::relation::{Relation, Remote};
use crate::kratos::facts::smtp::{Smtp, SmtpLogin, TransportSecurity};

/// Application databags, and the secret with the password; we write nothing.
pub const ENDPOINT: Endpoint = Endpoint { secrets: &[PASSWORD_ID], read, ..Endpoint::new("smtp") };

const PASSWORD_ID: &str = "password_id";
const PASSWORD: &str = "password";
/// Without any of these nothing was sent yet.
const REQUIRED: [&str; 4] = ["host", "port", "auth_type", "transport_security"];

/// While the relation's data cannot be used, the mail server in use stays: mails that cannot be sent are given up after a
/// few attempts.
fn read(related: &mut Related, given: &mut Given<'_>, context: ReadContext<'_>) {
    let server = given.first(server);
    let in_use = context.mail_server_in_use.filter(|_| given.has_problem());
    related.smtp = server.or_else(|| in_use.cloned());
}

/// The mail server (docs/behaviour.md#row-41).
pub fn server(relation: &Relation) -> Remote<Smtp> {
    if REQUIRED.iter().all(|key| relation.value(key).is_none()) {
        return Remote::Absent;
    }
    parse(relation).map(Some).into()
}

fn parse(relation: &Relation) -> Result<Smtp, String> {
    let host = relation.required("host")?.trim().to_owned();
    let port = relation.required("port")?.trim().parse().ok().filter(|port| *port != 0);
    let port = port.ok_or("port is no number from 1 to 65535")?;
    let security = match relation.required("transport_security")?.trim() {
        "none" => TransportSecurity::None,
        "starttls" => TransportSecurity::StartTls,
        "tls" => TransportSecurity::Tls,
        _ => return Err("transport_security is none of none, starttls, tls".to_owned()),
    };
    let skip_ssl_verify =
        relation.value("skip_ssl_verify").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    let smtp = Smtp { host, port, security, skip_ssl_verify, login: login(relation)? };
    // The host is all that may not fit into a URI.
    smtp.uri().map_err(|_| "host is no host name and no address".to_owned())?;
    Ok(smtp)
}

fn login(relation: &Relation) -> Result<Option<SmtpLogin>, String> {
    let is_needed = match relation.required("auth_type")?.trim() {
        "none" => return Ok(None),
        "not_provided" => false,
        "plain" => true,
        _ => return Err("auth_type is none of none, not_provided, plain".to_owned()),
    };
    let Some(user) = relation.value("user") else { return Ok(None) };
    match relation.secret(PASSWORD_ID, PASSWORD, PASSWORD)? {
        Some(password) => Ok(Some(SmtpLogin { user: user.to_owned(), password })),
        None if is_needed => Err("there is a user, but no password".to_owned()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample::{relation, with_secret, with_unreadable_secret};

    const SERVER: [(&str, &str); 6] = [
        ("host", "mail.example.com"),
        ("port", "587"),
        ("user", "u"),
        ("auth_type", "plain"),
        ("transport_security", "starttls"),
        ("skip_ssl_verify", "False"),
    ];

    /// The sample with one key replaced; an empty value removes it.
    fn changed(key: &str, value: &str) -> Relation {
        let mut relation = relation("smtp:4", &SERVER);
        relation.remote.insert(key.to_owned(), value.to_owned());
        relation.remote.entry("password".to_owned()).or_insert_with(|| "p@ss/w:rd".to_owned());
        relation
    }

    fn reason(relation: &Relation) -> String {
        match server(relation) {
            Remote::Invalid(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_server_is_read_with_the_password_of_its_secret() {
        let named = with_secret(relation("smtp:4", &SERVER), PASSWORD_ID, &[("password", "sesame")]);
        let smtp = server(&named).ready().unwrap();
        assert_eq!((smtp.host.as_str(), smtp.port), ("mail.example.com", 587));
        assert_eq!((smtp.security, smtp.skip_ssl_verify), (TransportSecurity::StartTls, false));
        let login = smtp.login.unwrap();
        assert_eq!((login.user.as_str(), login.password.0.as_str()), ("u", "sesame"));
        assert!(server(&changed("skip_ssl_verify", "True")).ready().unwrap().skip_ssl_verify);
        assert_eq!(server(&changed("host", " mail ")).ready().unwrap().host, "mail");
        assert!(server(&changed("host", "[fd00::1]")).ready().is_some());
        assert_eq!(server(&relation("smtp:4", &[("domain", "x")])), Remote::Absent);
    }

    #[test]
    fn weakness_21_there_is_no_login_that_was_not_given() {
        let login = |relation: &Relation| server(relation).ready().unwrap().login;
        assert_eq!(login(&changed("password", "p@ss/w:rd")).unwrap().password.0, "p@ss/w:rd", "raw");
        assert_eq!(login(&changed("auth_type", "none")), None);
        assert_eq!(login(&changed("user", "")), None);
        let mut none = changed("auth_type", "not_provided");
        assert!(login(&none).is_some());
        none.remote.remove("password");
        assert_eq!(login(&none), None);
        let unneeded = with_unreadable_secret(changed("auth_type", "none"), PASSWORD_ID);
        assert_eq!(login(&unneeded), None);
    }

    #[test]
    fn weakness_23_what_cannot_be_used_has_a_reason() {
        for (key, value, expected) in [
            ("host", "", "host is missing"),
            ("host", "a b", "host is no host name and no address"),
            ("host", "u@h/x", "host is no host name and no address"),
            ("port", "0", "port is no number from 1 to 65535"),
            ("port", "65536", "port is no number from 1 to 65535"),
            ("port", "smtp", "port is no number from 1 to 65535"),
            ("auth_type", "", "auth_type is missing"),
            ("auth_type", "login", "auth_type is none of none, not_provided, plain"),
            ("transport_security", "", "transport_security is missing"),
            ("transport_security", "ssl", "transport_security is none of none, starttls, tls"),
            ("password", "", "there is a user, but no password"),
        ] {
            assert_eq!(reason(&changed(key, value)), expected, "{key}={value}");
        }
        let unreadable = with_unreadable_secret(changed("domain", "x"), PASSWORD_ID);
        assert_eq!(reason(&unreadable), "password_id cannot be read: permission denied");
        let empty = with_secret(changed("domain", "x"), PASSWORD_ID, &[("password", "")]);
        assert_eq!(reason(&empty), "password_id has no value password");
    }
}

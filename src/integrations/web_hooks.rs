//! `kratos-registration-webhook` and `kratos-login-webhook`: what Kratos calls before or after a flow.
//!
//! A hook that cannot be rendered as Kratos wants it, or whose key cannot be read, is left out and reported: it is
//! never called without the key that it asks for (docs/behaviour.md#weakness-17).

use super::endpoint::Endpoint;
use super::related::Given;
use super::relation::{Relation, Remote};
use crate::kratos::facts::uri::{is_document, web_url};
use crate::kratos::facts::web_hook::{ApiKey, KeyPlace, WebHook, When};

/// Application databags, and the secret with the key; we write nothing.
pub const REGISTRATION: Endpoint = Endpoint {
    secrets: &[KEY_SECRET],
    read: |related, given, _| related.registration_hooks = hooks(given),
    ..Endpoint::new("kratos-registration-webhook")
};
/// As for the registration.
pub const LOGIN: Endpoint = Endpoint {
    secrets: &[KEY_SECRET],
    read: |related, given, _| related.login_hooks = hooks(given),
    ..Endpoint::new("kratos-login-webhook")
};

const KEY_SECRET: &str = "auth_config_value_secret";
const KEY_IN_SECRET: &str = "auth-config-value";
const KEY_IN_PLAIN: &str = "auth_config_value";
/// Without any of these nothing was sent yet.
const REQUIRED: [&str; 5] = ["url", "body", "method", "response_ignore", "response_parse"];
/// Kratos' methods with which one registers; the login knows two more.
const REGISTRATION_METHODS: &[&str] = &["password", "oidc", "code", "passkey", "webauthn"];
const LOGIN_METHODS: &[&str] = &["password", "oidc", "code", "passkey", "webauthn", "totp", "lookup_secret"];

fn hooks(given: &mut Given<'_>) -> Vec<WebHook> {
    given.each(hook).into_iter().map(|(_, hook)| hook).collect()
}

/// The hook of one relation on either endpoint.
pub fn hook(relation: &Relation) -> Remote<WebHook> {
    if REQUIRED.iter().all(|key| relation.value(key).is_none()) {
        return Remote::Absent;
    }
    read(relation).map(Some).into()
}

fn read(relation: &Relation) -> Result<WebHook, String> {
    for key in REQUIRED {
        relation.required(key)?;
    }
    let url = relation.required("url")?.trim();
    web_url(url).ok_or("url is no http(s) URL")?;
    let body = relation.required("body")?.trim();
    if !is_document(body) {
        return Err("body is no base64://, http(s):// or file:// URI".to_owned());
    }
    let method = relation.required("method")?.trim();
    if !is_token(method) {
        return Err("method is no HTTP method".to_owned());
    }
    let (response_ignore, response_parse) =
        (is_true(relation, "response_ignore"), is_true(relation, "response_parse"));
    if response_ignore && response_parse {
        return Err("response_ignore and response_parse exclude each other".to_owned());
    }
    Ok(WebHook {
        url: url.to_owned(),
        body: body.to_owned(),
        method: method.to_owned(),
        when: when(relation)?,
        methods: methods(relation)?,
        weight: weight(relation)?,
        response_ignore,
        response_parse,
        auth: auth(relation)?,
    })
}

fn is_true(relation: &Relation, key: &str) -> bool {
    relation.value(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// RFC 9110: what a method and the name of a header consist of.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn when(relation: &Relation) -> Result<When, String> {
    match relation.value("mode").map(str::trim) {
        None | Some("after") => Ok(When::After),
        Some("before") => Ok(When::Before),
        Some(_) => Err("mode is neither before nor after".to_owned()),
    }
}

/// An unknown method is not left out: of a list without it, every method might be left.
fn methods(relation: &Relation) -> Result<Vec<String>, String> {
    let Some(text) = relation.value("methods") else { return Ok(vec![]) };
    let methods: Option<Vec<String>> =
        serde_json::from_str(text).map_err(|_| "methods is no JSON list of texts".to_owned())?;
    let known = if relation.id.endpoint() == LOGIN.name { LOGIN_METHODS } else { REGISTRATION_METHODS };
    let methods = methods.unwrap_or_default();
    if methods.iter().all(|method| known.contains(&method.as_str())) {
        return Ok(methods);
    }
    Err(format!("methods holds another one than {}", known.join(", ")))
}

fn weight(relation: &Relation) -> Result<i64, String> {
    let Some(text) = relation.value("weight") else { return Ok(0) };
    text.trim().parse().map_err(|_| "weight is no whole number".to_owned())
}

/// Without a key there is no authentication, whatever else is said: that is how providers switch it off.
fn auth(relation: &Relation) -> Result<Option<ApiKey>, String> {
    let Some(value) = relation.secret(KEY_SECRET, KEY_IN_SECRET, KEY_IN_PLAIN)? else { return Ok(None) };
    if !matches!(relation.value("auth_type").map(str::trim), None | Some("api_key")) {
        return Err("auth_type is not api_key, the only one that this relation can express".to_owned());
    }
    let name = relation.value("auth_config_name").unwrap_or("Authorization").trim();
    if !is_token(name) {
        return Err("auth_config_name is no name of a header or cookie".to_owned());
    }
    if value.0.contains(char::is_control) {
        return Err("the key holds a control character".to_owned());
    }
    let place = match relation.value("auth_config_in").map(str::trim) {
        None | Some("header") => KeyPlace::Header,
        Some("cookie") => KeyPlace::Cookie,
        Some(_) => return Err("auth_config_in is neither header nor cookie".to_owned()),
    };
    Ok(Some(ApiKey { name: name.to_owned(), value, place }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::sample::{relation, with_secret, with_unreadable_secret};
    use crate::kratos::Secret;

    const HOOK: [(&str, &str); 11] = [
        ("url", "https://h/x"),
        ("body", "base64://e30="),
        ("method", "POST"),
        ("mode", "after"),
        ("methods", r#"["oidc"]"#),
        ("weight", "10"),
        ("response_ignore", "False"),
        ("response_parse", "True"),
        ("auth_type", "api_key"),
        ("auth_config_name", "Authorization"),
        ("auth_config_in", "header"),
    ];

    /// The sample on an endpoint with some keys replaced; an empty value removes one.
    fn changed(id: &str, pairs: &[(&str, &str)]) -> Relation {
        let mut relation = relation(id, &HOOK);
        relation.remote.extend(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        relation.remote.retain(|_, value| !value.is_empty());
        relation
    }

    fn login(pairs: &[(&str, &str)]) -> Relation {
        changed("kratos-login-webhook:5", pairs)
    }

    fn reason(relation: &Relation) -> String {
        match hook(relation) {
            Remote::Invalid(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_hook_is_read_with_the_key_of_its_secret() {
        let named = with_secret(login(&[]), KEY_SECRET, &[(KEY_IN_SECRET, "sesame")]);
        let expected = WebHook {
            url: "https://h/x".to_owned(),
            body: "base64://e30=".to_owned(),
            method: "POST".to_owned(),
            when: When::After,
            methods: vec!["oidc".to_owned()],
            weight: 10,
            response_ignore: false,
            response_parse: true,
            auth: Some(ApiKey {
                name: "Authorization".to_owned(),
                value: Secret("sesame".to_owned()),
                place: KeyPlace::Header,
            }),
        };
        assert_eq!(hook(&named), Remote::Ready(expected.clone()));
        assert_eq!(hook(&login(&[(KEY_IN_PLAIN, "sesame")])), Remote::Ready(expected));
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let all = ["mode", "methods", "weight", "auth_type", "auth_config_name", "auth_config_in"];
        let pairs: Vec<_> = all.into_iter().map(|key| (key, "")).chain([(KEY_IN_PLAIN, "k")]).collect();
        let read = hook(&login(&pairs)).ready().unwrap();
        assert_eq!((read.when, read.methods, read.weight), (When::After, vec![], 0));
        let auth = read.auth.unwrap();
        assert_eq!((auth.name.as_str(), auth.place), ("Authorization", KeyPlace::Header));
        assert_eq!(hook(&login(&[])).ready().unwrap().auth, None, "no key, no authentication");
        assert_eq!(hook(&relation("kratos-login-webhook:5", &HOOK[5..6])), Remote::Absent);
    }

    #[test]
    fn weakness_17_a_hook_is_never_called_with_an_empty_key() {
        let unreadable = with_unreadable_secret(login(&[(KEY_IN_PLAIN, "k")]), KEY_SECRET);
        assert_eq!(reason(&unreadable), "auth_config_value_secret cannot be read: permission denied");
        for content in [("other", "x"), (KEY_IN_SECRET, "")] {
            let empty = with_secret(login(&[]), KEY_SECRET, &[content]);
            assert_eq!(reason(&empty), "auth_config_value_secret has no value auth-config-value");
        }
    }

    #[test]
    fn weakness_18_what_kratos_would_refuse_is_left_out() {
        let key = (KEY_IN_PLAIN, "sesame");
        let basic = login(&[("auth_type", "basic_auth"), key]);
        assert_eq!(reason(&basic), "auth_type is not api_key, the only one that this relation can express");
        let both = login(&[("response_ignore", "TRUE")]);
        assert_eq!(reason(&both), "response_ignore and response_parse exclude each other");
        assert_eq!(
            reason(&login(&[key, ("auth_config_in", "body")])),
            "auth_config_in is neither header nor cookie"
        );
    }

    #[test]
    fn weakness_19_what_cannot_be_used_has_a_reason() {
        for key in REQUIRED {
            assert_eq!(reason(&login(&[(key, "")])), format!("{key} is missing"));
        }
        for (key, value, expected) in [
            ("url", "/relative", "url is no http(s) URL"),
            ("url", "base64://e30=", "url is no http(s) URL"),
            ("body", "function(ctx) {}", "body is no base64://, http(s):// or file:// URI"),
            ("method", "PO ST", "method is no HTTP method"),
            ("mode", "sometimes", "mode is neither before nor after"),
            ("methods", "oidc", "methods is no JSON list of texts"),
            ("methods", "[7]", "methods is no JSON list of texts"),
            ("weight", "heavy", "weight is no whole number"),
            ("weight", "1.5", "weight is no whole number"),
            ("auth_config_name", "a b", "auth_config_name is no name of a header or cookie"),
            (KEY_IN_PLAIN, "a\nb", "the key holds a control character"),
        ] {
            let relation = login(&[(KEY_IN_PLAIN, "sesame"), (key, value)]);
            assert_eq!(reason(&relation), expected, "{key}={value}");
        }
    }

    #[test]
    fn weakness_20_every_method_of_kratos_is_known_and_no_other() {
        let registration = |methods: &str| changed("kratos-registration-webhook:6", &[("methods", methods)]);
        let five = r#"["password", "oidc", "code", "passkey", "webauthn"]"#;
        assert_eq!(hook(&registration(five)).ready().unwrap().methods.len(), 5);
        assert_eq!(
            reason(&registration(r#"["oidc", "totp"]"#)),
            "methods holds another one than password, oidc, code, passkey, webauthn"
        );
        assert_eq!(
            hook(&login(&[("methods", r#"["totp", "lookup_secret"]"#)])).ready().unwrap().methods.len(),
            2
        );
        assert!(reason(&login(&[("methods", r#"["link"]"#)])).ends_with("totp, lookup_secret"));
    }
}

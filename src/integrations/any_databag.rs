//! Whatever the other side of a relation writes, each reader answers with one of three: it never panics, and what it
//! refuses it does not quote.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::relation::{Remote, Sifted};
use super::sample::certificate;
use super::*;
use crate::juju::Databag;

/// Stands for a password: in no reason that is given.
const SECRET: &str = "sesame";

const KEYS: &[&str] = &[
    "providers",
    "admin_endpoint",
    "public_endpoint",
    "login_url",
    "error_url",
    "settings_url",
    "consent_url",
    "url",
    "body",
    "method",
    "mode",
    "methods",
    "weight",
    "response_ignore",
    "response_parse",
    "auth_type",
    "auth_config_name",
    "auth_config_in",
    "auth_config_value",
    "auth_config_value_secret",
    "host",
    "port",
    "user",
    "password",
    "password_id",
    "transport_security",
    "skip_ssl_verify",
    "receivers",
    "certificates",
    "version",
    "ca",
    "chain",
    "certificate",
    "endpoint",
    "external_host",
    "scheme",
];

/// Values of which each is right somewhere.
const VALUES: &[&str] = &[
    "",
    " ",
    "https://h/x",
    "/ui/login",
    "base64://e30=",
    "POST",
    "before",
    "[\"oidc\"]",
    "10",
    "True",
    "False",
    "api_key",
    "basic_auth",
    "Authorization",
    "header",
    "cookie",
    "plain",
    "none",
    "starttls",
    "tls",
    "587",
    "1",
    "[]",
    "{}",
    "[null]",
    "null",
    "{",
    "secret:abc",
    SECRET,
    "https://u:sesame@h",
    "mail.example.com",
    "id.example.com:8443",
    "https",
    "\u{0}",
    "%",
    r#"[{"protocol": {"name": "otlp_http"}, "url": "http://t:4318"}]"#,
    r#"[{"protocol": "otlp_http"}, {"protocol": {"name": "otlp_http"}, "url": 7}]"#,
    r#"[{"provider": "google", "client_id": "c", "client_secret": "sesame"}, {"provider": "sesame"}]"#,
    r#"[{"provider": "apple", "client_id": {}, "private_key": "sesame", "scope": [7], "id": "\u0000"}]"#,
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
];

fn databag() -> impl Strategy<Value = Databag> {
    let key = prop_oneof![8 => select(KEYS).prop_map(str::to_owned), 1 => ".*"];
    let value = prop_oneof![
        8 => select(VALUES).prop_map(str::to_owned),
        1 => ".*",
        1 => json().prop_map(|value| value.to_string()),
    ];
    btree_map(key, value, 0..12)
}

/// JSON in which the real keys occur at any place.
fn json() -> impl Strategy<Value = serde_json::Value> {
    const FIELDS: &[&str] =
        &["provider", "client_id", "client_secret", "scope", "id", "protocol", "name", "url"];
    const TEXTS: &[&str] =
        &["google", "generic", "microsoft", "apple", "otlp_http", "http://h", "a b", "", SECRET];
    let leaf = prop_oneof![
        4 => select(TEXTS).prop_map(serde_json::Value::from),
        1 => any::<i64>().prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let fields = btree_map(select(FIELDS).prop_map(str::to_owned), inner.clone(), 0..6);
        prop_oneof![
            vec(inner, 0..4).prop_map(serde_json::Value::from),
            fields.prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn secret() -> impl Strategy<Value = SecretContent> {
    prop_oneof![
        Just(SecretContent::Absent),
        Just(SecretContent::Unreadable("permission denied".to_owned())),
        btree_map(
            select(&["password", "auth-config-value", "x"][..]).prop_map(str::to_owned),
            select(VALUES).prop_map(str::to_owned),
            0..3
        )
        .prop_map(SecretContent::Content),
    ]
}

fn relation(endpoint: &Endpoint) -> impl Strategy<Value = Relation> + use<> {
    let (name, keys) = (endpoint.name, endpoint.secrets);
    (databag(), vec(databag(), 0..3), secret()).prop_map(move |(remote, units, secret)| {
        let mut relation = Relation::new(format!("{name}:7").parse().unwrap());
        relation.remote = remote;
        relation.secrets = keys.iter().map(|key| (*key, secret.clone())).collect();
        let unit = |(number, bag)| (format!("other/{number}").parse().unwrap(), bag);
        relation.remote_units = units.into_iter().enumerate().map(unit).collect();
        relation
    })
}

/// Checks the reasons of what is not used.
fn check<T>(remote: Remote<T>, refused: impl Fn(&T) -> Vec<String>) {
    let reasons = match remote {
        Remote::Absent => vec![],
        Remote::Invalid(reason) => vec![reason],
        Remote::Ready(data) => refused(&data),
    };
    for reason in reasons {
        assert!(!reason.contains(SECRET) && !reason.is_empty(), "{reason}");
    }
}

fn refused_parts<T>(sifted: &Sifted<T>) -> Vec<String> {
    sifted.refused.clone()
}

fn no_parts<T>(_: &T) -> Vec<String> {
    vec![]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn external_idp(relation in relation(&external_idp::ENDPOINT)) {
        check(external_idp::providers(&relation, None), refused_parts);
    }

    #[test]
    fn hydra(relation in relation(&hydra::ENDPOINT)) {
        check(hydra::admin_url(&relation), no_parts);
    }

    #[test]
    fn login_ui(relation in relation(&login_ui::ENDPOINT)) {
        check(login_ui::pages(&relation), refused_parts);
    }

    #[test]
    fn registration_hook(relation in relation(&web_hooks::REGISTRATION)) {
        check(web_hooks::hook(&relation), no_parts);
    }

    #[test]
    fn login_hook(relation in relation(&web_hooks::LOGIN)) {
        check(web_hooks::hook(&relation), no_parts);
    }

    #[test]
    fn smtp(relation in relation(&smtp::ENDPOINT)) {
        check(smtp::server(&relation), no_parts);
    }

    #[test]
    fn tracing(relation in relation(&tracing::ENDPOINT)) {
        check(tracing::otlp(&relation), no_parts);
    }

    #[test]
    fn certificates(relation in relation(&certificates::ENDPOINT)) {
        check(certificates::certificates(&relation), refused_parts);
    }

    #[test]
    fn route(relation in relation(&routes::PUBLIC)) {
        check(routes::address(&relation), no_parts);
    }

    #[test]
    fn logging(mut relation in relation(&logging::ENDPOINT)) {
        for (number, text) in [r#"{"url": "https://u:sesame@loki"}"#, r#"{"url": "sesame"}"#].into_iter().enumerate() {
            let bag = Databag::from([("endpoint".to_owned(), text.to_owned())]);
            relation.remote_units.insert(format!("loki/{number}").parse().unwrap(), bag);
        }
        check(logging::receivers(&relation), refused_parts);
    }

    #[test]
    fn any_json_as_providers(value in json()) {
        let text = value.to_string();
        let relation = sample::relation("kratos-external-idp:7", &[("providers", &text)]);
        check(external_idp::providers(&relation, None), refused_parts);
    }

    #[test]
    fn a_damaged_certificate(position in 0..800_usize, byte in 32..127_u8) {
        let mut pem = certificate("a").into_bytes();
        let position = position % pem.len();
        pem[position] = byte;
        let text = String::from_utf8(pem).unwrap();
        let relation = sample::relation("receive-ca-cert:7", &[("certificates", &text)]);
        check(certificates::certificates(&relation), refused_parts);
    }
}

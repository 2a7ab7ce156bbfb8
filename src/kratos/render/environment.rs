//! The environment of the Kratos services (docs/behaviour.md#row-34 to #row-42): what must not lie in a file, or what
//! Kratos reads at its start only.
//!
//! A change of any of these restarts the services.

use std::collections::BTreeMap;

use reqwest::Url;

use super::files;
use crate::kratos::facts::Facts;
use crate::kratos::facts::otlp;
use crate::kratos::facts::secret::Secret;
use crate::kratos::facts::uri::web_url;
use crate::kratos::names::{RECOVERY_TEMPLATE, TEMPLATES};

/// The variable that names the mail server.
pub const MAIL_SERVER: &str = "COURIER_SMTP_CONNECTION_URI";

/// Builds the environment that both services get.
///
/// The DSN, the secrets and the mail server's password are secret values: an environment is the only way in which they
/// reach Kratos.
pub fn environment(facts: &Facts) -> BTreeMap<String, String> {
    let options = &facts.options;
    let always = [
        ("COURIER_SMTP_FROM_ADDRESS", options.sender_email.clone()),
        ("COURIER_SMTP_FROM_NAME", options.sender_name.clone()),
        ("COURIER_TEMPLATE_OVERRIDE_PATH", facts.place.path(TEMPLATES)),
        ("DEV", options.dev.to_string()),
        ("DSN", facts.dsn.url()),
        ("HTTPS_PROXY", options.https_proxy.clone()),
        ("HTTP_PROXY", options.http_proxy.clone()),
        ("LOG_FORMAT", "json".to_owned()),
        ("LOG_LEVEL", options.log_level.clone()),
        ("NO_PROXY", options.no_proxy.clone()),
        // Kratos' own defaults would be every origin with credentials, which no browser honours and nobody should need.
        ("SERVE_PUBLIC_CORS_ALLOW_CREDENTIALS", "false".to_owned()),
        ("SERVE_PUBLIC_CORS_ENABLED", "true".to_owned()),
    ];
    let mut all: BTreeMap<String, String> =
        always.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.insert(name.to_owned(), value);
        }
    };
    set("SECRETS_COOKIE", list(&facts.secrets.cookie));
    set("SECRETS_DEFAULT", list(&facts.secrets.default));
    set("SECRETS_CIPHER", list(&facts.secrets.cipher));
    // Without an algorithm Kratos encrypts nothing, whatever the secrets.
    let is_ciphering = !facts.secrets.cipher.is_empty();
    set("CIPHERS_ALGORITHM", is_ciphering.then(|| "xchacha20-poly1305".to_owned()));
    let is_aal = options.enable_oidc_webauthn_sequencing || options.is_local_mfa();
    set("SESSION_WHOAMI_REQUIRED_AAL", is_aal.then(|| "highest_available".to_owned()));
    let public_url = facts.public_url.as_ref();
    set("SELFSERVICE_ALLOWED_RETURN_URLS", public_url.map(|url| json_list([format!("{}/", url.origin())])));
    set("SERVE_PUBLIC_BASE_URL", public_url.map(ToString::to_string));
    set("OAUTH2_PROVIDER_URL", facts.hydra_admin_url.as_ref().map(bare).filter(|url| web_url(url).is_some()));
    set(MAIL_SERVER, facts.smtp.as_ref().and_then(|smtp| smtp.uri().ok()));
    let template = options.recovery_email_template.as_ref();
    set(
        "COURIER_TEMPLATES_RECOVERY_CODE_VALID_EMAIL_BODY_HTML",
        template.map(|_| format!("file://{}", facts.place.path(RECOVERY_TEMPLATE))),
    );
    if let Some(Ok(endpoint)) = facts.otlp.as_ref().map(otlp::endpoint) {
        set("TRACING_PROVIDER", Some("otel".to_owned()));
        set("TRACING_PROVIDERS_OTLP_INSECURE", Some((!endpoint.is_tls).to_string()));
        set("TRACING_PROVIDERS_OTLP_SAMPLING_SAMPLING_RATIO", Some("1.0".to_owned()));
        set("TRACING_PROVIDERS_OTLP_SERVER_URL", Some(endpoint.address));
    }
    set("SSL_CERT_DIR", files::certificate_directories(facts));
    set(files::DIGEST_VARIABLE, files::digest(facts));
    all
}

/// Kratos reads a list from the environment as JSON; a bare text would be split at its commas.
fn list(secrets: &[Secret]) -> Option<String> {
    let texts = secrets.iter().map(|secret| secret.0.as_str());
    (!secrets.is_empty()).then(|| json_list(texts))
}

fn json_list<T: Into<serde_json::Value>>(items: impl IntoIterator<Item = T>) -> String {
    serde_json::Value::from_iter(items).to_string()
}

/// Without the slash that a parsed URL ends with where nobody wrote a path.
fn bare(url: &Url) -> String {
    let text = url.as_str();
    if url.path() == "/" { text.strip_suffix('/').unwrap_or(text) } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kratos::facts::options::Options;
    use crate::kratos::facts::public_url::PublicUrl;

    fn with(change: impl FnOnce(&mut Facts)) -> BTreeMap<String, String> {
        let mut facts = Facts::sample();
        change(&mut facts);
        environment(&facts)
    }

    fn options(config: serde_json::Value) -> Options {
        Options::parse("kratos", &config.as_object().unwrap().clone().into_iter().collect(), None).unwrap()
    }

    #[test]
    fn weakness_65_and_rows_34_and_35_always() {
        let environment = with(|facts| {
            facts.options = options(json!({
                "dev": true, "log_level": "warn", "http_proxy": "http://p:1", "https_proxy": "http://p:2",
                "no_proxy": ".svc", "sender_email": "a@b.c", "sender_name": "A: #", "enforce_mfa": false,
            }));
        });
        let expected = [
            ("COURIER_SMTP_FROM_ADDRESS", "a@b.c"),
            ("COURIER_SMTP_FROM_NAME", "A: #"),
            ("COURIER_TEMPLATE_OVERRIDE_PATH", "/etc/config/templates"),
            ("DEV", "true"),
            ("DSN", "postgres://u:sesame@db:5432/idp"),
            ("HTTPS_PROXY", "http://p:2"),
            ("HTTP_PROXY", "http://p:1"),
            ("LOG_FORMAT", "json"),
            ("LOG_LEVEL", "warning"),
            ("NO_PROXY", ".svc"),
            ("SECRETS_COOKIE", r#"["0123456789abcdef"]"#),
            ("SERVE_PUBLIC_CORS_ALLOW_CREDENTIALS", "false"),
            ("SERVE_PUBLIC_CORS_ENABLED", "true"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(environment, BTreeMap::from(expected));
        let plain = with(|_| {});
        assert_eq!([&plain["HTTP_PROXY"], &plain["HTTPS_PROXY"], &plain["NO_PROXY"]], ["", "", ""]);
    }

    #[test]
    fn row_36_names_the_recovery_template() {
        const NAME: &str = "COURIER_TEMPLATES_RECOVERY_CODE_VALID_EMAIL_BODY_HTML";
        assert!(!with(|_| {}).contains_key(NAME));
        let set = |text: &str| {
            let config = json!({"recovery_email_template": text});
            with(|facts| facts.options = options(config))
        };
        let (one, other) = (set("<p>1"), set("<p>2"));
        assert_eq!(one[NAME], "file:///etc/config/templates/recovery-body.html.gotmpl");
        assert_ne!(
            one[files::DIGEST_VARIABLE],
            other[files::DIGEST_VARIABLE],
            "Kratos keeps what it read once"
        );
    }

    #[test]
    fn row_37_asks_for_the_second_factor() {
        const NAME: &str = "SESSION_WHOAMI_REQUIRED_AAL";
        let cases = [
            (true, true, false, true),
            (true, false, false, false),
            (false, true, false, false),
            (false, false, true, true),
            (true, false, true, true),
        ];
        for (local, mfa, sequencing, expected) in cases {
            let config = json!({
                "enable_local_idp": local, "enforce_mfa": mfa, "enable_oidc_webauthn_sequencing": sequencing,
            });
            let found = with(|facts| facts.options = options(config)).remove(NAME);
            assert_eq!(
                found.as_deref(),
                expected.then_some("highest_available"),
                "{local} {mfa} {sequencing}"
            );
        }
    }

    #[test]
    fn row_38_keeps_every_secret_and_the_first_first() {
        let environment = with(|facts| {
            let secrets = |texts: &[&str]| texts.iter().map(|text| Secret((*text).to_owned())).collect();
            facts.secrets.cookie = secrets(&["new, \"quoted\"", "old"]);
            facts.secrets.default = secrets(&["d"]);
            facts.secrets.cipher = secrets(&["c"]);
        });
        assert_eq!(environment["SECRETS_COOKIE"], r#"["new, \"quoted\"","old"]"#);
        assert_eq!(environment["SECRETS_DEFAULT"], r#"["d"]"#);
        assert_eq!(environment["SECRETS_CIPHER"], r#"["c"]"#);
        assert_eq!(environment["CIPHERS_ALGORITHM"], "xchacha20-poly1305");
        let before = with(|_| {});
        assert!(
            !["SECRETS_DEFAULT", "SECRETS_CIPHER", "CIPHERS_ALGORITHM"]
                .iter()
                .any(|name| before.contains_key(*name))
        );
    }

    #[test]
    fn rows_39_to_42_follow_the_relations() {
        let environment = with(|facts| {
            facts.public_url = PublicUrl::parse("https://id.example.com:8443").ok();
            facts.hydra_admin_url = Url::parse("http://hydra.idp.svc.cluster.local:4445").ok();
            facts.otlp = Url::parse("https://tempo:4318").ok();
        });
        let expected = [
            ("SERVE_PUBLIC_BASE_URL", "https://id.example.com:8443"),
            ("SELFSERVICE_ALLOWED_RETURN_URLS", r#"["https://id.example.com:8443/"]"#),
            ("OAUTH2_PROVIDER_URL", "http://hydra.idp.svc.cluster.local:4445"),
            ("TRACING_PROVIDER", "otel"),
            ("TRACING_PROVIDERS_OTLP_SERVER_URL", "tempo:4318"),
            ("TRACING_PROVIDERS_OTLP_INSECURE", "false"),
            ("TRACING_PROVIDERS_OTLP_SAMPLING_SAMPLING_RATIO", "1.0"),
        ];
        let plain = with(|_| {});
        for (name, value) in expected {
            assert_eq!(environment[name], value, "{name}");
            assert!(!plain.contains_key(name), "{name}");
        }
        assert!(!plain.contains_key("COURIER_SMTP_CONNECTION_URI"), "there is no mail server to pretend");
    }
}

//! The charm's options, from what Juju hands over to typed values.
//!
//! An option that Kratos would not take is refused here, with its name, the value's shape and the remedy,
//! so that it never reaches the running service.

mod schemas;

use std::borrow::Cow;
use std::collections::BTreeMap;

use reqwest::Url;
use serde_json::Value;

use crate::kratos::facts::schema_set::SchemaSet;
use crate::kratos::version::WorkloadVersion;

/// The options of config.yaml, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Kratos' own word for the level: it knows `warning`, the option says `warn`.
    pub log_level: String,
    pub dev: bool,
    pub http_proxy: String,
    pub https_proxy: String,
    pub no_proxy: String,
    pub sender_email: String,
    pub sender_name: String,
    /// Whether accounts with a password live in Kratos itself.
    pub enable_local_idp: bool,
    pub enforce_mfa: bool,
    pub enable_verification: bool,
    pub enable_passwordless_login_method: bool,
    pub enable_oidc_webauthn_sequencing: bool,
    /// By their ids; each one is a schema that Kratos takes.
    pub identity_schemas: Option<BTreeMap<String, Value>>,
    /// One of `identity_schemas`, if both are set.
    pub default_identity_schema_id: Option<String>,
    /// The HTML body of recovery mails, a Go template.
    pub recovery_email_template: Option<String>,
}

/// An option with a value that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid option {option}={value}: {expected}; run: juju config {application} {option}={example}")]
pub struct InvalidOption {
    pub application: String,
    pub option: &'static str,
    /// The value, shortened and on one line.
    pub value: String,
    /// The shape that a value has.
    pub expected: Cow<'static, str>,
    pub example: &'static str,
}

const LEVELS: &str = "it is one of panic, fatal, error, warn, info, debug, trace";

impl Options {
    /// Checks `config` (what `config-get` returns) for the named application and its Kratos; `None`: the newest known.
    pub fn parse(
        application: &str,
        config: &BTreeMap<String, Value>,
        version: Option<&WorkloadVersion>,
    ) -> Result<Self, InvalidOption> {
        tracing::trace!("parsing the options");
        let reader = Reader { application, config, version };
        Ok(Self {
            log_level: reader.log_level()?,
            dev: reader.boolean("dev", false)?,
            http_proxy: reader.proxy("http_proxy")?,
            https_proxy: reader.proxy("https_proxy")?,
            no_proxy: reader.line("no_proxy", "", "localhost,.svc")?,
            sender_email: reader.email("sender_email", "identity@canonical.com")?,
            sender_name: reader.line("sender_name", "Canonical Identity Platform", "Accounts")?,
            enable_local_idp: reader.boolean("enable_local_idp", true)?,
            enforce_mfa: reader.boolean("enforce_mfa", true)?,
            enable_verification: reader.boolean("enable_verification", false)?,
            enable_passwordless_login_method: reader.boolean("enable_passwordless_login_method", false)?,
            enable_oidc_webauthn_sequencing: reader.boolean("enable_oidc_webauthn_sequencing", false)?,
            identity_schemas: reader.identity_schemas()?,
            default_identity_schema_id: reader.default_identity_schema_id()?,
            recovery_email_template: reader.template("recovery_email_template")?,
        })
    }

    /// Whether a security key logs in, alone or after an external provider.
    pub fn is_webauthn_wanted(&self) -> bool {
        self.enable_passwordless_login_method || self.enable_oidc_webauthn_sequencing
    }

    /// Whether accounts of Kratos itself have a second factor.
    pub fn is_local_mfa(&self) -> bool {
        self.enable_local_idp && self.enforce_mfa
    }

    /// The identity schemas that the options name; both options are needed (docs/behaviour.md#row-52).
    pub fn schema_set(&self) -> Option<SchemaSet> {
        let (schemas, default_id) =
            (self.identity_schemas.clone()?, self.default_identity_schema_id.clone()?);
        Some(SchemaSet { default_id, schemas })
    }
}

struct Reader<'a> {
    application: &'a str,
    config: &'a BTreeMap<String, Value>,
    version: Option<&'a WorkloadVersion>,
}

impl Reader<'_> {
    fn refuse<T>(
        &self,
        option: &'static str,
        value: impl ToString,
        expected: impl Into<Cow<'static, str>>,
        example: &'static str,
    ) -> Result<T, InvalidOption> {
        let expected = expected.into();
        let value: String = value.to_string().chars().take(60).flat_map(char::escape_debug).collect();
        Err(InvalidOption { application: self.application.to_owned(), option, value, expected, example })
    }

    /// A text without line breaks or other control characters.
    fn line(
        &self,
        option: &'static str,
        default: &str,
        example: &'static str,
    ) -> Result<String, InvalidOption> {
        match self.config.get(option) {
            None | Some(Value::Null) => Ok(default.to_owned()),
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                self.refuse(option, text, "it is a text on one line", example)
            }
            Some(Value::String(text)) => Ok(text.trim().to_owned()),
            Some(other) => self.refuse(option, other, "it is a text on one line", example),
        }
    }

    /// A text of any kind; blank, `unset` and nothing at all mean that it is not set.
    fn text(&self, option: &'static str, example: &'static str) -> Result<Option<&str>, InvalidOption> {
        match self.config.get(option) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => {
                Ok(Some(text.as_str()).filter(|text| !["", "unset"].contains(&text.trim())))
            }
            Some(other) => self.refuse(option, other, "it is a text", example),
        }
    }

    fn boolean(&self, option: &'static str, default: bool) -> Result<bool, InvalidOption> {
        match self.config.get(option) {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => self.refuse(option, other, "it is true or false", "false"),
        }
    }

    /// A Go template. Only Kratos can tell whether it is whole; one that is cut off is told here.
    fn template(&self, option: &'static str) -> Result<Option<String>, InvalidOption> {
        const EXAMPLE: &str = "@recovery.html.gotmpl";
        let Some(text) = self.text(option, EXAMPLE)? else { return Ok(None) };
        let is_open = |piece: &str| !piece.contains("}}");
        if text.split("{{").skip(1).any(is_open) {
            return self.refuse(
                option,
                text,
                "it is a Go template, in which each {{ is closed by }}",
                EXAMPLE,
            );
        }
        Ok(Some(text.to_owned()))
    }

    fn log_level(&self) -> Result<String, InvalidOption> {
        let level = self.line("log_level", "info", "info")?;
        match level.as_str() {
            "panic" | "fatal" | "error" | "warning" | "info" | "debug" | "trace" => Ok(level),
            "warn" => Ok("warning".to_owned()),
            _ => self.refuse("log_level", level, LEVELS, "info"),
        }
    }

    fn proxy(&self, option: &'static str) -> Result<String, InvalidOption> {
        const EXAMPLE: &str = "http://proxy.internal:3128";
        let text = self.line(option, "", EXAMPLE)?;
        if text.is_empty() {
            return Ok(text);
        }
        // Go takes a text without a scheme for http.
        let url =
            if text.contains("://") { Url::parse(&text) } else { Url::parse(&format!("http://{text}")) };
        match url {
            Ok(url) if matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h") && url.has_host() => {
                Ok(text)
            }
            // A proxy's URL may hold a password: it is not repeated.
            _ => self.refuse(
                option,
                "(not shown)",
                "it is an http://, https://, socks5:// or socks5h:// URL",
                EXAMPLE,
            ),
        }
    }

    fn email(&self, option: &'static str, default: &str) -> Result<String, InvalidOption> {
        let text = self.line(option, default, "identity@example.com")?;
        match text.rsplit_once('@') {
            Some((local, domain)) if is_local_part(local) && is_domain(domain) => Ok(text),
            _ => self.refuse(option, text, "it is an e-mail address", "identity@example.com"),
        }
    }
}

/// Words of RFC 5322 with single dots between them; Kratos knows no other form.
fn is_local_part(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    text.len() <= 64 && text.split('.').all(is_word)
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !(label.starts_with('-') || label.ends_with('-'))
    };
    text.len() <= 189 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(config: Value) -> Result<Options, InvalidOption> {
        let config = config.as_object().unwrap().clone().into_iter().collect();
        Options::parse("kratos", &config, None)
    }

    #[test]
    fn defaults_are_those_of_config_yaml() {
        let file: serde_yaml::Value = serde_yaml::from_str(include_str!("../../../../config.yaml")).unwrap();
        let defaults = file["options"].as_mapping().unwrap().iter().map(|(name, option)| {
            (name.as_str().unwrap().to_owned(), serde_json::to_value(&option["default"]).unwrap())
        });
        let declared = Options::parse("kratos", &defaults.collect(), None).unwrap();
        assert_eq!(declared, parse(json!({})).unwrap());
    }

    #[test]
    fn warn_is_what_kratos_calls_warning() {
        assert_eq!(parse(json!({"log_level": "warn"})).unwrap().log_level, "warning");
    }

    #[test]
    fn a_mail_template_is_taken_whole_or_not_at_all() {
        let text = "<p>{{ .RecoveryCode }} }} : #\n{{ if .Identity }}\u{1f600}{{ end }}";
        let options = parse(json!({"recovery_email_template": text})).unwrap();
        assert_eq!(options.recovery_email_template.as_deref(), Some(text));
        for unset in ["", "unset", "\n"] {
            let options = parse(json!({"recovery_email_template": unset})).unwrap();
            assert_eq!(options.recovery_email_template, None);
        }
    }

    #[test]
    fn proxies_are_what_go_takes_for_one() {
        for proxy in [
            "http://u:p@proxy:3128",
            "https://proxy",
            "socks5://proxy:1080",
            "socks5h://proxy:1080",
            "10.0.0.1:3128",
            "proxy",
            "",
        ] {
            assert_eq!(parse(json!({"http_proxy": proxy})).unwrap().http_proxy, proxy);
        }
    }

    #[test]
    fn weakness_52_a_bad_value_is_named_with_its_remedy() {
        let cases = [
            (json!({"log_level": "loud"}), "log_level=loud", "log_level=info"),
            (json!({"log_level": 3}), "log_level=3", "log_level=info"),
            (json!({"dev": "yes"}), "dev=\\\"yes\\\"", "dev=false"),
            (json!({"http_proxy": "proxy 3128"}), "http_proxy=(not shown)", "http_proxy=http://"),
            (json!({"https_proxy": "ftp://x"}), "https_proxy=(not shown)", "https_proxy=http://"),
            (json!({"no_proxy": "a\nb"}), "no_proxy=a\\nb", "no_proxy=localhost"),
            (json!({"sender_email": "nobody"}), "sender_email=nobody", "sender_email=identity@"),
            (json!({"sender_email": "a b@c"}), "sender_email=a b@c", "sender_email=identity@"),
            (json!({"sender_email": "a..b@c"}), "sender_email=a..b@c", "sender_email=identity@"),
            (json!({"sender_email": "a@-c"}), "sender_email=a@-c", "sender_email=identity@"),
            (
                json!({"recovery_email_template": "{{ .RecoveryCode"}),
                "recovery_email_template={{ .RecoveryCode: it is a Go template",
                "recovery_email_template=@recovery.html.gotmpl",
            ),
            (json!({"enforce_mfa": 1}), "enforce_mfa=1", "enforce_mfa=false"),
            (json!({"sender_name": "x".repeat(3) + "\u{0}"}), "sender_name=xxx", "sender_name=Accounts"),
        ];
        for (config, shown, remedy) in cases {
            let text = parse(config).unwrap_err().to_string();
            assert!(
                text.contains(shown) && text.contains("juju config kratos ") && text.contains(remedy),
                "{text}"
            );
        }
    }
}

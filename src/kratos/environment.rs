//! The environment of the Kratos services (behaviour rows 34, 35, 38).

use std::collections::BTreeMap;

use super::facts::Facts;
use super::secret::Secret;

/// Where the charm would put mail templates.
const TEMPLATES: &str = "/etc/config/templates";

/// Builds the environment that both services get.
///
/// The DSN and the secrets are secret values: an environment is the only way in which they reach Kratos.
pub fn environment(facts: &Facts) -> BTreeMap<String, String> {
    let options = &facts.options;
    let pairs = [
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
        ("SECRETS_COOKIE", list(&facts.secrets.cookie)),
        ("SERVE_PUBLIC_CORS_ENABLED", "true".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Kratos reads a list from the environment as JSON; a bare text would be split at its commas.
fn list(secrets: &[Secret]) -> String {
    let texts: Vec<&str> = secrets.iter().map(|secret| secret.0.as_str()).collect();
    serde_json::Value::from(texts).to_string()
}

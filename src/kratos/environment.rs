//! The environment of the Kratos services (behaviour rows 34, 35, 38).

use std::collections::BTreeMap;

use super::options::Options;

/// Where the charm would put mail templates.
const TEMPLATES: &str = "/etc/config/templates";

/// Builds the environment that both services get: options, database and the secret that signs cookies.
///
/// `dsn` and `cookie_secret` are secret values: an environment is the only way in which they reach Kratos.
pub fn environment(
    options: &Options,
    templates: impl Fn(&str) -> String,
    dsn: &str,
    cookie_secret: &str,
) -> BTreeMap<String, String> {
    // Kratos reads a list from the environment as JSON; a bare text would be split at its commas.
    let secrets = serde_json::Value::from(vec![cookie_secret]).to_string();
    let pairs = [
        ("COURIER_SMTP_FROM_ADDRESS", options.sender_email.clone()),
        ("COURIER_SMTP_FROM_NAME", options.sender_name.clone()),
        ("COURIER_TEMPLATE_OVERRIDE_PATH", templates(TEMPLATES)),
        ("DEV", options.dev.to_string()),
        ("DSN", dsn.to_owned()),
        ("HTTPS_PROXY", options.https_proxy.clone()),
        ("HTTP_PROXY", options.http_proxy.clone()),
        ("LOG_FORMAT", "json".to_owned()),
        ("LOG_LEVEL", options.log_level.clone()),
        ("NO_PROXY", options.no_proxy.clone()),
        ("SECRETS_COOKIE", secrets),
        ("SERVE_PUBLIC_CORS_ENABLED", "true".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

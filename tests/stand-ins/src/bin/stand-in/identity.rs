//! Hydra (`hydra_endpoints`) and the login UI (`login_ui_endpoints`, and `kratos_info` as its reader).

use super::relation::{Answer, State, View, bag};

/// Paths below the UI's own URL; without an ingress that is empty and the URLs are relative.
const PAGES: [(&str, &str); 12] = [
    ("consent_url", "consent"),
    ("error_url", "error"),
    ("login_url", "login"),
    ("oidc_error_url", "oidc_error"),
    ("device_verification_url", "device_code"),
    ("post_device_done_url", "device_complete"),
    ("recovery_url", "reset_email"),
    ("registration_url", "register"),
    ("settings_url", "manage_details"),
    ("webauthn_settings_url", "setup_passkey"),
    ("account_linking_settings_url", "manage_connected_accounts"),
    ("verification_url", "verification"),
];
/// What the UI cannot do without.
const NEEDED: [&str; 2] = ["public_endpoint", "admin_endpoint"];
/// What it hands to Go's ParseBool.
const FLAGS: [&str; 3] = ["mfa_enabled", "oidc_webauthn_sequencing_enabled", "verification_enabled"];

pub fn hydra(view: &View) -> Answer {
    let host = view.service();
    let endpoints = [("admin_endpoint", 4445), ("public_endpoint", 4444)];
    let app = bag(endpoints.map(|(key, port)| (key, format!("http://{host}:{port}"))));
    Answer { app: Some(app), ..Answer::default() }
}

pub fn login_ui(view: &View) -> Answer {
    let prefix = view.option("public_url");
    let app = bag(PAGES.map(|(key, page)| (key, format!("{prefix}/ui/{page}"))));
    Answer { app: Some(app), ..Answer::default() }
}

pub fn kratos_info(view: &View) -> Answer {
    let state = if view.remote.is_empty() {
        State::Waiting(format!("{}: Kratos has not told where it is", view.id))
    } else {
        match missing(view) {
            None => State::default(),
            Some(reason) => State::Blocked(format!("{}: {reason}", view.id)),
        }
    };
    Answer { state, ..Answer::default() }
}

fn missing(view: &View) -> Option<String> {
    let text = |key: &str| view.remote.get(key).map(String::as_str).unwrap_or_default();
    if let Some(key) = NEEDED.iter().find(|key| !text(key).starts_with("http")) {
        return Some(format!("{key} is no URL"));
    }
    let go = ["1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"];
    let flag = FLAGS.iter().find(|key| !go.contains(&text(key)))?;
    Some(format!("{flag} is no boolean"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_relative_without_an_ingress() {
        let mut view = View::default();
        assert_eq!(login_ui(&view).app.unwrap()["login_url"], "/ui/login");
        view.config.insert("public_url".into(), "https://id.example/iam".into());
        assert_eq!(login_ui(&view).app.unwrap()["settings_url"], "https://id.example/iam/ui/manage_details");
    }

    #[test]
    fn kratos_has_to_say_what_the_ui_reads() {
        let mut view = View::default();
        assert!(matches!(kratos_info(&view).state, State::Waiting(_)));
        view.remote = bag([
            ("public_endpoint", "http://k:4433"),
            ("admin_endpoint", "http://k:4434"),
            ("mfa_enabled", "True"),
            ("oidc_webauthn_sequencing_enabled", "False"),
            ("verification_enabled", "yes"),
        ]);
        let State::Blocked(text) = kratos_info(&view).state else { panic!() };
        assert!(text.contains("verification_enabled"), "{text}");
        view.remote.insert("verification_enabled".into(), "False".into());
        assert_eq!(kratos_info(&view).state, State::default());
    }
}

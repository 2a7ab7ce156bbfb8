//! `render`: what Kratos would be told for facts in a file.
//!
//! Given options, relations and so on as a person wrote them down, it prints kratos.yaml, the environment and the files that
//! the charm would make of them, and what it would leave out. No secret is printed, so the output can be shown around.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};

use super::show::print;
use crate::kratos::facts::web_hook::WebHook;
use crate::kratos::render::config::KratosConfig;
use crate::kratos::render::courier::is_courier_needed;
use crate::kratos::render::environment::environment;
use crate::kratos::render::left_out::notes;
use crate::kratos::render::stored::ConfigMapNames;
use crate::kratos::render::{files, input};
use crate::kratos::{Facts, Secret};
use crate::yaml;

/// Stands for a secret.
const HIDDEN: &str = "***";

/// Reads the file, or standard input for `-`, and prints the answer. The error says what cannot be used.
pub fn render(path: &Path) -> Result<(), String> {
    let text = match path.to_str() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        _ => std::fs::read_to_string(path),
    };
    let named = |reason: String| format!("{}: {reason}", path.display());
    let facts = text.map_err(|error| error.to_string()).and_then(|text| input::read(&text)).map_err(named)?;
    print(&yaml::text(&answer(hidden(facts))));
    Ok(())
}

fn answer(facts: Facts) -> Value {
    let mut environment = environment(&facts);
    environment.insert("DSN".to_owned(), facts.dsn.to_string());
    let files: BTreeMap<_, _> =
        files::files(&facts).into_iter().filter_map(|(path, content)| Some((path, content?))).collect();
    let maps = ConfigMapNames::usual("MODEL");
    let (config, left_out) = KratosConfig::render(&facts);
    let notes: Vec<String> =
        notes(&facts, left_out).into_iter().map(|note| note.message("kratos", &maps)).collect();
    let mut answer = json!({
        "kratos.yaml": config,
        "environment": environment,
        "files": files,
        "courier": is_courier_needed(facts.smtp.as_ref()),
        "left out": notes,
    });
    hide_passwords(&mut answer);
    answer
}

/// The facts without their secrets.
fn hidden(mut facts: Facts) -> Facts {
    let hide = |secret: &mut Secret| secret.0 = HIDDEN.to_owned();
    let secrets = &mut facts.secrets;
    secrets.cookie.iter_mut().chain(&mut secrets.default).chain(&mut secrets.cipher).for_each(hide);
    for provider in facts.related_providers.iter_mut().chain(&mut facts.stored_providers) {
        // An empty one is none, which is worth to be seen.
        let given = provider.client_secret.iter_mut().chain(&mut provider.apple_private_key);
        given.filter(|secret| !secret.0.is_empty()).for_each(hide);
    }
    let hooks = facts.registration_hooks.iter_mut().chain(&mut facts.login_hooks);
    let keys = hooks.filter_map(|hook: &mut WebHook| hook.auth.as_mut());
    keys.map(|key| &mut key.value).filter(|secret| !secret.0.is_empty()).for_each(hide);
    facts
}

/// Takes the passwords out of all URLs: of the mail server, of proxies, of whatever holds one.
fn hide_passwords(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Ok(mut url) = Url::parse(text)
                && url.password().is_some()
                && url.set_password(Some(HIDDEN)).is_ok()
            {
                *text = url.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_passwords),
        Value::Object(map) => map.values_mut().for_each(hide_passwords),
        _ => {}
    }
}

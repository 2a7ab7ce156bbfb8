//! The external identity provider integrator (`external_provider`), with the older and the newer library.
//!
//! It hands its one provider on, secrets in plain text, and is active only when the answer names its redirect URI.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use super::relation::{Answer, State, View, bag};

const SCOPE: &str = "profile email address phone";

pub fn answer(view: &View) -> Answer {
    let clear = || Some(bag([("providers", "")]));
    if !view.flag("enabled") {
        return Answer { app: clear(), ..Answer::default() };
    }
    let (provider, client) = (view.option("provider"), view.option("client_id"));
    if provider.is_empty() || client.is_empty() {
        let state = State::Blocked("Invalid configuration: provider and client_id are needed".into());
        return Answer { app: clear(), state, ..Answer::default() };
    }
    let id = identifier(view, &provider, &client);
    let item = if view.library == "0" { older(view) } else { newer(view, &id) };
    let state = match redirect_uri(view, &id) {
        Some(uri) => State::Active(format!("Provider {id}: {uri}")),
        None => State::Waiting("Waiting for the requirer charm to register the OIDC provider".into()),
    };
    Answer { app: Some(bag([("providers", json!([item]).to_string())])), state, ..Answer::default() }
}

/// The provider's id, by the rule that both libraries and Kratos' charm share unless an administrator names one.
fn identifier(view: &View, provider: &str, client: &str) -> String {
    let named = view.option("provider_id");
    if !named.is_empty() {
        return named;
    }
    let text = match provider {
        "generic" | "auth0" => format!("{client}_{}", view.option("issuer_url")),
        "microsoft" => format!("{client}_{}", view.option("microsoft_tenant_id")),
        _ => client.to_owned(),
    };
    let digest: String = Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{provider}_{digest}")
}

/// Options that have a value, under these names.
fn given(view: &View, names: &[(&str, &str)]) -> Map<String, Value> {
    let pair = |(key, option): &(&str, &str)| {
        Some(view.option(option)).filter(|text| !text.is_empty()).map(|text| ((*key).to_owned(), text.into()))
    };
    names.iter().filter_map(pair).collect()
}

fn older(view: &View) -> Map<String, Value> {
    let mut item = given(
        view,
        &[
            ("client_id", "client_id"),
            ("provider", "provider"),
            ("client_secret", "client_secret"),
            ("issuer_url", "issuer_url"),
            ("tenant_id", "microsoft_tenant_id"),
            ("team_id", "apple_team_id"),
            ("private_key_id", "apple_private_key_id"),
            ("private_key", "apple_private_key"),
            ("provider_id", "provider_id"),
            ("label", "label"),
            ("jsonnet_mapper", "jsonnet_mapper"),
        ],
    );
    item.insert("secret_backend".into(), "relation".into());
    item.insert("scope".into(), scope(view).into());
    item
}

fn newer(view: &View, id: &str) -> Map<String, Value> {
    let mut item = given(
        view,
        &[
            ("provider", "provider"),
            ("client_id", "client_id"),
            ("client_secret", "client_secret"),
            ("issuer_url", "issuer_url"),
            ("microsoft_tenant", "microsoft_tenant_id"),
            ("apple_team_id", "apple_team_id"),
            ("apple_private_key_id", "apple_private_key_id"),
            ("apple_private_key", "apple_private_key"),
        ],
    );
    let label = Some(view.option("label")).filter(|text| !text.is_empty());
    let mapper = Some(view.option("jsonnet_mapper")).filter(|text| !text.is_empty());
    item.insert("id".into(), id.into());
    item.insert("scope".into(), scope(view).into());
    item.insert("label".into(), label.unwrap_or_else(|| view.option("provider")).into());
    let encoded = mapper.as_ref().map(|text| format!("base64://{}", STANDARD.encode(text)));
    item.insert("jsonnet_mapper".into(), json!(mapper));
    item.insert("mapper_url".into(), json!(encoded));
    item
}

fn scope(view: &View) -> String {
    let named = Some(view.option("scope")).filter(|text| !text.is_empty());
    let usual = if view.option("provider") == "github" { "user:email" } else { SCOPE };
    named.unwrap_or_else(|| usual.to_owned())
}

fn redirect_uri(view: &View, id: &str) -> Option<String> {
    let answered = view.remote_json("providers").ok()?;
    let ours = answered.as_array()?.iter().find(|item| item["provider_id"] == id)?;
    ours["redirect_uri"].as_str().filter(|uri| uri.starts_with("http")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(library: &str, options: &[(&str, &str)]) -> View {
        let mut view = View { library: library.into(), ..View::default() };
        view.config.insert("enabled".into(), true.into());
        view.config.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())));
        view
    }

    fn item(view: &View) -> Value {
        let list: Value = serde_json::from_str(&answer(view).app.unwrap()["providers"]).unwrap();
        list[0].clone()
    }

    const MICROSOFT: [(&str, &str); 4] =
        [("provider", "microsoft"), ("client_id", "c"), ("client_secret", "s"), ("microsoft_tenant_id", "T")];

    #[test]
    fn the_libraries_spell_the_same_provider_differently() {
        let expected = json!({"client_id": "c", "provider": "microsoft", "client_secret": "s", "tenant_id": "T",
            "secret_backend": "relation", "scope": SCOPE});
        assert_eq!(item(&view("0", &MICROSOFT)), expected);
        // sha1 of "c_T"
        let id = "microsoft_ba3b8134658471519c52c39fca921cda9acde828";
        let newer = item(&view("1", &MICROSOFT));
        assert_eq!(newer["microsoft_tenant"], "T");
        assert_eq!((newer["label"].as_str(), &newer["mapper_url"]), (Some("microsoft"), &Value::Null));
        assert_eq!(newer["id"], id);
    }

    #[test]
    fn it_waits_for_its_own_redirect_uri() {
        let mut view = view("1", &[("provider", "google"), ("client_id", "c"), ("provider_id", "mine")]);
        let reply = |id: &str| json!([{"provider_id": id, "redirect_uri": "https://h/cb"}]).to_string();
        for (text, active) in [(reply("other"), false), ("[]".into(), false), (reply("mine"), true)] {
            view.remote.insert("providers".into(), text);
            assert_eq!(matches!(answer(&view).state, State::Active(_)), active);
        }
        view.config.insert("enabled".into(), false.into());
        assert_eq!(answer(&view).app.unwrap()["providers"], "");
    }
}

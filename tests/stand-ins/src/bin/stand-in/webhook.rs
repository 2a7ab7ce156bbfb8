//! A service with web hooks for Kratos (`kratos_registration_webhook`, `kratos_login_webhook`): tells where it is
//! called and with which key, which stands in a secret made for the relation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::relation::{Answer, SharedSecret, View, bag, python};

/// The Jsonnet that makes the request's body.
const BODY: &str = "function(ctx) {identity: ctx.identity.id}";

pub fn registration(view: &View) -> Answer {
    answer(view, "registration", format!("relation-{}-api-key-secret", view.number()))
}

pub fn login(view: &View) -> Answer {
    answer(view, "login", format!("relation-{}-login-api-key-secret", view.number()))
}

fn answer(view: &View, flow: &str, label: String) -> Answer {
    let url = Some(view.option("url")).filter(|url| !url.is_empty());
    let url = url.unwrap_or_else(|| format!("http://{}:8080/{flow}", view.service()));
    let key = view.option("api_key");
    let auth = !key.is_empty();
    let if_auth = |text: &str| if auth { text.to_owned() } else { String::new() };
    let methods: Vec<String> =
        view.option("methods").split(',').filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let app = bag([
        ("url", url),
        ("body", format!("base64://{}", STANDARD.encode(BODY))),
        ("method", "POST".into()),
        ("mode", view.option("mode")),
        ("methods", json!(methods).to_string()),
        ("weight", view.option("weight")),
        ("response_ignore", python(view.flag("response_ignore")).into()),
        ("response_parse", python(view.flag("response_parse")).into()),
        ("auth_type", if_auth("api_key")),
        ("auth_config_name", if_auth("Authorization")),
        ("auth_config_value_secret", String::new()),
        ("auth_config_in", if_auth("header")),
    ]);
    let secret = auth.then(|| SharedSecret {
        key: "auth_config_value_secret",
        label,
        content: vec![("auth-config-value", key)],
    });
    Answer { app: Some(app), secret, ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_in_a_secret_of_the_relation_or_there_is_none() {
        let mut view = View { id: "login-webhook:7".into(), ..View::default() };
        let open = login(&view);
        assert!(open.secret.is_none() && open.app.unwrap()["auth_type"].is_empty());
        view.config.insert("api_key".into(), "sesame".into());
        view.config.insert("methods".into(), "password,oidc".into());
        let answer = login(&view);
        let bag = answer.app.unwrap();
        assert_eq!(bag["methods"], r#"["password","oidc"]"#);
        assert!(bag.values().all(|value| value != "sesame"));
        assert_eq!(answer.secret.unwrap().label, "relation-7-login-api-key-secret");
    }
}

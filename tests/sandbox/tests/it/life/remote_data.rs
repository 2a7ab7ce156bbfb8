//! What other applications tell Kratos, over real hooks: bad data is named and costs nothing else, secrets are read anew,
//! and a relation that goes takes its data with it.

use sandbox::Sandbox;
use serde_json::{Value, json};

use super::support::*;

/// A variable in the environment of Kratos, if it is there.
async fn variable(sandbox: &Sandbox, name: &str) -> Option<String> {
    pebble(sandbox, 0).plan().await.unwrap().services["kratos"].environment.get(name).cloned()
}

/// kratos.yaml of the first unit.
fn config(sandbox: &Sandbox) -> Value {
    let root = sandbox.container_root("kratos/0").unwrap();
    let text = std::fs::read_to_string(root.join("etc/config/kratos/kratos.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn provider(id: &str, kind: &str) -> Value {
    json!({"id": id, "provider": kind, "client_id": "c", "client_secret": "sesame"})
}

#[test]
fn a_secret_is_waited_for_read_anew_and_forgotten_with_its_relation() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let id = relate(&sandbox, "mail", "smtp", "smtp").await;
        let secret = sandbox.add_secret("mail", &[("password", "first")]).unwrap();
        let server = [
            ("host", "mail.example.com"),
            ("port", "587"),
            ("user", "u"),
            ("auth_type", "plain"),
            ("transport_security", "starttls"),
            ("password_id", secret.as_str()),
        ];
        sandbox.set_databag(id, "mail", &server).await.unwrap();
        let text = status(&sandbox, 0);
        assert!(text.contains(&format!("smtp:{id} says: password_id cannot be read")), "{text}");
        assert!(text.ends_with("juju show-unit kratos/0 --endpoint smtp"), "{text}");
        assert_eq!(variable(&sandbox, "COURIER_SMTP_CONNECTION_URI").await, None);
        assert!(is_active(&sandbox, 0, "kratos").await);
        assert!(!is_active(&sandbox, 0, "courier").await, "there is nothing to send through");

        sandbox.grant_secret(&secret, id, "kratos").unwrap();
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");
        let uri = |password: &str| Some(format!("smtp://u:{password}@mail.example.com:587/"));
        assert_eq!(variable(&sandbox, "COURIER_SMTP_CONNECTION_URI").await, uri("first"));
        assert!(is_active(&sandbox, 0, "courier").await);
        sandbox.revise_secret(&secret, &[("password", "p@ss/w:rd")]).await.unwrap();
        assert_eq!(variable(&sandbox, "COURIER_SMTP_CONNECTION_URI").await, uri("p%40ss%2Fw%3Ard"));
        sandbox.set_databag(id, "mail", &[("port", "many")]).await.unwrap();
        assert!(status(&sandbox, 0).contains("port is no number"), "{}", status(&sandbox, 0));
        assert_eq!(variable(&sandbox, "COURIER_SMTP_CONNECTION_URI").await, uri("p%40ss%2Fw%3Ard"));
        juju(&sandbox, &format!("remove-relation {id}")).await;
        assert_eq!(
            variable(&sandbox, "COURIER_SMTP_CONNECTION_URI").await,
            None,
            "docs/behaviour.md#weakness-24"
        );
        assert!(
            !is_active(&sandbox, 0, "courier").await,
            "no server is made up (docs/behaviour.md#weakness-22)"
        );
    });
}

#[test]
fn weakness_16_a_key_that_changed_is_used() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let id = relate(&sandbox, "hooks", "kratos-login-webhook", "kratos_login_webhook").await;
        let secret = sandbox.add_secret("hooks", &[("auth-config-value", "first")]).unwrap();
        sandbox.grant_secret(&secret, id, "kratos").unwrap();
        let hook = [
            ("url", "https://h/x"),
            ("body", "base64://e30="),
            ("method", "POST"),
            ("mode", "before"),
            ("response_ignore", "False"),
            ("response_parse", "False"),
            ("auth_config_value_secret", secret.as_str()),
        ];
        sandbox.set_databag(id, "hooks", &hook).await.unwrap();
        let key = || {
            let rendered = config(&sandbox);
            let hook = &rendered["selfservice"]["flows"]["login"]["before"]["hooks"][0];
            hook["config"]["auth"]["config"]["value"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(key(), "first");
        sandbox.revise_secret(&secret, &[("auth-config-value", "second")]).await.unwrap();
        assert_eq!((key().as_str(), status(&sandbox, 0).as_str()), ("second", "active "));
    });
}

#[test]
fn bad_data_of_any_endpoint_is_named_and_changes_nothing() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let before = (config(&sandbox), pebble(&sandbox, 0).plan().await.unwrap());
        for (endpoint, interface, key, value) in [
            (
                "kratos-external-idp",
                "external_provider",
                "providers",
                r#"[{"provider": "wizard", "client_id": "sesame"}]"#,
            ),
            ("hydra-endpoint-info", "hydra_endpoints", "admin_endpoint", "sesame@hydra"),
            ("ui-endpoint-info", "login_ui_endpoints", "login_url", "http://u:sesame@"),
            ("kratos-registration-webhook", "kratos_registration_webhook", "url", "https://u:sesame@h"),
            ("kratos-login-webhook", "kratos_login_webhook", "methods", "sesame"),
            ("tracing", "tracing", "receivers", "[sesame"),
            ("smtp", "smtp", "port", "sesame"),
            ("receive-ca-cert", "certificate_transfer", "certificates", "sesame"),
        ] {
            let stub = format!("stub{}", sandbox.model().applications.len());
            let id = relate(&sandbox, &stub, endpoint, interface).await;
            let data = [(key, value), ("host", "h"), ("url", "https://u:sesame@h")];
            let data = if key == "url" { &data[..1] } else { &data[..] };
            sandbox.set_databag(id, &stub, data).await.unwrap();
            let text = status(&sandbox, 0);
            assert!(text.starts_with(&format!("blocked Cannot use what {endpoint}:{id} says: ")), "{text}");
            assert!(!text.contains("sesame"), "{text}");
            assert!(is_active(&sandbox, 0, "kratos").await, "{endpoint}");
            let after = (config(&sandbox), pebble(&sandbox, 0).plan().await.unwrap());
            assert_eq!(after, before, "{endpoint}");
            juju(&sandbox, &format!("remove-relation {id}")).await;
            assert_eq!(status(&sandbox, 0), "active ", "{endpoint}");
        }
        let log: String = sandbox.log().into_iter().map(|line| line.text).collect();
        assert!(log.contains("url") && !log.contains("sesame"), "a value is logged");
    });
}

#[test]
fn providers_of_several_relations_are_used_and_answered_one_by_one() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        juju(&sandbox, "deploy traefik-k8s --config external_hostname=id.example").await;
        juju(&sandbox, "integrate kratos:public-route traefik-k8s:traefik-route").await;
        let first = relate(&sandbox, "first", "kratos-external-idp", "external_provider").await;
        let second = relate(&sandbox, "second", "kratos-external-idp", "external_provider").await;
        let say = async |id: u32, app: &str, providers: Value| {
            sandbox.set_databag(id, app, &[("providers", &providers.to_string())]).await.unwrap();
        };
        say(
            first,
            "first",
            json!([provider("a", "google"), provider("b", "yander"), provider("x", "twitch")]),
        )
        .await;
        say(second, "second", json!([provider("a", "slack"), provider("c", "amazon")])).await;
        let text = status(&sandbox, 0);
        assert!(
            text.starts_with(&format!(
                "blocked Cannot use what kratos-external-idp:{first} says: provider 3"
            )),
            "{text}"
        );
        let rendered = config(&sandbox);
        let used =
            rendered["selfservice"]["methods"]["oidc"]["config"]["providers"].as_array().unwrap().clone();
        let used: Vec<_> =
            used.iter().map(|it| (it["id"].as_str().unwrap(), it["provider"].as_str().unwrap())).collect();
        assert_eq!(used, [("a", "google"), ("b", "yandex"), ("c", "amazon")]);
        let answered = |id: u32| {
            let text = sandbox.databag(id, "kratos")["providers"].clone();
            let list: Vec<Value> = serde_json::from_str(&text).unwrap();
            list.iter().map(|entry| entry["redirect_uri"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let callback = |id: &str| format!("https://id.example/self-service/methods/oidc/callback/{id}");
        assert_eq!(answered(first), [callback("a"), callback("b")]);
        assert_eq!(answered(second), [callback("c")]);
        say(first, "first", json!([])).await;
        assert!(!sandbox.databag(first, "kratos").contains_key("providers"), "it is taken back");
        assert_eq!(answered(second), [callback("a"), callback("c")]);
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

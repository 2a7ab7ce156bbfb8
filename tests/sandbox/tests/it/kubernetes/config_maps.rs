//! The ConfigMaps that the admin UI fills: who makes them, whose they are, and how they reach Kratos.

use sandbox::Sandbox;
use sandbox::visits::hot_change;
use serde_json::{Value, json};

use super::{calls, failures, kubernetes, named};
use crate::life::support::*;

const NAMES: [&str; 2] = ["identity-schemas", "oidc-providers"];

/// What unit 0's Kratos is configured with.
fn configuration(sandbox: &Sandbox) -> Value {
    let root = sandbox.container_root("kratos/0").unwrap();
    let text = std::fs::read_to_string(root.join("etc/config/kratos/kratos.yaml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn providers(sandbox: &Sandbox) -> Vec<Value> {
    let configuration = configuration(sandbox);
    let list = &configuration["selfservice"]["methods"]["oidc"]["config"]["providers"];
    list.as_array().cloned().unwrap_or_default()
}

async fn tick(sandbox: &Sandbox) {
    sandbox.fire("kratos/0", "update-status").await.unwrap();
}

fn google(id: &str) -> Value {
    json!({
        "id": id, "provider": "google", "label": "", "client_id": "123", "client_secret": "sesame",
        "issuer_url": "", "auth_url": "", "token_url": "", "microsoft_tenant": "", "subject_source": "",
        "apple_team_id": "", "apple_private_key_id": "", "apple_private_key": "", "scope": ["email"],
        "mapper_url": "", "requested_claims": null,
    })
}

#[test]
fn they_are_made_once_and_belong_to_the_stateful_set() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        let kubernetes = kubernetes(&sandbox);
        let uid = kubernetes.stateful_set("kratos").unwrap()["metadata"]["uid"].clone();
        for name in NAMES {
            let map = kubernetes.config_map(name).unwrap();
            assert_eq!(
                map["metadata"]["labels"],
                json!({"juju-app-name": "kratos", "app.kubernetes.io/managed-by": "juju"})
            );
            let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "kratos", "uid": uid,
                "blockOwnerDeletion": true, "controller": true});
            assert_eq!(map["metadata"]["ownerReferences"], json!([owner]));
            assert!(map.get("data").is_none(), "{map}");
        }
        let writes: Vec<_> = kubernetes.calls().into_iter().filter(|call| call.method != "GET").collect();
        let path = "POST /api/v1/namespaces/sandbox/configmaps?fieldManager=kratos";
        assert_eq!(named(&writes), [path, path]);
        sandbox.fire("kratos/0", "upgrade-charm").await.unwrap();
        let again = kubernetes.calls().into_iter().filter(|call| call.method != "GET").count();
        assert_eq!(again, writes.len(), "what is there is not written again");

        juju(&sandbox, "remove-application kratos").await;
        kubernetes.sync(&[]);
        assert!(NAMES.iter().all(|name| kubernetes.config_map(name).is_none()), "Kubernetes removed them");
    });
}

#[test]
fn weakness_69_only_a_dispatch_that_configures_kratos_asks_and_it_asks_twice() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, &format!("deploy kratos --channel {} --trust", newest())).await;
        assert_eq!(calls(&sandbox, "update-status").await, [], "there is no database yet");
        juju(&sandbox, "deploy postgresql-k8s --channel 14/stable").await;
        juju(&sandbox, &format!("integrate {} {}", DATABASE.0, DATABASE.1)).await;
        for event in ["update-status", "config-changed"] {
            assert_eq!(
                named(&calls(&sandbox, event).await),
                NAMES.map(|name| format!("GET /api/v1/namespaces/sandbox/configmaps/{name}")),
                "{event}"
            );
        }
    });
}

#[test]
fn weaknesses_1_and_3_a_provider_of_the_admin_ui_applies_at_the_next_tick() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let kubernetes = kubernetes(&sandbox);
        kubernetes.set_data("oidc-providers", &[("note", "nothing else")]);
        tick(&sandbox).await;
        assert_eq!((status(&sandbox, 0).as_str(), providers(&sandbox).len()), ("active ", 0));

        kubernetes.set_data("oidc-providers", &[("idps.json", &json!([google("g1")]).to_string())]);
        tick(&sandbox).await;
        assert_eq!(status(&sandbox, 0), "active ");
        let found = providers(&sandbox);
        assert_eq!((&found[0]["id"], &found[0]["client_id"]), (&json!("g1"), &json!("123")));
        let empty = found[0].as_object().unwrap().values().filter(|value| **value == "" || value.is_null());
        assert_eq!(empty.count(), 0, "{found:?}");

        // What cannot be read takes nothing away, one bad provider only itself.
        kubernetes.set_data("oidc-providers", &[("idps.json", "{sesame")]);
        tick(&sandbox).await;
        let text = status(&sandbox, 0);
        assert!(text.starts_with("blocked ConfigMap oidc-providers: idps.json is no JSON list"), "{text}");
        assert_eq!(providers(&sandbox).len(), 1);
        let list = json!([google("g1"), {"id": "g2"}, google("g3")]).to_string();
        kubernetes.set_data("oidc-providers", &[("idps.json", &list)]);
        tick(&sandbox).await;
        let text = status(&sandbox, 0);
        assert!(
            text.starts_with("blocked ConfigMap oidc-providers: provider g2: it has no provider"),
            "{text}"
        );
        assert_eq!(providers(&sandbox).len(), 2);
        assert!(is_active(&sandbox, 0, "kratos").await);

        kubernetes.set_data("oidc-providers", &[]);
        tick(&sandbox).await;
        assert_eq!((status(&sandbox, 0).as_str(), providers(&sandbox).len()), ("active ", 0));
        assert_eq!(failures(&sandbox), Vec::<String>::new());
        assert!(sandbox.log().iter().all(|line| !line.text.contains("sesame")));
    });
}

#[test]
fn weakness_2_schemas_of_the_admin_ui_apply_at_the_next_tick() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let schema = json!({
            "$id": "https://example.com/person.json", "$schema": "http://json-schema.org/draft-07/schema#",
            "type": "object", "properties": {"traits": {"type": "object", "properties": {"email": {
                "type": "string", "format": "email",
                "ory.sh/kratos": {"credentials": {"password": {"identifier": true}}}}}}},
        });
        let data = [("default.schema", "person"), ("person", &schema.to_string() as &str)];
        kubernetes(&sandbox).set_data("identity-schemas", &data);
        tick(&sandbox).await;
        assert_eq!(status(&sandbox, 0), "active ");
        assert_eq!(configuration(&sandbox)["identity"]["default_schema_id"], "person");
        assert_eq!(schemas(&sandbox), ["person"], "what nobody uses goes");

        kubernetes(&sandbox).set_data("identity-schemas", &data[1..]);
        tick(&sandbox).await;
        let text = status(&sandbox, 0);
        assert!(
            text.starts_with("blocked ConfigMap identity-schemas: it has no key default.schema"),
            "{text}"
        );
        assert_eq!(
            configuration(&sandbox)["identity"]["default_schema_id"],
            "person",
            "the last good ones stay"
        );
        assert!(is_active(&sandbox, 0, "kratos").await);
        // Where the options name schemas, nobody needs the ConfigMap.
        juju(&sandbox, &hot_change(1)).await;
        assert_eq!(status(&sandbox, 0), "active ");
        assert_eq!(configuration(&sandbox)["identity"]["default_schema_id"], "user_v1");
    });
}

#[test]
fn a_bundled_schema_in_use_stays_beside_those_of_the_admin_ui() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let body = json!({"schema_id": "social_user_v0", "traits": {"email": "ada@example.com"}});
        let url = format!("http://{}:4434/admin/identities", sandbox.address("kratos/0").unwrap());
        assert_eq!(reqwest::Client::new().post(url).json(&body).send().await.unwrap().status(), 201);
        let schema = json!({"properties": {"traits": {"type": "object", "properties": {"email": {"type": "string"}}}}});
        let data = [("default.schema", "person"), ("person", &schema.to_string() as &str)];
        kubernetes(&sandbox).set_data("identity-schemas", &data);
        for _ in 0..3 {
            tick(&sandbox).await;
            let text = status(&sandbox, 0);
            assert!(text.contains("social_user_v0 (1)"), "{text}");
            assert_eq!(schemas(&sandbox), ["person", "social_user_v0"]);
        }
    });
}

/// The ids of the schemas that Kratos is told.
fn schemas(sandbox: &Sandbox) -> Vec<String> {
    let configuration = configuration(sandbox);
    let all = configuration["identity"]["schemas"].as_array().unwrap().iter();
    let mut ids: Vec<String> = all.map(|schema| schema["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn weakness_54_a_second_kratos_leaves_the_first_ones_alone() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, &format!("deploy kratos --channel {} --trust", newest())).await;
        let kubernetes = kubernetes(&sandbox);
        let first = NAMES.map(|name| kubernetes.config_map(name).unwrap());
        juju(&sandbox, &format!("deploy kratos other --channel {} --trust", newest())).await;
        assert_eq!(NAMES.map(|name| kubernetes.config_map(name).unwrap()), first);
        for name in NAMES {
            let own = kubernetes.config_map(&format!("other-{name}")).unwrap();
            assert_eq!(own["metadata"]["labels"]["juju-app-name"], "other");
            assert_eq!(own["metadata"]["ownerReferences"][0]["name"], "other");
        }
        // The second keeps what it has when the first goes.
        juju(&sandbox, "remove-application kratos").await;
        sandbox.fire("other/0", "upgrade-charm").await.unwrap();
        for name in NAMES {
            assert!(kubernetes.config_map(name).is_none(), "{name}");
            assert!(kubernetes.config_map(&format!("other-{name}")).is_some(), "{name}");
        }
    });
}

#[test]
fn one_that_nobody_owns_is_taken_with_its_data() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, "deploy postgresql-k8s --channel 14/stable").await;
        let data = json!([google("g1")]).to_string();
        kubernetes(&sandbox).set_data("oidc-providers", &[("idps.json", &data)]);
        deploy_kratos(&sandbox).await;
        let map = kubernetes(&sandbox).config_map("oidc-providers").unwrap();
        assert_eq!(map["metadata"]["ownerReferences"][0]["name"], "kratos");
        assert_eq!(map["metadata"]["labels"]["juju-app-name"], "kratos");
        assert_eq!(map["data"]["idps.json"], data);
        assert_eq!(providers(&sandbox).len(), 1);
    });
}

async fn deploy_kratos(sandbox: &Sandbox) {
    juju(sandbox, &format!("deploy kratos --channel {} --trust", newest())).await;
    juju(sandbox, &format!("integrate {} {}", DATABASE.0, DATABASE.1)).await;
    assert_eq!(status(sandbox, 0), "active ");
}

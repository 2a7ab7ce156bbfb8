//! The stand-ins alone: they answer when the real charms do, not earlier, and no more than those.

use std::collections::BTreeMap;

use sandbox::Sandbox;

use crate::life::support::*;

/// The other side of every relation here.
const STUB: &str = "stub";

/// Relates a stand-in with a bare application and gives the relation.
async fn relate(sandbox: &Sandbox, charm: &str, endpoint: &str, interface: &str) -> u32 {
    let stub = format!("{STUB}{}", sandbox.model().applications.len());
    sandbox.add_stub_application(&stub, "other", interface).unwrap();
    juju(sandbox, &format!("integrate {charm}:{endpoint} {stub}:other")).await;
    sandbox.relation(&format!("{charm}:{endpoint}"), &stub).unwrap()
}

/// The bare application of a relation.
fn stub(sandbox: &Sandbox, relation: u32) -> String {
    let apps = sandbox.model().relations[&relation].applications();
    apps.into_iter().find(|app| app.starts_with(STUB)).unwrap()
}

async fn say(sandbox: &Sandbox, relation: u32, data: &[(&str, &str)]) {
    sandbox.set_databag(relation, &stub(sandbox, relation), data).await.unwrap();
}

fn state(sandbox: &Sandbox, charm: &str) -> String {
    let status = sandbox.status(&format!("{charm}/0")).unwrap();
    format!("{} {}", status.status, status.message)
}

fn bag(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn routes_endpoints_and_receivers_are_told_when_they_are_asked_for() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, "deploy traefik-k8s --config external_hostname=id.example").await;
        let route = relate(&sandbox, "traefik-k8s", "traefik-route", "traefik_route").await;
        assert!(sandbox.databag(route, "traefik-k8s").is_empty());
        assert_eq!(state(&sandbox, "traefik-k8s"), format!("waiting traefik-route:{route}: no route yet"));
        say(&sandbox, route, &[("config", "{}")]).await;
        let told = bag(&[("external_host", "id.example"), ("scheme", "https")]);
        assert_eq!(sandbox.databag(route, "traefik-k8s"), told);
        juju(&sandbox, "config traefik-k8s external_hostname= tls=false").await;
        assert_eq!(sandbox.databag(route, "traefik-k8s"), bag(&[("scheme", "http")]));
        say(&sandbox, route, &[("config", "http: {routers: {r: {}}}")]).await;
        assert!(state(&sandbox, "traefik-k8s").starts_with("blocked "), "{}", state(&sandbox, "traefik-k8s"));

        juju(&sandbox, "deploy hydra").await;
        let hydra = relate(&sandbox, "hydra", "hydra-endpoint-info", "hydra_endpoints").await;
        assert_eq!(
            sandbox.databag(hydra, "hydra")["admin_endpoint"],
            "http://hydra.sandbox.svc.cluster.local:4445"
        );

        juju(&sandbox, "deploy tempo-coordinator-k8s tempo").await;
        let tracing = relate(&sandbox, "tempo", "tracing", "tracing").await;
        assert!(sandbox.databag(tracing, "tempo").is_empty());
        say(&sandbox, tracing, &[("receivers", r#"["otlp_http"]"#)]).await;
        assert!(sandbox.databag(tracing, "tempo")["receivers"].contains(":4318"));

        juju(&sandbox, "deploy identity-platform-login-ui-operator ui").await;
        let ui = relate(&sandbox, "ui", "ui-endpoint-info", "login_ui_endpoints").await;
        assert_eq!(sandbox.databag(ui, "ui")["login_url"], "/ui/login");
        let info = relate(&sandbox, "ui", "kratos-info", "kratos_info").await;
        assert!(state(&sandbox, "ui").starts_with("waiting "), "{}", state(&sandbox, "ui"));
        say(&sandbox, info, &[("public_endpoint", "http://k:4433")]).await;
        assert_eq!(state(&sandbox, "ui"), format!("blocked kratos-info:{info}: admin_endpoint is no URL"));
    });
}

#[test]
fn secrets_are_granted_and_change_in_place() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, "deploy smtp-integrator").await;
        let smtp = relate(&sandbox, "smtp-integrator", "smtp", "smtp").await;
        assert!(sandbox.databag(smtp, "smtp-integrator").is_empty());
        assert_eq!(state(&sandbox, "smtp-integrator"), "blocked No host configured");
        juju(&sandbox, "config smtp-integrator host=mail.example port=587 user=kratos password=sesame").await;
        let told = sandbox.databag(smtp, "smtp-integrator");
        let uri = &told["password_id"];
        assert_eq!(sandbox.secret(uri).unwrap(), bag(&[("password", "sesame")]));
        assert!(!told.contains_key("password") && told["skip_ssl_verify"] == "False", "{told:?}");
        juju(&sandbox, "config smtp-integrator password=changed").await;
        assert_eq!(sandbox.databag(smtp, "smtp-integrator"), told, "only the secret says so");
        assert_eq!(sandbox.secret(uri).unwrap(), bag(&[("password", "changed")]));

        juju(&sandbox, "deploy kratos-webhook --config api_key=sesame").await;
        let hook = relate(&sandbox, "kratos-webhook", "login-webhook", "kratos_login_webhook").await;
        let uri = sandbox.databag(hook, "kratos-webhook")["auth_config_value_secret"].clone();
        let id = uri.strip_prefix("secret:").unwrap().to_owned();
        let model = sandbox.model();
        let secret = model.secret(&id).unwrap();
        assert_eq!(secret.label.as_deref(), Some(format!("relation-{hook}-login-api-key-secret").as_str()));
        assert_eq!(secret.access[0].target, stub(&sandbox, hook));
        assert_eq!(sandbox.secret(&uri).unwrap(), bag(&[("auth-config-value", "sesame")]));
        juju(&sandbox, &format!("remove-relation {hook}")).await;
        assert!(sandbox.model().secret(&id).is_err(), "it goes with its relation");
    });
}

#[test]
fn a_provider_waits_for_its_redirect_uri_and_leaves_when_it_is_disabled() {
    with_sandbox(async |sandbox| {
        let options = "--config provider=google --config client_id=c --config client_secret=s";
        for (name, track, named) in [("newer", 1, true), ("older", 0, false)] {
            juju(
                &sandbox,
                &format!("deploy kratos-external-idp-integrator {name} --channel {track}/stable {options}"),
            )
            .await;
            let relation = relate(&sandbox, name, "kratos-external-idp", "external_provider").await;
            let told: serde_json::Value =
                serde_json::from_str(&sandbox.databag(relation, name)["providers"]).unwrap();
            assert_eq!((told[0].get("id").is_some(), told[0]["provider"].as_str()), (named, Some("google")));
            assert!(state(&sandbox, name).starts_with("waiting Waiting for the requirer charm"));
            let id = "google_84a516841ba77a5b4648de2cd0dfcb30ea46dbb4";
            let answer = format!(r#"[{{"provider_id":"{id}","redirect_uri":"https://h/{id}"}}]"#);
            say(&sandbox, relation, &[("providers", &answer)]).await;
            assert_eq!(state(&sandbox, name), format!("active Provider {id}: https://h/{id}"));
            juju(&sandbox, &format!("config {name} enabled=false")).await;
            assert!(sandbox.databag(relation, name).is_empty());
        }
    });
}

#[test]
fn units_and_versions_are_told_apart() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, "deploy loki-k8s loki -n 2").await;
        let logging = relate(&sandbox, "loki", "logging", "loki_push_api").await;
        let endpoint = |unit: u32| sandbox.databag(logging, &format!("loki/{unit}"))["endpoint"].clone();
        assert!(endpoint(0).contains("loki-0.") && endpoint(1).contains("loki-1."));
        say(&sandbox, logging, &[("alert_rules", r#"{"groups":[{"name":"g"}]}"#)]).await;
        assert!(sandbox.databag(logging, "loki")["event"].contains(r#""valid":false"#));

        juju(&sandbox, "deploy self-signed-certificates newer").await;
        juju(&sandbox, "deploy self-signed-certificates older --channel 0/stable").await;
        for name in ["newer", "older"] {
            let relation = relate(&sandbox, name, "send-ca-cert", "certificate_transfer").await;
            let unit = format!("{name}/0");
            let ca = sandbox.databag(relation, &unit)["ca"].clone();
            assert_eq!(
                ca.starts_with('"'),
                name == "newer",
                "the newer library writes JSON into the older place"
            );
            say(&sandbox, relation, &[("version", "1")]).await;
            assert!(!sandbox.databag(relation, name).contains_key("certificates"), "it looks when it writes");
            sandbox.fire(&unit, "update-status").await.unwrap();
            assert_eq!(sandbox.databag(relation, name).contains_key("certificates"), name == "newer");
        }

        juju(&sandbox, "deploy prometheus-k8s").await;
        let metrics = relate(&sandbox, "prometheus-k8s", "metrics-endpoint", "prometheus_scrape").await;
        say(&sandbox, metrics, &[("scrape_jobs", "[]"), ("alert_rules", "{}")]).await;
        assert!(sandbox.databag(metrics, "prometheus-k8s")["event"].contains("scrape_job_errors"));
        juju(&sandbox, "deploy grafana-k8s").await;
        let dashboards = relate(&sandbox, "grafana-k8s", "grafana-dashboard", "grafana_dashboard").await;
        say(&sandbox, dashboards, &[("dashboards", "{}")]).await;
        assert!(sandbox.databag(dashboards, "grafana-k8s")["event"].contains("no templates"));
    });
}

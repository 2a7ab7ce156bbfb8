//! The whole bundle, its relations, and everything that follows from them as one comparable value.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use kratos_operator::pebble::ServiceStatus;
use sandbox::Sandbox;

use crate::life::support::*;

/// Every relation of the bundle: our endpoint, and the other side. Where an endpoint takes several, there are two.
pub const RELATIONS: &[(&str, &str)] = &[
    ("pg-database", "postgresql-k8s:database"),
    ("public-route", "public:traefik-route"),
    ("internal-route", "internal:traefik-route"),
    ("kratos-external-idp", "google:kratos-external-idp"),
    ("kratos-external-idp", "microsoft:kratos-external-idp"),
    ("hydra-endpoint-info", "hydra:hydra-endpoint-info"),
    ("ui-endpoint-info", "ui:ui-endpoint-info"),
    ("kratos-info", "ui:kratos-info"),
    ("kratos-registration-webhook", "hooks:registration-webhook"),
    ("kratos-login-webhook", "hooks:login-webhook"),
    ("smtp", "smtp:smtp"),
    ("logging", "loki:logging"),
    ("tracing", "tempo:tracing"),
    ("receive-ca-cert", "authority:send-ca-cert"),
    ("receive-ca-cert", "older:send-ca-cert"),
    ("metrics-endpoint", "prometheus:metrics-endpoint"),
    ("grafana-dashboard", "grafana:grafana-dashboard"),
];

/// The values that nobody may see.
pub const SECRETS: [(&str, &str); 5] = [
    ("smtp password", "smtp-PASSWORD-41d9"),
    ("web hook key", "hook-KEY-7fb2"),
    ("client secret", "google-SECRET-c3a0"),
    ("client secret of the older library", "microsoft-SECRET-91ee"),
    ("private key", "apple-KEY-5d27"),
];

fn secret(name: &str) -> &'static str {
    SECRETS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// Deploys everything and relates nothing. Kratos has `units` units.
pub async fn deploy_all(sandbox: &Sandbox, units: u32) {
    deploy_others(sandbox).await;
    juju(sandbox, &format!("deploy kratos --channel {} -n {units} --trust", newest())).await;
}

/// Deploys everything but Kratos.
pub async fn deploy_others(sandbox: &Sandbox) {
    let options = |pairs: &[(&str, &str)]| -> String {
        pairs.iter().map(|(key, value)| format!(" --config {key}={value}")).collect()
    };
    let charms = [
        ("postgresql-k8s postgresql-k8s", String::new()),
        ("traefik-k8s public", options(&[("external_hostname", "id.example")])),
        ("traefik-k8s internal", options(&[("external_hostname", "inside.example"), ("tls", "false")])),
        (
            "kratos-external-idp-integrator google",
            options(&[
                ("provider", "google"),
                ("client_id", "g"),
                ("client_secret", secret("client secret")),
            ]),
        ),
        (
            "kratos-external-idp-integrator microsoft --channel 0/stable",
            options(&[
                ("provider", "microsoft"),
                ("client_id", "m"),
                ("client_secret", secret("client secret of the older library")),
                ("microsoft_tenant_id", "tenant"),
            ]),
        ),
        ("hydra hydra", String::new()),
        ("identity-platform-login-ui-operator ui", options(&[("public_url", "https://id.example")])),
        ("kratos-webhook hooks", options(&[("api_key", secret("web hook key")), ("response_parse", "true")])),
        (
            "smtp-integrator smtp",
            options(&[
                ("host", "mail.example"),
                ("port", "587"),
                ("user", "kratos"),
                ("password", secret("smtp password")),
                ("auth_type", "plain"),
                ("transport_security", "starttls"),
            ]),
        ),
        ("loki-k8s loki -n 2", String::new()),
        ("tempo-coordinator-k8s tempo", String::new()),
        ("self-signed-certificates authority", String::new()),
        ("self-signed-certificates older --channel 0/stable", String::new()),
        ("prometheus-k8s prometheus", String::new()),
        ("grafana-k8s grafana", String::new()),
    ];
    for (charm, options) in charms {
        juju(sandbox, &format!("deploy {charm}{options}")).await;
    }
}

/// Relates Kratos with the other side of the relation at that place of [`RELATIONS`].
pub async fn integrate(sandbox: &Sandbox, at: usize) {
    let (endpoint, other) = RELATIONS[at];
    juju(sandbox, &format!("integrate kratos:{endpoint} {other}")).await;
}

/// Takes that relation away.
pub async fn remove(sandbox: &Sandbox, at: usize) {
    let (endpoint, other) = RELATIONS[at];
    juju(sandbox, &format!("remove-relation kratos:{endpoint} {other}")).await;
}

/// The number of that relation now.
pub fn relation(sandbox: &Sandbox, at: usize) -> u32 {
    let (endpoint, other) = RELATIONS[at];
    sandbox.relation(&format!("kratos:{endpoint}"), other).unwrap()
}

/// Where a relation stands in [`RELATIONS`], by its other side's application.
pub fn place(app: &str) -> usize {
    RELATIONS.iter().position(|(_, other)| other.split(':').next() == Some(app)).unwrap()
}

/// Units that are not active, with what they say.
pub fn troubled(sandbox: &Sandbox) -> Vec<String> {
    let names = sandbox.model().unit_names();
    let shown = names.into_iter().map(|unit| (sandbox.status(&unit).unwrap(), unit));
    let troubled = shown.filter(|(status, _)| status.status != "active");
    troubled.map(|(status, unit)| format!("{unit}: {} {}", status.status, status.message)).collect()
}

/// Everything that follows from the relations, by a name for each part; what must differ each time is masked.
pub async fn snapshot(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let model = sandbox.model();
    for relation in model.relations.values() {
        // The bag of a unit that is gone stays in the model, out of everybody's sight.
        let units = relation.unit_bags.iter().filter(|(unit, _)| relation.scope.contains(*unit));
        for (holder, bag) in relation.app_bags.iter().chain(units) {
            let mut data = bag.data.clone();
            // The record of runs tells of each; a former leader is told where that one led.
            data.remove("migration_runs");
            if !data.is_empty() {
                parts.insert(format!("databag of {holder} in {}", relation.key()), format!("{data:#?}"));
            }
        }
    }
    for unit in model.application("kratos").unwrap().units.keys() {
        let name = format!("kratos/{unit}");
        let mut plan = pebble(sandbox, *unit).plan().await.unwrap();
        for (service, definition) in &mut plan.services {
            let environment = std::mem::take(&mut definition.environment);
            parts.insert(format!("environment of {service} on {name}"), format!("{environment:#?}"));
        }
        // Pebble cannot forget a target; one that takes nothing from any service is as good as none.
        plan.log_targets.retain(|_, target| target.services != ["-all"]);
        parts.insert(format!("plan of {name}"), serde_yaml::to_string(&plan).unwrap());
        let services = pebble(sandbox, *unit).services_all().await.unwrap();
        let mut active: Vec<_> = services
            .iter()
            .filter(|info| info.current == ServiceStatus::Active)
            .map(|info| info.name.as_str())
            .collect();
        active.sort_unstable();
        parts.insert(format!("services of {name}"), active.join(" "));
        let root = sandbox.container_root(&name).unwrap();
        files(&root, &root, &name, &mut parts);
    }
    parts.into_iter().map(|(name, text)| (name, masked(&text))).collect()
}

/// Every file below a directory, by its path; but not the charm's note of what services were started with, because
/// digests cannot be masked.
fn files(root: &Path, dir: &Path, unit: &str, parts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(root, &path, unit, parts);
        } else if !path.is_symlink() && !path.ends_with(".started-with") {
            let mut text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            if path.ends_with("kratos.yaml") {
                text = configuration(&text);
            }
            parts.insert(format!("{} on {unit}", path.strip_prefix(root).unwrap().display()), text);
        }
    }
}

/// A configuration without what follows from the numbers of relations: providers stand in their order, and the revision
/// is a digest of it all.
fn configuration(text: &str) -> String {
    let mut config: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    config.as_mapping_mut().unwrap().remove("revision");
    let oidc = config.get_mut("selfservice").and_then(|it| it.get_mut("methods")?.get_mut("oidc"));
    let providers = oidc.and_then(|it| it.get_mut("config")?.get_mut("providers")?.as_sequence_mut());
    if let Some(providers) = providers {
        providers.sort_by_key(|provider| provider["id"].as_str().unwrap_or_default().to_owned());
    }
    serde_yaml::to_string(&config).unwrap()
}

/// Numbers of relations, ids of secrets and generated passwords are new each time.
fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    let is_id: fn(char) -> bool = |letter| letter.is_ascii_alphanumeric();
    let in_url: fn(char) -> bool = |letter| letter != '@' && letter != '\n';
    for (before, is_masked) in [("relation_id_", in_url), ("migration_version_", is_id), ("secret:", is_id)] {
        let mut pieces = masked.split(before);
        let mut result = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            result = result + before + "?" + piece.trim_start_matches(is_masked);
        }
        masked = result;
    }
    masked
}

/// Fails with the parts that differ.
pub fn assert_same(found: &BTreeMap<String, String>, expected: &BTreeMap<String, String>, when: &str) {
    let names = expected.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>();
    let mut differences = String::new();
    for name in names {
        let (found, expected) = (found.get(name), expected.get(name));
        if found != expected {
            let lines = |text: Option<&String>, other: Option<&String>| {
                let known: Vec<&str> = other.map(|text| text.lines().collect()).unwrap_or_default();
                let text = text.map_or("(nothing)", String::as_str);
                text.lines().filter(|line| !known.contains(line)).collect::<Vec<_>>().join("\n  ")
            };
            differences += &format!(
                "\n{name}\n- expected\n  {}\n- found\n  {}\n",
                lines(expected, found),
                lines(found, expected)
            );
        }
    }
    assert!(differences.is_empty(), "{when}: {differences}");
}

/// A shuffle that a seed tells.
pub fn order(seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..RELATIONS.len()).collect();
    let mut state = seed;
    for at in (1..places.len()).rev() {
        // Knuth's linear congruence: enough to mix an order, the same on every machine.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        places.swap(at, usize::try_from((state >> 33) % (at as u64 + 1)).unwrap());
    }
    places
}

//! What the services are started with: layer, files, secrets, and on which unit the courier runs.

use super::*;

#[test]
fn what_is_started_is_told_everything() {
    let mut observed = ready();
    observed.config.insert("log_level".into(), json!("warn"));
    let running = running(&observed);
    let services: Vec<_> = running.layer.services.iter().collect();
    let commands: Vec<_> = services.iter().filter_map(|(_, service)| service.command.as_deref()).collect();
    assert_eq!(
        commands,
        [
            "kratos courier watch --config /etc/config/kratos/kratos.yaml",
            "kratos serve all --config /etc/config/kratos/kratos.yaml",
        ]
    );
    let Service { environment, .. } = services[1].1;
    let expected = [
        ("COURIER_SMTP_FROM_ADDRESS", "identity@canonical.com"),
        ("COURIER_SMTP_FROM_NAME", "Canonical Identity Platform"),
        ("COURIER_TEMPLATE_OVERRIDE_PATH", "/etc/config/templates"),
        ("DEV", "false"),
        ("DSN", "postgres://u:sesame@db:5432/idp"),
        ("HTTPS_PROXY", ""),
        ("HTTP_PROXY", ""),
        ("LOG_FORMAT", "json"),
        ("LOG_LEVEL", "warning"),
        ("NO_PROXY", ""),
        ("SECRETS_COOKIE", "[\"cookie-of-before\"]"),
        ("SERVE_PUBLIC_CORS_ALLOW_CREDENTIALS", "false"),
        ("SERVE_PUBLIC_CORS_ENABLED", "true"),
        ("SESSION_WHOAMI_REQUIRED_AAL", "highest_available"),
    ];
    assert_eq!(environment, &bag(&expected));
    let urls: Vec<_> = running.layer.checks.values().filter_map(|check| check.http.clone()?.url).collect();
    assert_eq!(
        urls,
        ["http://localhost:4434/admin/health/alive", "http://localhost:4434/admin/health/ready"]
    );
    assert!(running.files[CONFIG_PATH].is_some() && running.files[CA_PATH].is_none());
    assert_eq!(desired(&observed).ports, BTreeSet::from([Port::tcp(4433), Port::tcp(4434)]));
}

#[test]
fn weakness_74_the_courier_runs_on_the_leader() {
    let mut observed = ready();
    assert!(!running(&observed).is_courier, "without a mail server each mail would be given up");
    let server = [("host", "mail"), ("port", "25"), ("auth_type", "none"), ("transport_security", "none")];
    observed.relations.push(crate::integrations::sample::relation("smtp:4", &server));
    assert!(running(&observed).is_courier);
    observed.is_leader = false;
    assert!(!running(&observed).is_courier);
}

#[test]
fn a_ca_reaches_the_workload_as_a_file() {
    let ca = rcgen_ca();
    let mut observed = ready();
    observed.databases[0].tls = SecretContent::Content(bag(&[("tls", "True"), ("tls-ca", &ca)]));
    let running = running(&observed);
    assert_eq!(running.files[CA_PATH].as_deref(), Some(ca.as_str()));
    let dsn = &running.layer.services["kratos"].environment["DSN"];
    assert!(
        dsn.ends_with("?sslmode=verify-ca&sslrootcert=%2Fetc%2Fconfig%2Fkratos%2Fdatabase-ca.pem"),
        "{dsn}"
    );
}

fn rcgen_ca() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap().pem()
}

#[test]
fn weakness_66_the_leader_of_a_new_deployment_makes_the_secrets_once_and_starts_with_them() {
    let labels = |observed: &Observed| {
        desired(observed).new_secrets.iter().map(|missing| missing.label).collect::<Vec<_>>()
    };
    let mut observed = ready();
    assert!(labels(&observed).is_empty());
    let environment = |observed: &Observed| running(observed).layer.services["kratos"].environment.clone();
    let older = environment(&observed);
    assert!(!older.contains_key("SECRETS_DEFAULT") && !older.contains_key("SECRETS_CIPHER"), "as it was");
    observed.cookie_secret = StoredSecret::Absent;
    assert_eq!(labels(&observed), ["kratos_secrets", "cookie_secret"], "what marks it as made comes last");
    let new = environment(&observed);
    assert_eq!(new["SECRETS_COOKIE"], "[\"cookie-of-now\"]");
    assert_eq!(new["SECRETS_DEFAULT"], "[\"default-of-now\"]");
    assert_eq!(new["SECRETS_CIPHER"], "[\"cipher-of-now\"]");
    observed.is_leader = false;
    assert!(labels(&observed).is_empty());
}

#[test]
fn all_values_of_a_secret_reach_kratos_newest_first() {
    let mut observed = ready();
    let mut cookies = content("cookiesecret", "new");
    cookies.extend(content("cookiesecret-1", "old"));
    observed.cookie_secret = StoredSecret::Ready(cookies);
    observed.kratos_secrets = StoredSecret::Ready(content("default", "own"));
    let running = running(&observed);
    let environment = &running.layer.services["kratos"].environment;
    assert_eq!(environment["SECRETS_COOKIE"], "[\"new\",\"old\"]");
    assert_eq!(environment["SECRETS_DEFAULT"], "[\"own\"]");
    assert!(!environment.contains_key("SECRETS_CIPHER"));
    observed.kratos_secrets = StoredSecret::Unreadable("permission denied".into());
    assert!(
        matches!(desired(&observed).service, DesiredService::AsItIs),
        "no secret is dropped by a failed read"
    );
    assert_eq!(status(&observed), "waiting Waiting for secret creation: permission denied");
}

#[test]
fn the_other_units_hear_of_new_values() {
    let mut observed = ready();
    observed.has_rotated = true;
    let peer = |observed: &Observed| {
        desired(observed).databags.iter().find_map(|bag| bag.keys.get("secret_rotations").cloned()).flatten()
    };
    assert_eq!(peer(&observed).as_deref(), Some("\"1\""));
    observed.peers.as_mut().unwrap().application = bag(&[("secret_rotations", "\"7\"")]);
    assert_eq!(peer(&observed).as_deref(), Some("\"8\""));
    observed.has_rotated = false;
    assert_eq!(peer(&observed), None);
}

#[test]
fn the_leader_removes_a_revision_of_our_secrets_that_nobody_needs() {
    let removed = |hook: &str, label: &str, revision: &str, is_leader: bool| {
        let environment = Environment::from([
            ("JUJU_DISPATCH_PATH", hook),
            ("JUJU_UNIT_NAME", "kratos/0"),
            ("JUJU_MODEL_NAME", "idp"),
            ("JUJU_SECRET_ID", "secret:9m4e2mr0ui3e8a215n4g"),
            ("JUJU_SECRET_LABEL", label),
            ("JUJU_SECRET_REVISION", revision),
        ]);
        let context = Context::from_environment(&environment).unwrap();
        let desired = desired(&Observed { context, is_leader, ..ready() });
        desired.obsolete_secret.map(|(uri, revision)| format!("{uri} {revision}"))
    };
    for label in ["cookie_secret", "kratos_secrets"] {
        let expected = Some("secret:9m4e2mr0ui3e8a215n4g 2".to_owned());
        assert_eq!(removed("hooks/secret-remove", label, "2", true), expected);
        assert_eq!(removed("hooks/secret-remove", label, "2", false), None, "it is the leader's");
        assert_eq!(removed("hooks/secret-remove", label, "", true), None, "never the whole secret");
        assert_eq!(removed("hooks/secret-expired", label, "2", true), None);
    }
    assert_eq!(removed("hooks/secret-remove", "somebody's", "2", true), None);
    assert_eq!(removed("hooks/secret-remove", "", "2", true), None);
}

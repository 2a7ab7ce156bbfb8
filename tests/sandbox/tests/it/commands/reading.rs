//! status, show-unit, help: what they print.

use serde_json::Value;

use crate::model::support::{Charm, ok, sandbox};

#[tokio::test]
async fn status_is_jujus_table() {
    let charm =
        Charm::new("app", "peers: {peers: {interface: p}}\n", "status-set blocked 'why not'; open-port 80");
    let sandbox = sandbox();
    assert!(ok(&sandbox, "status").await.ends_with("\nModel \"admin/sandbox\" is empty.\n"));
    assert_eq!(ok(&sandbox, "add-model demo").await, "");
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    let addresses = ["app/0", "app/1"].map(|unit| sandbox.address(unit).unwrap());
    let shown = ok(&sandbox, "status --relations").await;
    let sections: Vec<&str> = shown.trim_end().split("\n\n").collect();
    assert!(sections[0].starts_with("Model  Controller  Cloud/Region   Version  SLA          Timestamp\ndemo   sandbox     sandbox/local  3.6.26   unsupported  "), "{shown}");
    let cells = |section: &str| -> Vec<Vec<String>> {
        let cells = |line: &str| {
            line.split("  ").map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
        };
        section.lines().map(cells).collect()
    };
    let apps = cells(sections[1]);
    assert_eq!(
        apps[0],
        ["App", "Version", "Status", "Scale", "Charm", "Channel", "Rev", "Address", "Exposed", "Message"]
    );
    assert_eq!(apps[1], ["app", "blocked", "2", "app", "0", &addresses[0], "no", "why not"]);
    let units = cells(sections[2]);
    assert_eq!(units[0], ["Unit", "Workload", "Agent", "Address", "Ports", "Message"]);
    assert_eq!(units[1], ["app/0*", "blocked", "idle", &addresses[0], "80/tcp", "why not"]);
    assert_eq!(units[2], ["app/1", "blocked", "idle", &addresses[1], "80/tcp", "why not"]);
    assert_eq!(cells(sections[3])[1], ["app:peers", "app:peers", "p", "peer"]);
    let json: Value = serde_json::from_str(&ok(&sandbox, "status --format json").await).unwrap();
    let unit = &json["applications"]["app"]["units"]["app/0"];
    assert_eq!(unit["workload-status"]["message"], "why not");
    assert_eq!((&unit["leader"], &unit["open-ports"][0]), (&Value::Bool(true), &Value::from("80/tcp")));
    assert_eq!(json["model"]["type"], "caas");
    sandbox.stop().await;
}

#[tokio::test]
async fn show_unit_has_the_bags_that_the_unit_sees() {
    let charm = Charm::new(
        "app",
        "requires: {db: {interface: sql}}\n",
        "[ $hook != db-relation-created ] || { relation-set k=v; relation-set --app own=1; }",
    );
    let sandbox = sandbox();
    sandbox.add_stub_application("db", "sql", "sql").unwrap();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    ok(&sandbox, "integrate app db").await;
    let relation = sandbox.relation("app", "db").unwrap();
    sandbox.set_databag(relation, "db", &[("endpoint", "here")]).await.unwrap();
    let shown = ok(&sandbox, "show-unit app/0 --format json").await;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let relation = &shown["app/0"]["relation-info"][0];
    assert_eq!(relation["application-data"]["endpoint"], "here");
    assert_eq!(relation["local-unit"]["data"]["k"], "v");
    assert_eq!(relation["related-units"]["db/0"]["in-scope"], true);
    assert_eq!(relation["related-endpoint"], "sql");
    let yaml = ok(&sandbox, "show-unit db/0").await;
    assert!(yaml.contains("  - application-data:\n      own: \"1\"\n"), "{yaml}");
    let refused = sandbox.juju("show-unit app/7").await;
    assert_eq!((refused.code, refused.stderr.as_str()), (1, "ERROR unit \"app/7\" not found\n"));
    sandbox.stop().await;
}

#[tokio::test]
async fn every_command_has_help() {
    let sandbox = sandbox();
    // A command may run on a task of its own.
    let sandbox = std::sync::Arc::new(sandbox);
    let shared = std::sync::Arc::clone(&sandbox);
    let overview = tokio::spawn(async move { shared.juju("help").await }).await.unwrap().stdout;
    let (commands, charms) = overview.split_once("\nCharms ").unwrap();
    assert!(charms.contains("  traefik-k8s ") && charms.contains("1/stable, 0/stable"), "{charms}");
    let names: Vec<&str> =
        commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(names.len() > 20, "{overview}");
    for name in names {
        let text = ok(&sandbox, &format!("help {name}")).await;
        assert!(text.starts_with(&format!("Usage: juju {name} [options] ")), "{text}");
        assert_eq!(ok(&sandbox, &format!("{name} --help")).await, text);
    }
    assert!(ok(&sandbox, "help relate").await.contains("Usage: juju integrate"));
    std::sync::Arc::into_inner(sandbox).unwrap().stop().await;
}

//! Hook commands: output, exit code and error text of each, through the real socket and program.

use super::support::{Charm, PROBE, ok, probe, sandbox};

const METADATA: &str = "requires: {db: {interface: sql}}\npeers: {peers: {interface: p}}\n\
                        resources: {data: {type: file}}\n";
const CONFIG: &str = "options:\n  name: {type: string, default: <a & b>, description: d}\n  \
                      port: {type: int, default: 9007199254740993, description: d}\n  \
                      ratio: {type: float, default: 2.0, description: d}\n  \
                      on: {type: boolean, default: true, description: d}\n  \
                      none: {type: string, description: d}\n";

// Each script with all that it prints; `=CODE` is its exit code if that is not 0.
const RULES: &[(&str, &str)] = &[
    // config-get
    ("config-get --format=json name", "\"\\u003ca \\u0026 b\\u003e\"\n"),
    ("config-get --format json port", "9007199254740992\n"),
    ("config-get --format=json ratio", "2\n"),
    ("config-get on; config-get none; config-get --format=json none", "True\nnull\n"),
    (
        "config-get --format=json",
        "{\"name\":\"\\u003ca \\u0026 b\\u003e\",\"on\":true,\"port\":9007199254740992,\"ratio\":2}\n",
    ),
    ("config-get --format=json -a | grep -c '\"none\":null'", "1\n"),
    ("config-get -a name", "ERROR cannot use argument --all together with key \"name\"\n=2\n"),
    ("config-get a b", "ERROR unrecognized args: [\"b\"]\n=2\n"),
    ("config-get --nope", "ERROR option provided but not defined: --nope\n=2\n"),
    (
        "config-get --format=xml name",
        "ERROR invalid value \"xml\" for option --format: unknown format \"xml\"\n=2\n",
    ),
    ("config-get -o file name; cat file", "<a & b>\n"),
    // relations
    (
        "relation-ids db; relation-ids --format=json peers; relation-ids --format=json x",
        "db:1\n[\"peers:0\"]\n[]\n",
    ),
    ("relation-ids", "ERROR no endpoint name specified\n=2\n"),
    (
        "relation-list -r db:1; relation-list -r 1 --app; relation-list -rdb:1 --format=json",
        "db/0\ndb\n[\"db/0\"]\n",
    ),
    ("relation-list -r db:9", "ERROR invalid value \"db:9\" for option -r: relation not found\n=2\n"),
    ("relation-list -r", "ERROR option needs an argument: -r\n=2\n"),
    (
        "relation-list --relation x",
        "ERROR invalid value \"x\" for option --relation: invalid relation id\n=2\n",
    ),
    ("relation-list", "ERROR no relation id specified\n=2\n"),
    ("relation-get -r db:1 --app --format=json - db", "{\"k\":\"v\"}\n"),
    ("relation-get -r db:1 --app --format=json nope db; relation-get -r db:1 --app nope db", "null\n"),
    ("relation-get -r db:1 --app k db/0", "v\n"),
    ("relation-get -r db:1", "ERROR no unit or application specified\n=2\n"),
    ("relation-get -r db:1 - other/0", "ERROR permission denied\n=1\n"),
    ("relation-get -r db:1 - db", "ERROR \"db\" is not a valid unit\n=1\n"),
    ("relation-set -r 1 a=1 b= c=x=y; relation-get -r 1 --format=json c app/0", "\"x=y\"\n"),
    ("relation-set -r 1 a", "ERROR expected \"key=value\", got \"a\"\n=2\n"),
    ("relation-set a=1", "ERROR no relation id specified\n=2\n"),
    (
        "echo '{\"a\": \"f\", \"b\": \"f\"}' | relation-set -r 1 --file - a=arg; relation-get -r 1 a app/0; relation-get -r 1 b app/0",
        "arg\nf\n",
    ),
    (
        "printf '{\"a\": \"\\\\ud83d\\\\ude00\"}' | relation-set -r 1 --file - 2>&1 | cut -c1-11",
        "ERROR yaml:\n",
    ),
    ("echo 'a: 1' > f; relation-set -r 1 --app --file f; relation-get -r 1 --app a app", "1\n"),
    ("relation-set -r 1 --file nope 2>&1 | grep -c 'no such file or directory'", "1\n"),
    ("relation-model-get -r 1 --format=json | cut -c1-9", "{\"uuid\":\"\n"),
    // unit
    ("is-leader; is-leader --format=json", "True\ntrue\n"),
    ("juju-log", "ERROR no message specified\n=2\n"),
    ("unit-get private-address | cut -d. -f1", "127\n"),
    ("unit-get nope", "ERROR unknown setting \"nope\"\n=2\n"),
    ("application-version-set 1.2", ""),
    ("resource-get nope", "ERROR could not download resource: resource \"nope\" not found\n=1\n"),
    ("credential-get", "ERROR cannot access cloud credentials: permission denied\n=1\n"),
    ("storage-list --format=json", "[]\n"),
    // state
    ("state-get --format=json", "null\n"),
    (
        "state-set a=1 b=; state-get --format=json; state-get a; state-get --format=json x",
        "{\"a\":\"1\",\"b\":\"\"}\n1\n\"\"\n",
    ),
    ("state-get --strict x", "ERROR \"x\" not found\n=1\n"),
    ("state-set a=1; state-delete a; state-get --format=json -", "{\"b\":\"\"}\n"),
    ("state-set $(printf 'k%.0s' $(seq 257))=v", "ERROR max allowed key length (256) exceeded\n=1\n"),
    (
        "{ printf 'a: '; head -c 65537 /dev/zero | tr '\\0' x; } | state-set --file -",
        "ERROR max allowed value length (65536) exceeded\n=1\n",
    ),
    // status
    (
        "status-set active 'all is well'; status-get; status-get --format=json",
        "active\n{\"status\":\"active\"}\n",
    ),
    (
        "status-get --include-data --format=json",
        "{\"message\":\"all is well\",\"status\":\"active\",\"status-data\":{}}\n",
    ),
    (
        "status-set --application waiting w; status-get --application --format=json",
        "{\"application-status\":{\"status\":\"waiting\",\"units\":{\"app/0\":{\"status\":\"active\"},\"app/1\":{\"status\":\"unknown\"}}}}\n",
    ),
    (
        "status-set bad",
        "ERROR invalid status \"bad\", expected one of [maintenance blocked waiting active]\n=2\n",
    ),
    ("status-set", "ERROR invalid args, require <status> [message]\n=2\n"),
    ("status-set active -- '-dash'; status-get --include-data | grep message", "message: -dash\n"),
    // ports and network
    ("open-port 80; open-port 90-91/udp; opened-ports --format=json", "[]\n"),
    ("opened-ports --format=json; close-port 80/tcp", "[\"80/tcp\",\"90-91/udp\"]\n"),
    ("open-port x/tcp 2>&1 | cut -d';' -f1", "ERROR invalid port \"x/tcp\"\n"),
    ("network-get db --bind-address | cut -d. -f1", "127\n"),
    ("network-get nope", "ERROR no network config found for binding \"nope\"\n=1\n"),
    ("network-get db --format=json | grep -c '\"ingress-addresses\":\\[\"127'", "1\n"),
    ("goal-state --format=json | grep -c '\"db/0\":{\"since\"'", "1\n"),
    // actions' commands outside an action
    ("action-get", "ERROR not running an action\n=1\n"),
    ("action-set a=1", "ERROR not running an action\n=1\n"),
    ("action-fail", "ERROR not running an action\n=1\n"),
    ("action-log x", "ERROR not running an action\n=1\n"),
];

#[tokio::test]
async fn commands_answer_as_jujus_do() {
    let charm = Charm::new("app", METADATA, PROBE);
    charm.file("config.yaml", CONFIG);
    let sandbox = sandbox();
    sandbox.add_stub_application("db", "sql", "sql").unwrap();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    ok(&sandbox, "integrate app db").await;
    let relation = sandbox.relation("app", "db").unwrap();
    sandbox.set_databag(relation, "db", &[("k", "v")]).await.unwrap();
    for (script, printed) in RULES {
        assert_eq!(probe(&sandbox, "app/0", script).await, *printed, "{script}");
    }
    assert_eq!(sandbox.model().applications["app"].workload_version, "1.2");
    assert_eq!(sandbox.databag(relation, "app/0")["c"], "x=y");
    // As a follower.
    for (script, printed) in [
        ("is-leader --format=json", "false\n"),
        ("relation-set -r 1 --app a=1", "ERROR cannot write relation settings\n=1\n"),
        ("relation-get -r 1 --app - app", "ERROR permission denied\n=1\n"),
        ("relation-get -r peers:0 --app --format=json - app", "{}\n"),
        ("relation-get -r peers:0 --format=json private-address app/0 | cut -c1-5", "\"127.\n"),
        ("status-set --application active", "ERROR this unit is not the leader\n=1\n"),
        ("status-get --application", "ERROR finding application status: this unit is not the leader\n=1\n"),
        ("secret-add a-key=v", "ERROR this unit is not the leader\n=1\n"),
    ] {
        assert_eq!(probe(&sandbox, "app/1", script).await, *printed, "{script}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn juju_log_reaches_the_log_with_level_and_relation() {
    let charm = Charm::new(
        "app",
        METADATA,
        "case $hook in install) juju-log -l DEBUG one two; juju-log -l odd three;;\n\
         peers-relation-created) juju-log four;; esac",
    );
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    let logged: Vec<String> = sandbox
        .log()
        .into_iter()
        .filter(|line| line.module == "unit.app/0.juju-log")
        .map(|line| format!("{} {}", line.level, line.text))
        .collect();
    assert_eq!(
        logged,
        [
            "DEBUG one two",
            "WARNING Specified log level of \"ODD\" is not valid",
            "INFO three",
            "INFO peers:0: four"
        ]
    );
    let last = ok(&sandbox, "debug-log --limit 1").await;
    assert!(
        last.starts_with("unit-app-0: ")
            && last.ends_with("ran \"start\" hook (via hook dispatching script: dispatch)\n"),
        "{last}"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn leadership_counts_at_the_call_and_at_the_commit() {
    let charm = Charm::new(
        "app",
        METADATA,
        "[ $hook != update-status ] || { relation-set -r peers:0 --app k=v; touch ready; while [ ! -e go ]; do sleep 0.01; done; }",
    );
    let sandbox = std::sync::Arc::new(sandbox());
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    let dir = sandbox.charm_dir("app/0").unwrap();
    let firing = tokio::spawn({
        let sandbox = std::sync::Arc::clone(&sandbox);
        async move { sandbox.fire("app/0", "update-status").await.unwrap() }
    });
    while !dir.join("ready").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let moving = tokio::spawn({
        let sandbox = std::sync::Arc::clone(&sandbox);
        async move { sandbox.set_leader("app/1").await.unwrap() }
    });
    while sandbox.model().applications["app"].leader != Some(1) {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    std::fs::write(dir.join("go"), "").unwrap();
    firing.await.unwrap();
    moving.await.unwrap();
    assert_eq!(sandbox.status("app/0").unwrap().status, "error", "the commit is refused");
    assert!(!sandbox.databag(0, "app").contains_key("k"));
    std::sync::Arc::into_inner(sandbox).unwrap().stop().await;
}

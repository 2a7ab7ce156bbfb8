//! Each hook command: the arguments and the input that reach Juju, and the value or error that comes back.

use std::collections::BTreeMap;
use std::io;

use kratos_operator::juju::{
    Agent, Bag, CommandOutput, Entity, Error, NewSecret, Port, RelationId, Scope, SecretRead, SecretRef,
    SecretUri, Status, StatusKind, UnitName,
};
use serde_json::json;

use super::recorder::Recorder;

const SECRET: &str = "secret:9m4e2mr0ui3e8a215n4g";

fn id(text: &str) -> RelationId {
    text.parse().unwrap()
}

fn unit(text: &str) -> UnitName {
    text.parse().unwrap()
}

fn secret() -> SecretUri {
    SECRET.parse().unwrap()
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Runs one method on an agent whose tool prints `$stdout`, checks the one command line, and gives the value.
macro_rules! ask {
    ($stdout:expr, $line:expr, |$agent:ident| $call:expr) => {{
        let (recorder, $agent) = Recorder::printing($stdout);
        let value = $call.await.unwrap();
        assert_eq!(recorder.lines(), [$line]);
        value
    }};
}

#[tokio::test]
async fn configuration_and_leadership() {
    let config = ask!("{\"dev\":true,\"n\":3}\n", "config-get --format=json", |agent| agent.config_get());
    assert_eq!(config, BTreeMap::from([("dev".to_owned(), json!(true)), ("n".to_owned(), json!(3))]));
    assert!(ask!("true\n", "is-leader --format=json", |agent| agent.is_leader()));
    assert!(!ask!("false\n", "is-leader --format=json", |agent| agent.is_leader()));
}

#[tokio::test]
async fn relations_and_their_members() {
    let ids = ask!("[\"db:10\",\"db:9\"]", "relation-ids --format=json db", |agent| agent.relation_ids("db"));
    assert_eq!(ids, [id("db:9"), id("db:10")]);
    let line = "relation-list --format=json -r db:7";
    let units = ask!("[\"pg/10\",\"pg/9\"]", line, |agent| agent.relation_units(&id("db:7")));
    assert_eq!(units, [unit("pg/9"), unit("pg/10")]);
    let line = "relation-list --format=json -r db:7 --app";
    assert_eq!(ask!("\"pg\"\n", line, |agent| agent.relation_app(&id("db:7"))).as_deref(), Some("pg"));
    assert_eq!(ask!("\"\"\n", line, |agent| agent.relation_app(&id("db:7"))), None);
}

#[tokio::test]
async fn databags_are_read() {
    let line = "relation-get --format=json -r db:7 --app - pg";
    let bag =
        ask!("{\"a\":\"\\u003c1\\u003e\"}", line, |agent| agent.relation_get(&id("db:7"), Entity::App("pg")));
    assert_eq!(bag, map(&[("a", "<1>")]));
    let line = "relation-get --format=json -r db:7 - pg/0";
    let bag = ask!("{}", line, |agent| agent.relation_get(&id("db:7"), Entity::Unit(&unit("pg/0"))));
    assert!(bag.is_empty());
}

#[tokio::test]
async fn databags_are_written_through_the_input() {
    let changes = BTreeMap::from([
        ("gone".to_owned(), None),
        ("new".to_owned(), Some("a=b \u{7f}😀".to_owned())),
        ("void".to_owned(), Some(String::new())),
    ]);
    for (bag, line) in
        [(Bag::App, "relation-set -r db:7 --app --file -"), (Bag::Unit, "relation-set -r db:7 --file -")]
    {
        let (recorder, agent) = Recorder::printing("");
        agent.relation_set(&id("db:7"), bag, &changes).await.unwrap();
        assert_eq!(recorder.lines(), [line]);
        let stdin = recorder.asked()[0].stdin.clone().unwrap();
        assert_eq!(stdin, "{\"gone\": \"\", \"new\": \"a=b \\u007f😀\", \"void\": \"\"}\n");
    }
    let (recorder, agent) = Recorder::printing("");
    agent.relation_set(&id("db:7"), Bag::Unit, &BTreeMap::new()).await.unwrap();
    assert!(recorder.lines().is_empty(), "nothing to write is no call");
}

#[tokio::test]
async fn status_is_read_and_set() {
    let reply = r#"{"message":"no database","status":"blocked","status-data":{}}"#;
    let line = "status-get --format=json --include-data";
    let status = ask!(reply, line, |agent| agent.status_get(Scope::Unit));
    assert_eq!(status, Status::new(StatusKind::Blocked, "no database"));
    let reply = r#"{"application-status":{"message":"","status":"active","status-data":{},"units":{}}}"#;
    let line = "status-get --format=json --include-data --application";
    let status = ask!(reply, line, |agent| agent.status_get(Scope::Application));
    assert_eq!(status, Status::new(StatusKind::Active, ""));
    let status = ask!("{\"status\":\"allocating\"}", "status-get --format=json --include-data", |agent| {
        agent.status_get(Scope::Unit)
    });
    assert_eq!(status, Status::new(StatusKind::Unknown, ""));

    let waiting = Status::new(StatusKind::Waiting, "-- for Pebble");
    ask!("", "status-set -- waiting -- for Pebble", |agent| agent.status_set(Scope::Unit, &waiting));
    let line = "status-set --application -- waiting -- for Pebble";
    ask!("", line, |agent| agent.status_set(Scope::Application, &waiting));
    let (recorder, agent) = Recorder::printing("");
    let error = agent.status_set(Scope::Unit, &Status::new(StatusKind::Error, "x")).await.unwrap_err();
    assert_eq!(error.kind(), "bad-arguments");
    assert!(recorder.lines().is_empty());
}

#[tokio::test]
async fn log_and_progress_survive_any_text() {
    ask!("", "juju-log --log-level WARNING -- -v", |agent| agent.juju_log(tracing::Level::WARN, "-v"));
    ask!("", "action-log -- --help", |agent| agent.action_log("--help"));
    ask!("", "action-fail -- a\u{fffd}b", |agent| agent.action_fail("a\0b"));
    let long = "😀".repeat(50_000);
    let (recorder, agent) = Recorder::printing("");
    agent.juju_log(tracing::Level::INFO, &long).await.unwrap();
    agent.action_log(&long).await.unwrap();
    agent.action_fail(&long).await.unwrap();
    agent.status_set(Scope::Unit, &Status::new(StatusKind::Active, long)).await.unwrap();
    for asked in recorder.asked() {
        let text = asked.args.last().unwrap();
        assert!(
            text.len() < 128 * 1024 && text.ends_with("😀 [cut: 200000 bytes in all]"),
            "{}",
            asked.args[0]
        );
    }
    assert_eq!(recorder.asked().len(), 4);
}

#[tokio::test]
async fn action_parameters_and_results() {
    let parameters = ask!("{\"timeout\":120}", "action-get --format=json", |agent| agent.action_get());
    assert_eq!(parameters, BTreeMap::from([("timeout".to_owned(), json!(120))]));
    let results = map(&[("database.pending", "0"), ("next", "juju run x --y=z\nthen"), ("a-b.c1", "")]);
    let line = "action-set -- a-b.c1= database.pending=0 next=juju run x --y=z\nthen";
    ask!("", line, |agent| agent.action_set(&results));
    let (recorder, agent) = Recorder::printing("");
    agent.action_set(&BTreeMap::new()).await.unwrap();
    assert!(recorder.lines().is_empty());
}

#[tokio::test]
async fn action_results_are_checked_before_the_call() {
    let (recorder, agent) = Recorder::printing("");
    let names = [
        "",
        "A",
        "a_b",
        "-a",
        "a-",
        "a..b",
        ".a",
        "a b",
        "stdout",
        "a.stderr",
        "a.stdout-encoding.b",
        "return-code",
    ];
    for name in names {
        let error = agent.action_set(&map(&[(name, "x")])).await.unwrap_err();
        assert_eq!(error.kind(), "bad-arguments", "{name}");
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    let error = agent.action_set(&map(&[("a", "1"), ("a-b", "2"), ("a.b.c", "3")])).await.unwrap_err();
    assert_eq!(error.kind(), "bad-arguments", "a value would be lost");
    assert_eq!(agent.action_set(&map(&[("a", "x\0y")])).await.unwrap_err().kind(), "bad-arguments");
    let error = agent.action_set(&map(&[("a", &"x".repeat(131_070))])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "action-set: the result \"a\" has 131072 bytes, at most 131071 are possible"
    );
    assert!(recorder.lines().is_empty());
    agent.action_set(&map(&[("a", &"x".repeat(131_069))])).await.unwrap();
    assert_eq!(recorder.lines().len(), 1);
}

#[tokio::test]
async fn secrets_are_made_without_their_content_in_the_arguments() {
    let (recorder, agent) = Recorder::printing("secret:9m4e2mr0ui3e8a215n4g\n");
    let content = map(&[("cookie", "hunter2\n")]);
    let new = NewSecret { owner: Scope::Unit, label: Some("cookies"), description: Some("for cookies") };
    assert_eq!(agent.secret_add(&content, new).await.unwrap(), secret());
    agent.secret_set(&secret(), &content).await.unwrap();
    let asked = recorder.asked();
    let start = "secret-add --owner unit --label cookies --description for cookies cookie#file=/";
    assert!(asked[0].line.starts_with(start), "{}", asked[0].line);
    assert!(asked[1].line.starts_with(&format!("secret-set {SECRET} cookie#file=/")), "{}", asked[1].line);
    for asked in asked {
        assert_eq!(asked.file.as_deref(), Some("hunter2\n"));
        assert!(!asked.line.contains("hunter2") && asked.stdin.is_none());
        let (_, path) = asked.args.last().unwrap().split_once('=').unwrap();
        assert!(!std::path::Path::new(path).exists(), "the file is removed");
    }
    let (recorder, agent) = Recorder::printing("");
    for bad in [map(&[]), map(&[("ab", "hunter2")]), map(&[("key#base64", "hunter2")])] {
        let error = agent.secret_set(&secret(), &bad).await.unwrap_err();
        assert_eq!(error.kind(), "bad-arguments");
        assert!(!error.to_string().contains("hunter2"));
    }
    assert!(recorder.lines().is_empty());
    assert_eq!(agent.secret_add(&content, new).await.unwrap_err().kind(), "unexpected-output");
}

#[tokio::test]
async fn secrets_are_read() {
    let uri = secret();
    let table = [
        (SecretRef::Uri(&uri), SecretRead::Peek, format!("secret-get --format=json {SECRET} --peek")),
        (
            SecretRef::Label("mine"),
            SecretRead::Refresh,
            "secret-get --format=json --label mine --refresh".to_owned(),
        ),
    ];
    for (reference, read, line) in table {
        let content = ask!("{\"password\":\"x\"}", line, |agent| agent.secret_get(reference, read));
        assert_eq!(content, map(&[("password", "x")]));
    }
    let reply = r#"{"9m4e2mr0ui3e8a215n4g":{"revision":2,"label":"mine","owner":"application","rotation":"never",
        "access":[{"target":"application-x","scope":"relation-x","role":"view"}]}}"#;
    let line = "secret-info-get --format=json --label mine";
    let info = ask!(reply, line, |agent| agent.secret_info_get(SecretRef::Label("mine")));
    assert_eq!((info.uri, info.revision, info.owner), (secret(), 2, Scope::Application));
    assert_eq!(info.label, "mine");
    let (_, agent) = Recorder::printing("null");
    let error = agent.secret_info_get(SecretRef::Uri(&uri)).await.unwrap_err();
    assert_eq!(error.kind(), "unexpected-output");
}

#[tokio::test]
async fn secrets_are_removed() {
    let uri = secret();
    let line = |rest: &str| format!("secret-{}", rest.replace("URI", SECRET));
    ask!("", line("remove URI"), |agent| agent.secret_remove(&uri, None));
    ask!("", line("remove URI --revision 3"), |agent| agent.secret_remove(&uri, Some(3)));
}

#[tokio::test]
async fn ports_version_resource_and_network() {
    ask!("", "open-port 4433/tcp", |agent| agent.open_port(&Port::tcp(4433)));
    let reply = "[\"4433/tcp\",\"53/udp\",\"80-90/tcp\",\"icmp\"]";
    let ports = ask!(reply, "opened-ports --format=json", |agent| agent.opened_ports());
    assert_eq!(ports.iter().map(ToString::to_string).collect::<Vec<_>>(), ["53/udp", "4433/tcp"]);
    ask!("", "application-version-set -- v1.3.1", |agent| agent.application_version_set("v1.3.1"));
    let path = ask!("/var/lib/juju/x y\n", "resource-get image", |agent| agent.resource_get("image"));
    assert_eq!(path.to_str(), Some("/var/lib/juju/x y"));
    let (_, agent) = Recorder::printing("\n");
    assert_eq!(agent.resource_get("image").await.unwrap_err().kind(), "unexpected-output");

    let reply = r#"{"bind-addresses":[{"mac-address":"","interface-name":"eth0","addresses":[
        {"hostname":"","value":"10.1.2.3","cidr":"10.1.0.0/16"}]}],
        "egress-subnets":["10.1.2.3/32"],"ingress-addresses":["kratos.dev.svc"]}"#;
    let line = "network-get --format=json db -r db:7";
    let network = ask!(reply, line, |agent| agent.network_get("db", Some(&id("db:7"))));
    assert_eq!(network.bind_addresses[0].interface_name, "eth0");
    assert_eq!(network.bind_addresses[0].addresses[0].value, "10.1.2.3");
    assert_eq!(network.ingress_addresses, ["kratos.dev.svc"]);
    assert_eq!(network.egress_subnets, ["10.1.2.3/32"]);
    ask!("{}", "network-get --format=json db", |agent| agent.network_get("db", None));
}

#[tokio::test]
async fn null_and_silence_are_empty() {
    for nothing in ["null\n", "", "\n"] {
        let agent = || Recorder::printing(nothing).1;
        assert!(agent().config_get().await.unwrap().is_empty());
        assert!(agent().relation_ids("db").await.unwrap().is_empty());
        assert!(agent().relation_units(&id("db:1")).await.unwrap().is_empty());
        assert!(agent().relation_get(&id("db:1"), Entity::App("pg")).await.unwrap().is_empty());
        assert!(agent().action_get().await.unwrap().is_empty());
        assert!(agent().opened_ports().await.unwrap().is_empty());
        assert!(!agent().is_leader().await.unwrap());
    }
}

#[tokio::test]
async fn output_of_another_shape_is_reported_without_its_content() {
    for stdout in [
        "{\"password\":{\"x\":\"hunter2\"}}",
        "[\"hunter2\"]",
        "\"hunter2\"",
        "{\"p\":\"hunter2\"",
        "hunter2",
    ] {
        let (_, agent) = Recorder::printing(stdout);
        let error = agent.secret_get(SecretRef::Label("mine"), SecretRead::Refresh).await.unwrap_err();
        assert_eq!(error.kind(), "unexpected-output");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
    let (_, agent) = Recorder::printing("[\"nonsense\"]");
    let error = agent.relation_ids("db").await.unwrap_err();
    assert!(error.to_string().contains("\"nonsense\""), "{error}");
}

#[tokio::test]
async fn failures_carry_their_kind_and_text() {
    let (_, agent) = Recorder::failing(2, "ERROR invalid value \"db:9\" for option -r: relation not found\n");
    let error = agent.relation_get(&id("db:9"), Entity::App("pg")).await.unwrap_err();
    assert!(matches!(error, Error::RelationNotFound { command: "relation-get", .. }), "{error:?}");
    let (_, agent) = Recorder::failing(1, "ERROR consumer label \"mine\" not found\n");
    let error = agent.secret_get(SecretRef::Label("mine"), SecretRead::Refresh).await.unwrap_err();
    assert_eq!(error.to_string(), "secret-get: consumer label \"mine\" not found");
    assert_eq!(error.kind(), "secret-not-found");

    for (kind, expected) in [
        (io::ErrorKind::NotFound, "agent-unavailable"),
        (io::ErrorKind::ArgumentListTooLong, "bad-arguments"),
    ] {
        let (_, agent) = Recorder::answering(Err(kind.into()));
        assert_eq!(agent.is_leader().await.unwrap_err().kind(), expected);
    }
}

#[tokio::test]
async fn an_argument_that_no_program_can_be_given_is_refused() {
    let (recorder, agent) = Recorder::answering(Ok(CommandOutput::default()));
    assert_eq!(agent.resource_get("a\0b").await.unwrap_err().kind(), "bad-arguments");
    assert_eq!(agent.resource_get(&"a".repeat(200_000)).await.unwrap_err().kind(), "too-large");
    let key = BTreeMap::from([("k".repeat(1025), None)]);
    assert_eq!(agent.relation_set(&id("db:1"), Bag::Unit, &key).await.unwrap_err().kind(), "too-large");
    let key = BTreeMap::from([(String::new(), None)]);
    assert_eq!(agent.relation_set(&id("db:1"), Bag::Unit, &key).await.unwrap_err().kind(), "bad-arguments");
    assert!(recorder.lines().is_empty());
}

#[test]
fn the_agent_and_its_futures_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let (_, agent) = Recorder::printing("");
    moves(agent.clone());
    let content = map(&[("key", "value")]);
    moves(Agent::secret_set(&agent, &secret(), &content));
}

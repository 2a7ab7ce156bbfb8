//! `hook-command`, run through the links that a charm finds on its PATH.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use sandbox::agent::{COMMANDS, Request, STDIN_NEEDED, tools_dir};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Agent, CONTEXT, request};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hook-command");

/// Runs `program` in `/` with an environment of its own and `input` as standard input.
async fn run(program: &Path, args: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(args)
        .current_dir("/")
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input may be gone already.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    child.wait_with_output().await.unwrap()
}

fn texts(output: &Output) -> (Option<i32>, &str, &str) {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn every_command_has_a_link_and_hands_its_words_over() {
    let agent = Agent::start();
    let dir = tempfile::tempdir().unwrap();
    let tools = dir.path().join("tools");
    tools_dir(&tools, Path::new(PROGRAM)).unwrap();
    tools_dir(&tools, Path::new(PROGRAM)).unwrap();
    assert_eq!(fs::read_dir(&tools).unwrap().count(), COMMANDS.len());

    let socket = agent.socket.to_str().unwrap();
    let environment = [("JUJU_CONTEXT_ID", CONTEXT), ("JUJU_AGENT_SOCKET_ADDRESS", socket)];
    let output =
        run(&tools.join("config-get"), &["--format=json", "log-level"], &environment, "unread").await;
    assert_eq!(texts(&output), (Some(0), "\"info\"\n", ""));
    let set = ["-r", "db:1", "--file", "-"];
    let output = run(&tools.join("relation-set"), &set, &environment, "{\"a\":\"b\"}\n").await;
    assert_eq!(texts(&output), (Some(0), "", ""));
    let seen = agent.commands.seen.lock().unwrap().clone();
    let asked_twice = request("relation-set", &set);
    let answered = Request { stdin: Some(b"{\"a\":\"b\"}\n".to_vec()), ..asked_twice.clone() };
    assert_eq!(seen, [request("config-get", &["--format=json", "log-level"]), asked_twice, answered]);
}

#[tokio::test]
async fn codes_errors_and_a_missing_agent_reach_the_caller() {
    let agent = Agent::start();
    let socket = agent.socket.to_str().unwrap().to_owned();
    let context = ("JUJU_CONTEXT_ID", CONTEXT);
    let address = ("JUJU_AGENT_SOCKET_ADDRESS", socket.as_str());
    let nowhere = ("JUJU_AGENT_SOCKET_ADDRESS", "/nowhere/agent.socket");
    let no_agent =
        "ERROR cannot reach the agent at /nowhere/agent.socket: No such file or directory (os error 2)\n";
    for (args, environment, expected) in [
        (&["code", "255"][..], vec![context, address], (Some(255), "", "")),
        (&["fail"], vec![context, address], (Some(1), "", "ERROR permission denied\n")),
        (&["dance"], vec![context, address], (Some(1), "", "ERROR bad request: unknown command: dance\n")),
        (
            &["noop"],
            vec![("JUJU_CONTEXT_ID", "old"), address],
            (Some(1), "", "ERROR bad request: wrong context ID; got \"old\"\n"),
        ),
        (&["noop"], vec![address], (Some(1), "", "ERROR JUJU_CONTEXT_ID not set\n")),
        (&["noop"], vec![context], (Some(1), "", "ERROR JUJU_AGENT_SOCKET_ADDRESS not set\n")),
        (&["noop"], vec![context, nowhere], (Some(1), "", no_agent)),
        (&[], vec![context, address], (Some(1), "", "ERROR usage: hook-command NAME [ARGUMENT...]\n")),
    ] {
        let output = run(Path::new(PROGRAM), args, &environment, "").await;
        assert_eq!(texts(&output), expected, "{args:?}");
        assert!(!texts(&output).2.contains(STDIN_NEEDED));
    }
}

#[test]
fn links_to_a_missing_program_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = tools_dir(dir.path(), Path::new("/nowhere/hook-command")).unwrap_err();
    assert_eq!(error.kind(), "tools");
    assert!(error.to_string().contains("/nowhere/hook-command"), "{error}");
}

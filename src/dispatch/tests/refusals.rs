//! What a dispatch does when Juju refuses a hook command.

use std::io;
use std::sync::{Arc, Mutex};

use crate::charm::apply::apply;
use crate::charm::desired::desired;
use crate::charm::observed::StoredSecret;
use crate::charm::situation::{Parsed, Situation};
use crate::charm::status::status;
use crate::charm::tests::ready;
use crate::dispatch::dispatch;
use crate::juju::transport::Call;
use crate::juju::{self, Agent, CommandOutput, Context, Environment, Transport};
use crate::kratos::Place;

/// A model with nothing in it, whose agent refuses one command or cannot be reached for it.
struct Refusing {
    command: &'static str,
    is_reached: bool,
    lines: Mutex<Vec<String>>,
}

impl Transport for Refusing {
    fn call<'a>(&'a self, command: &'a str, args: &'a [&'a str], _: Option<&'a [u8]>) -> Call<'a> {
        self.lines.lock().unwrap().push([&[command], args].concat().join(" "));
        let answer = match (command == self.command, self.is_reached) {
            (false, _) => Ok(CommandOutput::default()),
            (true, true) => {
                Ok(CommandOutput { code: 1, stderr: b"ERROR bad luck".to_vec(), ..CommandOutput::default() })
            }
            (true, false) => Err(io::ErrorKind::NotFound.into()),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// What a dispatch ended with, and all it asked of the agent.
async fn run(path: &str, command: &'static str, is_reached: bool) -> (juju::Result<()>, Vec<String>) {
    let environment = Environment::from([
        ("JUJU_DISPATCH_PATH", path),
        ("JUJU_UNIT_NAME", "kratos/0"),
        ("JUJU_MODEL_NAME", "idp"),
        ("JUJU_ACTION_UUID", "4"),
        ("PEBBLE_SOCKET", "/nowhere/pebble.socket"),
    ]);
    let context = Context::from_environment(&environment).unwrap();
    let transport = Arc::new(Refusing { command, is_reached, lines: Mutex::default() });
    let agent = Agent::with_transport(transport.clone());
    let result = dispatch(&agent, context, Place::from_environment(&environment), None).await;
    let lines = transport.lines.lock().unwrap().clone();
    (result, lines)
}

#[tokio::test]
async fn a_read_that_only_saves_a_write_fails_no_hook() {
    for (command, again) in [("status-get", "status-set -- blocked"), ("opened-ports", "open-port 4433/tcp")]
    {
        let (result, lines) = run("hooks/config-changed", command, true).await;
        result.unwrap();
        assert!(lines.iter().any(|line| line.starts_with(again)), "{command}: {lines:?}");
        assert!(run("hooks/config-changed", command, false).await.0.unwrap_err().is_unavailable());
    }
    for command in ["config-get", "relation-ids", "is-leader"] {
        let (result, lines) = run("hooks/config-changed", command, true).await;
        assert!(result.is_err(), "{command} is what everything depends on");
        assert!(!lines.iter().any(|line| line.starts_with("open-port")), "{command}: {lines:?}");
    }
}

#[tokio::test]
async fn nothing_starts_with_a_secret_that_juju_does_not_keep() {
    let mut observed = ready();
    observed.cookie_secret = StoredSecret::Absent;
    let transport = Arc::new(Refusing { command: "secret-add", is_reached: true, lines: Mutex::default() });
    let agent = Agent::with_transport(transport.clone());
    let pebble = crate::pebble::Client::new("/nowhere/pebble.socket");
    let situation = Situation::new(&observed, Parsed::new(&observed));
    let applied = apply(&agent, &pebble, None, &situation, &desired(&situation)).await.unwrap();
    // The services were not even tried: there is no Pebble behind this socket.
    assert!(applied.failure.is_none(), "{applied:?}");
    let status = status(&situation, &applied);
    let text = "Waiting for secret creation: secret-add failed with exit code 1: bad luck";
    assert_eq!(status, crate::juju::Status::new(crate::juju::StatusKind::Waiting, text));
    let added = transport.lines.lock().unwrap().iter().filter(|line| line.starts_with("secret-add")).count();
    assert_eq!(added, 1);
}

#[tokio::test]
async fn an_action_in_which_a_command_is_refused_fails_as_an_action() {
    for (action, command) in [
        ("run-migration", "action-get"),
        ("rotate-secrets", "action-get"),
        ("get-identity", "action-get"),
        ("show-migrations", "action-set"),
        ("run-migration", "config-get"),
        ("run-migration", "relation-ids"),
    ] {
        let (result, lines) = run(&format!("actions/{action}"), command, true).await;
        result.unwrap();
        let told: Vec<_> = lines.iter().filter(|line| line.starts_with("action-fail")).collect();
        let text =
            format!("{command} failed with exit code 1: bad luck; see: juju debug-log --include kratos/0");
        assert_eq!(told, [&format!("action-fail -- {text}")], "{action}");
        let is_reconciled = lines.iter().any(|line| line.starts_with("status-set"));
        assert_eq!(is_reconciled, command.starts_with("action-"), "{action}, {command}: {lines:?}");
        let (result, _) = run(&format!("actions/{action}"), command, false).await;
        assert!(result.unwrap_err().is_unavailable(), "{action}, {command}");
    }
    let (result, _) = run("actions/run-migration", "action-fail", true).await;
    result.unwrap();
}

//! A unit's life: which events run, in which order, and what becomes of a failed one.

use sandbox::{KillAtCall, Moment};

use super::support::{Charm, ok, sandbox};

const PEERS: &str = "peers: {peers: {interface: p}}\n";

#[tokio::test]
async fn a_unit_starts_in_jujus_order() {
    let charm = Charm::new("app", PEERS, "true");
    let sandbox = sandbox();
    assert_eq!(ok(&sandbox, &format!("deploy {}", charm.path())).await, "");
    let started = ["install", "peers-relation-created", "leader-elected", "config-changed", "start"];
    assert_eq!(sandbox.hooks("app/0"), started);
    assert_eq!(sandbox.status("app/0").unwrap().status, "unknown");
    ok(&sandbox, "scale-application app 2").await;
    let mut second: Vec<&str> = started.into_iter().filter(|hook| *hook != "leader-elected").collect();
    second.extend(["peers-relation-joined", "peers-relation-changed"]);
    assert_eq!(sandbox.hooks("app/1"), second);
    assert_eq!(sandbox.hooks("app/0")[5..], ["peers-relation-joined", "peers-relation-changed"]);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_unit_that_goes_leaves_its_relations_first() {
    let charm = Charm::new("app", PEERS, "echo \"$hook ${JUJU_DEPARTING_UNIT:-}\"");
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    let before = (sandbox.hooks("app/0").len(), sandbox.hooks("app/1").len());
    ok(&sandbox, "scale-application app 1").await;
    assert_eq!(
        sandbox.hooks("app/1")[before.1..],
        ["peers-relation-departed", "peers-relation-broken", "stop", "remove"]
    );
    assert_eq!(sandbox.hooks("app/0")[before.0..], ["peers-relation-departed"]);
    let departing =
        sandbox.log().into_iter().filter(|line| line.text == "peers-relation-departed app/1").count();
    assert_eq!(departing, 2, "both sides are told who departs");
    assert!(sandbox.model().unit("app/1").is_err());
    // A StatefulSet gives the number out again.
    ok(&sandbox, "scale-application app 2").await;
    assert!(sandbox.model().unit("app/1").is_ok());
    ok(&sandbox, "remove-application app --no-prompt").await;
    assert!(sandbox.model().applications.is_empty());
    sandbox.stop().await;
}

#[tokio::test]
async fn a_failed_hook_stays_in_front_and_loses_its_writes() {
    let charm = Charm::new(
        "app",
        "",
        "if [ $hook = config-changed ]; then state-set k=v; status-set blocked kept; [ -e \"$CHARM_DIR/fixed\" ]; fi",
    );
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    assert_eq!(sandbox.hooks("app/0"), ["install", "leader-elected"]);
    let status = sandbox.status("app/0").unwrap();
    assert_eq!(
        (status.status.as_str(), status.message.as_str()),
        ("error", "hook failed: \"config-changed\"")
    );
    let model = sandbox.model();
    assert!(model.unit("app/0").unwrap().state.is_empty(), "buffered writes are lost");
    assert_eq!(model.unit("app/0").unwrap().status.message, "kept", "status-set is immediate");
    let refused = sandbox.juju("resolve app/1").await;
    assert_eq!((refused.code, refused.stderr.as_str()), (1, "ERROR unit \"app/1\" not found\n"));
    std::fs::write(sandbox.charm_dir("app/0").unwrap().join("fixed"), "").unwrap();
    ok(&sandbox, "resolve app/0").await;
    assert_eq!(sandbox.hooks("app/0")[2..], ["config-changed", "start"]);
    assert_eq!(sandbox.model().unit("app/0").unwrap().state["k"], "v");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_failed_hook_runs_again_by_itself_a_few_times_or_is_given_up() {
    let charm = Charm::new("app", "", "[ $hook != start ]");
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    for _ in 0..9 {
        sandbox.settle().await;
    }
    assert_eq!(sandbox.model().unit("app/0").unwrap().failures, 6, "once and five times again");
    ok(&sandbox, "resolved app/0 --no-retry").await;
    assert!(sandbox.model().unit("app/0").unwrap().started);
    sandbox.stop().await;
}

#[tokio::test]
async fn the_environment_is_jujus_and_nothing_else() {
    let charm = Charm::new(
        "app",
        PEERS,
        "[ $hook != peers-relation-created ] || env | sort > \"$CHARM_DIR/env\"; pwd",
    );
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    let dir = sandbox.charm_dir("app/0").unwrap();
    let env = std::fs::read_to_string(dir.join("env")).unwrap();
    let names: Vec<&str> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    for absent in
        ["HOME", "USER", "TMPDIR", "CARGO", "PEBBLE_SOCKET", "JUJU_DEPARTING_UNIT", "JUJU_ACTION_NAME"]
    {
        assert!(!names.contains(&absent), "{absent} in {env}");
    }
    let dir = dir.display().to_string();
    for present in [
        "JUJU_HOOK_NAME=peers-relation-created",
        "JUJU_DISPATCH_PATH=hooks/peers-relation-created",
        "JUJU_RELATION=peers",
        "JUJU_RELATION_ID=peers:0",
        "JUJU_REMOTE_APP=app",
        "JUJU_REMOTE_UNIT=",
        "JUJU_UNIT_NAME=app/0",
        "JUJU_MACHINE_ID=",
        "JUJU_AGENT_SOCKET_NETWORK=unix",
        &format!("JUJU_CHARM_DIR={dir}"),
    ] {
        assert!(env.lines().any(|line| line == present), "{present} not in {env}");
    }
    assert!(sandbox.log().iter().any(|line| line.level == "DEBUG" && line.text == dir), "cwd is the charm");
    sandbox.stop().await;
}

#[tokio::test]
async fn refresh_rolls_from_the_highest_unit_and_keeps_state() {
    let script =
        "[ $hook != start ] || state-set \"$(cat version)=1\"; echo \"$JUJU_UNIT_NAME $hook $(cat version)\"";
    let charm = Charm::new("app", "", script);
    charm.file("version", "one");
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    std::fs::write(sandbox.charm_dir("app/0").unwrap().join("scratch"), "").unwrap();
    let before = sandbox.log().len();
    charm.file("version", "two");
    ok(&sandbox, &format!("refresh app --path {}", charm.path())).await;
    let log = sandbox.log();
    let ran = log[before..].iter().filter(|line| line.level == "DEBUG").map(|line| line.text.as_str());
    let mut expected = Vec::new();
    for unit in ["app/1", "app/0"] {
        expected.push(format!("{unit} stop one"));
        expected
            .extend(["upgrade-charm", "config-changed", "start"].map(|hook| format!("{unit} {hook} two")));
    }
    assert_eq!(ran.collect::<Vec<_>>(), expected);
    let state = sandbox.model().unit("app/0").unwrap().state.clone();
    assert_eq!(state.into_keys().collect::<Vec<_>>(), ["one", "two"]);
    assert!(!sandbox.charm_dir("app/0").unwrap().join("scratch").exists(), "the charm's directory is new");
    sandbox.stop().await;
}

#[tokio::test]
async fn leadership_moves_and_the_new_leader_is_told() {
    let charm = Charm::new("app", "", "echo \"$hook $(is-leader)\"");
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    sandbox.set_leader("app/1").await.unwrap();
    assert_eq!(sandbox.hooks("app/1").last().unwrap(), "leader-elected");
    sandbox.fire("app/0", "update-status").await.unwrap();
    let said = |text: &str| sandbox.log().iter().filter(|line| line.text == text).count();
    assert_eq!((said("leader-elected True"), said("update-status False")), (2, 1));
    sandbox.set_leader("app/0").await.unwrap();
    assert_eq!(said("leader-elected True"), 3, "a unit that leads again is told again");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_kill_strikes_before_or_after_the_command() {
    for (moment, kept) in [(Moment::Before, "one"), (Moment::After, "two")] {
        let script = "[ $hook != update-status ] || { status-set active one; status-set active two; }";
        let charm = Charm::new("app", "", script);
        let sandbox = sandbox();
        ok(&sandbox, &format!("deploy {}", charm.path())).await;
        sandbox.inject(KillAtCall { unit: Some("app/0".into()), n: 2, moment });
        sandbox.fire("app/0", "update-status").await.unwrap();
        assert!(!sandbox.disarm(), "it struck");
        let unit = sandbox.model().unit("app/0").unwrap().clone();
        assert_eq!((unit.status.message.as_str(), unit.error.is_some()), (kept, true), "{moment:?}");
        let last = sandbox.trace().pop().unwrap();
        assert_eq!((last.command.as_str(), last.args[1].as_str(), last.write), ("status-set", "two", true));
        assert_eq!(last.code, (moment == Moment::After).then_some(0));
        assert!(sandbox.log().iter().any(|line| line.text.ends_with("failed: signal: killed")));
        sandbox.settle().await;
        assert_eq!(sandbox.status("app/0").unwrap().message, "two", "the same hook runs again");
        sandbox.stop().await;
    }
}

#[tokio::test]
async fn a_child_that_outlives_a_killed_charm_neither_counts_nor_holds_the_next_run_up() {
    // The child waits until the next run has its socket open, then calls with its own, finished context.
    let script = "[ $hook = update-status ] || exit 0\n\
                  if [ -e again ]; then touch open; while [ ! -e called ]; do sleep 0.01; done; is-leader; exit 0; fi\n\
                  touch again\n\
                  ( while [ ! -e open ]; do sleep 0.01; done; is-leader > said 2>&1 || touch called ) &\n\
                  is-leader";
    let charm = Charm::new("app", "", script);
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    sandbox.inject(KillAtCall { unit: None, n: 1, moment: Moment::Before });
    sandbox.fire("app/0", "update-status").await.unwrap();
    sandbox.inject(KillAtCall { unit: None, n: 2, moment: Moment::Before });
    sandbox.settle().await;
    assert!(sandbox.status("app/0").unwrap().status != "error", "only the run's own call counted");
    assert!(sandbox.disarm());
    let said = std::fs::read_to_string(sandbox.charm_dir("app/0").unwrap().join("said")).unwrap();
    assert!(said.starts_with("ERROR bad request: wrong context ID; got \"app/0-update-status-"), "{said}");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_sandbox_leaves_nothing_behind() {
    let charm = Charm::new("app", "", "[ $hook != start ] || { sleep 1000 & echo $! > pid; }");
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    let dir = sandbox.charm_dir("app/0").unwrap();
    let pid = std::fs::read_to_string(dir.join("pid")).unwrap();
    sandbox.stop().await;
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(" Z "), "{stat}");
    assert!(!dir.exists());
}

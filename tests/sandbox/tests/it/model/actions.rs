//! Actions: parameters, results, failure, exit codes, waiting, cancelling.

use std::time::Duration;

use sandbox::Sandbox;

use super::support::{Charm, ok, sandbox};

const ACTIONS: &str = "\
work:
  description: d
  params:
    name: {type: string, description: d}
    count: {type: integer, default: 3, minimum: 1, description: d}
    mode: {type: string, enum: [fast, slow], description: d}
  required: [name]
wait: {description: d}
";

fn charm(work: &str) -> Charm {
    let script = format!(
        "case $hook in\n\"action work\") {work};;\n\"action wait\") touch started; exec sleep 1000;;\nesac"
    );
    let charm = Charm::new("app", "", &script);
    charm.file("actions.yaml", ACTIONS);
    charm
}

async fn deployed(work: &str) -> Sandbox {
    let charm = charm(work);
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    sandbox
}

#[tokio::test]
async fn results_are_printed_as_juju_prints_them() {
    let sandbox = deployed(
        "action-log step $(action-get count); action-set name=$(action-get name) a.b=1 a.c=2 a.b=3; state-set k=v; echo printed; echo aside >&2",
    )
    .await;
    let out = sandbox.juju("run app/leader work name=joe").await;
    assert_eq!(out.code, 0);
    assert_eq!(out.stdout, "a:\n  b: \"3\"\n  c: \"2\"\nname: joe\n\nprinted\naside\n");
    let clock = |text: &str| {
        text.split_once(' ').filter(|(clock, _)| clock.len() == 8).map(|(_, rest)| rest.to_owned())
    };
    let progress: Vec<String> = out
        .stderr
        .lines()
        .map(|line| clock(line).filter(|_| line.contains(':')).unwrap_or(line.into()))
        .collect();
    assert_eq!(
        progress,
        [
            "Running operation 1 with 1 task",
            "  - task 2 on unit-app-0",
            "",
            "Waiting for task 2...",
            "",
            "step 3",
            ""
        ]
    );
    assert_eq!(sandbox.model().unit("app/0").unwrap().state["k"], "v");
    let yaml = ok(&sandbox, "run app/1 work name=x --format yaml").await;
    for part in [
        "app/1:\n  id: \"4\"\n  log:\n  - ",
        "  results:\n    a:\n      b: \"3\"",
        "    return-code: 0\n",
        "  status: completed\n  timing:\n    completed: ",
    ] {
        assert!(yaml.contains(part), "{part} in {yaml}");
    }
    assert_eq!(ok(&sandbox, "show-task 2").await, out.stdout);
    let operation = ok(&sandbox, "show-operation 1").await;
    assert!(
        operation.contains("summary: work run on unit-app-0\n") && operation.contains("status: completed\n"),
        "{operation}"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn parameters_are_checked_before_anything_runs() {
    let sandbox = deployed("true").await;
    for (line, code, text) in [
        (
            "run app/0 work",
            1,
            "validation failed: (root) : \"name\" property is missing and required, given {",
        ),
        ("run app/0 work name=5", 1, "validation failed: (root).name : must be of type string, given 5"),
        ("run app/0 work name=a count=0", 1, "(root).count : must be greater than or equal to 1, given 0"),
        (
            "run app/0 work name=a mode=odd",
            1,
            "(root).mode : must match one of the enum values [\"fast\", \"slow\"]",
        ),
        ("run app/0 work name=a other=1", 1, "additional property \"other\" is not allowed"),
        ("run app/0 nope", 1, "action \"nope\" not defined on unit \"app/0\""),
        ("run app/9 work name=a", 1, "unit \"app/9\" not found"),
        ("run work", 2, "no unit specified"),
        ("run app/0", 2, "no action specified"),
        ("run app/0 work name", 2, "must be of the form key.key.key...=value"),
        ("run app/0 work name=a --wait=x", 2, "invalid value \"x\" for option --wait"),
        ("show-task 77", 1, "task \"77\" not found"),
    ] {
        let out = sandbox.juju(line).await;
        assert_eq!(out.code, code, "{line}: {}", out.stderr);
        assert!(out.stderr.contains(text), "{line}: {}", out.stderr);
    }
    assert!(sandbox.model().tasks.is_empty());
    ok(&sandbox, "run app/0 work name=5 --string-args").await;
    sandbox.stop().await;
}

#[tokio::test]
async fn a_failed_action_keeps_its_text_only_if_it_exits_with_0() {
    let sandbox =
        deployed("action-set a=1; state-set k=v; action-fail 'no good'; exit $(action-get name)").await;
    let out = sandbox.juju("run app/0 work name='\"0\"'").await;
    assert_eq!(
        (out.code, out.stdout.as_str()),
        (0, "Action id 2 failed: no good\na: \"1\"\n\n"),
        "juju run stays at 0"
    );
    assert_eq!(sandbox.model().unit("app/0").unwrap().state["k"], "v", "its writes are committed");
    let out = sandbox.juju("run app/1 work name='\"3\"'").await;
    assert_eq!((out.code, out.stdout.as_str()), (1, "Action id 4 failed: exit status 3\na: \"1\"\n\n"));
    assert!(out.stderr.ends_with(
        "ERROR the following task failed:\n - id \"4\" with return code 3\n\nuse 'juju show-task' to inspect the failure\n\n"
    ), "{}", out.stderr);
    assert!(sandbox.model().unit("app/1").unwrap().state.is_empty(), "its writes are lost");
    assert!(sandbox.model().unit("app/1").unwrap().error.is_none(), "an action puts no unit into error");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_running_action_holds_its_own_unit_only_and_is_killed_by_cancel() {
    let sandbox = deployed("true").await;
    let out = sandbox.juju("run app/0 wait --background").await;
    assert_eq!(out.code, 0);
    assert!(out.stderr.contains("Check task status with 'juju show-task 2'"), "{}", out.stderr);
    let queued = sandbox.juju("run app/0 work name=a --background").await;
    assert_eq!(queued.code, 0);
    let started = sandbox.charm_dir("app/0").unwrap().join("started");
    while !started.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = [sandbox.hooks("app/0").len(), sandbox.hooks("app/1").len()];
    ok(&sandbox, "trust app").await;
    assert_eq!(sandbox.hooks("app/1")[before[1]..], ["config-changed"]);
    assert_eq!(sandbox.hooks("app/0").len(), before[0], "one after another");
    assert!(ok(&sandbox, "status").await.contains("executing"));
    let late = sandbox.juju("show-task 2 --wait 20ms").await;
    assert_eq!((late.code, late.stderr.as_str()), (1, "ERROR maximum wait time reached\n"));
    assert_eq!(ok(&sandbox, "show-task 4").await, "Task 4 pending\n\n");
    let timed_out = sandbox.juju("run app/0 work name=b --wait 20ms").await;
    assert!(
        timed_out.stderr.ends_with("ERROR timed out waiting for results from: unit app/0\n"),
        "{}",
        timed_out.stderr
    );
    ok(&sandbox, "cancel-task 4").await;
    ok(&sandbox, "cancel-task 2").await;
    let yaml = ok(&sandbox, "show-task 2 --format yaml").await;
    assert!(yaml.contains("message: terminated\n") && yaml.contains("status: aborted\n"), "{yaml}");
    assert!(ok(&sandbox, "show-task 4 --format yaml").await.contains("status: cancelled\n"));
    ok(&sandbox, "show-task 6 --watch").await;
    sandbox.settle().await;
    assert_eq!(sandbox.hooks("app/0")[before[0]..], ["config-changed"], "its unit goes on");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_action_runs_while_its_unit_is_in_error() {
    let charm = charm("action-set a=1");
    let script = std::fs::read_to_string(format!("{}/dispatch", charm.path())).unwrap();
    charm.file("dispatch", &script.replace("case $hook in", "[ \"$hook\" != start ]\ncase $hook in"));
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    assert_eq!(sandbox.status("app/0").unwrap().status, "error");
    assert_eq!(ok(&sandbox, "run app/0 work name=a").await, "a: \"1\"\n\n");
    assert_eq!(sandbox.status("app/0").unwrap().status, "error");
    sandbox.stop().await;
}

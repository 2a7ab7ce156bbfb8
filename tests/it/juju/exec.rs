//! The real transport over scripts that stand for Juju's tools.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use kratos_operator::juju::transport::DEADLINE;
use kratos_operator::juju::{Agent, Bag, ExecTransport, NewSecret, Scope};
use sandbox::programs;

fn tool(directory: &Path, name: &str, script: &str) {
    let script = format!("#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 99\n{script}\n");
    programs::write(&directory.join(name), &script).unwrap();
}

fn agent(directory: &Path) -> Agent {
    Agent::with_transport(Arc::new(ExecTransport::new(directory.as_os_str(), DEADLINE)))
}

#[tokio::test]
async fn secret_content_goes_through_a_private_file_that_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let record = r#"
        for arg; do printf '%s\n' "$arg"; done > args
        : > mode
        for arg; do case "$arg" in *#file=*)
            stat -c %a "${arg#*=}" >> mode
            printf '%s' "${arg#*=}" > "path-${arg%%#*}"
            cat "${arg#*=}" > "content-${arg%%#*}";;
        esac; done
        echo secret:9m4e2mr0ui3e8a215n4g"#;
    tool(directory.path(), "secret-add", record);
    tool(directory.path(), "secret-set", record);
    let agent = agent(directory.path());
    let content = BTreeMap::from([
        ("password".to_owned(), "hunter2 😀\n\u{85}".to_owned()),
        ("username".to_owned(), "hunter3".to_owned()),
    ]);
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    let check = || {
        assert!(!read("args").contains("hunter"), "{}", read("args"));
        assert_eq!(read("mode"), "600\n600\n");
        for (key, value) in &content {
            assert_eq!(&read(&format!("content-{key}")), value);
            let path = read(&format!("path-{key}"));
            assert!(Path::new(&path).is_absolute() && !Path::new(&path).exists());
        }
    };
    let files =
        || format!("password#file={}\nusername#file={}\n", read("path-password"), read("path-username"));

    let new = NewSecret { owner: Scope::Application, label: Some("cookies"), description: None };
    let uri = agent.secret_add(&content, new).await.unwrap();
    assert_eq!(uri.id(), "9m4e2mr0ui3e8a215n4g");
    assert_eq!(read("args"), format!("--owner\napplication\n--label\ncookies\n{}", files()));
    check();

    agent.secret_set(&uri, &content).await.unwrap();
    assert_eq!(read("args"), format!("secret:9m4e2mr0ui3e8a215n4g\n{}", files()));
    check();

    tool(
        directory.path(),
        "secret-set",
        &format!("{record}\necho 'ERROR this unit is not the leader' >&2; exit 1"),
    );
    assert_eq!(agent.secret_set(&uri, &content).await.unwrap_err().kind(), "not-leader");
    check();
}

#[tokio::test]
async fn input_and_output_larger_than_a_pipe_pass() {
    let directory = tempfile::tempdir().unwrap();
    // Writes before it reads, so that feeding first and reading afterwards would never end.
    tool(directory.path(), "relation-set", "head -c 300000 /dev/zero; cat > stdin");
    let value = "ä😀".repeat(100_000);
    let changes = BTreeMap::from([("key".to_owned(), Some(value.clone()))]);
    agent(directory.path()).relation_set(&"db:1".parse().unwrap(), Bag::Unit, &changes).await.unwrap();
    let stdin = fs::read_to_string(directory.path().join("stdin")).unwrap();
    let read: BTreeMap<String, String> = serde_yaml::from_str(&stdin).unwrap();
    assert_eq!(read["key"], value);
}

#[tokio::test]
async fn a_tool_that_leaves_its_input_unread_is_judged_by_its_exit() {
    let directory = tempfile::tempdir().unwrap();
    tool(directory.path(), "relation-set", "echo 'ERROR permission denied' >&2; exit 1");
    let changes = BTreeMap::from([("key".to_owned(), Some("x".repeat(1_000_000)))]);
    let outcome = agent(directory.path()).relation_set(&"db:1".parse().unwrap(), Bag::Unit, &changes).await;
    assert_eq!(outcome.unwrap_err().kind(), "permission-denied");
}

#[tokio::test]
async fn a_tool_without_input_reads_nothing() {
    let directory = tempfile::tempdir().unwrap();
    tool(directory.path(), "is-leader", "cat; echo true");
    assert!(agent(directory.path()).is_leader().await.unwrap());
}

#[tokio::test]
async fn tools_run_beside_each_other_and_at_most_eight_at_once() {
    let directory = tempfile::tempdir().unwrap();
    // The first waits for a second one.
    let script = r#"
        : > "running.$$"
        until [ -e together ] || [ "$(ls | grep -c running)" -gt 1 ]; do sleep 0.01; done
        : > together
        ls | grep -c running >> seen
        sleep 0.1
        rm "running.$$"
        echo true"#;
    tool(directory.path(), "is-leader", script);
    let agent = agent(directory.path());
    let calls = futures_util::future::join_all((0..20).map(|_| agent.is_leader())).await;
    assert!(calls.into_iter().all(|leads| leads.unwrap()));
    let seen = fs::read_to_string(directory.path().join("seen")).unwrap();
    let seen: Vec<usize> = seen.lines().map(|count| count.parse().unwrap()).collect();
    assert!(seen.len() == 20 && seen.iter().all(|count| *count <= 8), "{seen:?}");
}

#[tokio::test]
async fn a_tool_that_was_killed_failed() {
    let directory = tempfile::tempdir().unwrap();
    tool(directory.path(), "is-leader", "kill -KILL $$");
    let error = agent(directory.path()).is_leader().await.unwrap_err();
    assert_eq!(error.to_string(), "is-leader failed with exit code 137: no error text");
}

#[tokio::test]
async fn a_tool_that_does_not_end_is_given_up_and_so_are_those_after_it() {
    let directory = tempfile::tempdir().unwrap();
    tool(directory.path(), "is-leader", "exec sleep 600");
    tool(directory.path(), "config-get", "echo ran > ran; echo {}");
    let deadline = std::time::Duration::from_millis(100);
    let agent = Agent::with_transport(Arc::new(ExecTransport::new(directory.path().as_os_str(), deadline)));
    let error = agent.is_leader().await.unwrap_err();
    assert_eq!(error.kind(), "agent-unavailable");
    assert!(error.to_string().contains("the agent has not answered is-leader"), "{error}");
    assert_eq!(agent.config_get().await.unwrap_err().kind(), "agent-unavailable");
    assert!(!directory.path().join("ran").exists());
}

#[tokio::test]
async fn without_its_tools_the_agent_is_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let agent = agent(directory.path());
    assert_eq!(agent.is_leader().await.unwrap_err().kind(), "agent-unavailable");
    // A file without the x bit is no tool, and neither is a directory.
    fs::write(directory.path().join("is-leader"), "#!/bin/sh\necho true\n").unwrap();
    fs::create_dir(directory.path().join("config-get")).unwrap();
    assert_eq!(agent.is_leader().await.unwrap_err().kind(), "agent-unavailable");
    assert_eq!(agent.config_get().await.unwrap_err().kind(), "agent-unavailable");
    // A tool whose interpreter is gone cannot be started either.
    let broken = directory.path().join("is-leader");
    fs::write(&broken, "#!/no/such/interpreter\n").unwrap();
    fs::set_permissions(&broken, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(agent.is_leader().await.unwrap_err().kind(), "agent-unavailable");
}

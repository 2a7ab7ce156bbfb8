//! Relations: events in Juju's order on both sides, databags and who may see them.

use super::support::{Charm, ok, sandbox};

fn provider(script: &str) -> Charm {
    Charm::new("prov", "provides: {db: {interface: sql}}\n", script)
}

fn requirer(script: &str) -> Charm {
    Charm::new("req", "requires: {db: {interface: sql, limit: 1}}\n", script)
}

#[tokio::test]
async fn both_sides_run_created_joined_changed_then_departed_broken() {
    let (prov, req) = (provider("true"), requirer("true"));
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", prov.path())).await;
    ok(&sandbox, &format!("deploy {}", req.path())).await;
    let before = [sandbox.hooks("prov/0").len(), sandbox.hooks("req/0").len()];
    ok(&sandbox, "integrate req prov").await;
    ok(&sandbox, "remove-relation req:db prov:db").await;
    let expected =
        ["created", "joined", "changed", "departed", "broken"].map(|word| format!("db-relation-{word}"));
    assert_eq!(sandbox.hooks("prov/0")[before[0]..], expected);
    assert_eq!(sandbox.hooks("req/0")[before[1]..], expected);
    assert!(sandbox.model().relations.is_empty());
    ok(&sandbox, "relate req prov").await;
    assert_eq!(sandbox.relation("req", "prov").unwrap(), 1, "ids count up");
    sandbox.stop().await;
}

#[tokio::test]
async fn changes_are_told_to_the_other_side_only_and_come_merged() {
    let req = requirer(
        "case $hook in db-relation-created) relation-set a=1; relation-set --app b=2;;\n\
         db-relation-changed) echo \"changed by ${JUJU_REMOTE_UNIT:-app}: $(relation-get k)\";; esac",
    );
    let sandbox = sandbox();
    sandbox.add_stub_application("db", "sql", "sql").unwrap();
    ok(&sandbox, &format!("deploy {}", req.path())).await;
    let relation = {
        ok(&sandbox, "integrate db req").await;
        sandbox.relation("db", "req").unwrap()
    };
    assert_eq!(sandbox.databag(relation, "req")["b"], "2");
    let unit = sandbox.databag(relation, "req/0");
    let keys: Vec<&str> = unit.keys().map(String::as_str).collect();
    assert_eq!(keys, ["a", "egress-subnets", "ingress-address", "private-address"]);
    let changes = || {
        let changed = |text: &String| text.starts_with("changed by");
        sandbox.log().into_iter().map(|line| line.text).filter(changed).collect::<Vec<_>>()
    };
    assert_eq!(changes(), ["changed by db/0: "], "own writes are no news");
    sandbox.set_databag(relation, "db", &[("k", "v")]).await.unwrap();
    sandbox.set_databag(relation, "db", &[("k", "v")]).await.unwrap();
    assert_eq!(changes()[1..], ["changed by app: v"], "an equal write is no change");
    sandbox.set_databag(relation, "db/0", &[("k", "w")]).await.unwrap();
    assert_eq!(changes()[2..], ["changed by db/0: w"]);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_peer_leader_is_not_told_of_its_own_application_data() {
    let charm = Charm::new(
        "app",
        "peers: {peers: {interface: p}}\n",
        "[ $hook != update-status ] || relation-set -r peers:0 --app k=v",
    );
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    let before = [sandbox.hooks("app/0").len(), sandbox.hooks("app/1").len()];
    sandbox.fire("app/0", "update-status").await.unwrap();
    assert_eq!(sandbox.hooks("app/0")[before[0]..], ["update-status"]);
    assert_eq!(sandbox.hooks("app/1")[before[1]..], ["peers-relation-changed"]);
    sandbox.stop().await;
}

#[tokio::test]
async fn juju_refuses_what_does_not_fit() {
    let req = requirer("true");
    let sandbox = sandbox();
    for name in ["one", "two"] {
        sandbox.add_stub_application(name, "sql", "sql").unwrap();
    }
    sandbox.add_stub_application("other", "web", "http").unwrap();
    ok(&sandbox, &format!("deploy {}", req.path())).await;
    ok(&sandbox, "integrate req one").await;
    for (line, code, text) in [
        (
            "integrate req one",
            1,
            "cannot add relation \"req:db one:sql\": relation req:db one:sql already exists",
        ),
        ("integrate req two", 1, "would exceed its maximum relation limit of 1 (quota limit exceeded)"),
        ("integrate req other", 1, "no relations found"),
        ("integrate req:web one", 1, "application \"req\" has no \"web\" relation"),
        ("integrate req none", 1, "application \"none\" not found"),
        ("integrate req", 2, "a relation must involve two applications"),
        ("remove-relation req two", 1, "relation \"req two\" not found"),
    ] {
        let out = sandbox.juju(line).await;
        assert_eq!(out.code, code, "{line}: {}", out.stderr);
        assert!(out.stderr.contains(text), "{line}: {}", out.stderr);
    }
    sandbox.stop().await;
}

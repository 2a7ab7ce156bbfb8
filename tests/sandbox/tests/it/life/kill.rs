//! SIGKILL at every hook command of a deploy, each time followed by the same hook again.

use std::collections::BTreeMap;

use sandbox::{KillAtCall, Moment, Options, Sandbox};

use super::support::*;

/// What a deploy ends in, without what is random.
async fn outcome(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
    let mut facts = BTreeMap::from([("status".to_owned(), status(sandbox, 0))]);
    let model = sandbox.model();
    let peers = model.relation_ids("kratos", "kratos-peers")[0];
    for (relation, holder) in
        [(relation, "kratos"), (relation, "kratos/0"), (peers, "kratos"), (peers, "kratos/0")]
    {
        let mut bag = sandbox.databag(relation, holder);
        // Juju's own keys, different in each sandbox.
        bag.retain(|key, _| !key.ends_with("-address") && !key.ends_with("-subnets"));
        // The record of runs grows with each.
        bag.remove("migration_runs");
        facts.insert(format!("{holder} in {relation}"), format!("{bag:?}"));
    }
    facts.insert("ports".to_owned(), format!("{:?}", model.unit("kratos/0").unwrap().ports));
    let labels: Vec<_> = model.secrets.values().filter_map(|secret| secret.label.clone()).collect();
    facts.insert(
        "cookie secrets".to_owned(),
        labels.iter().filter(|label| *label == "cookie_secret").count().to_string(),
    );
    for service in ["kratos", "courier"] {
        facts.insert(service.to_owned(), is_active(sandbox, 0, service).await.to_string());
    }
    facts
}

/// Kills at the first call of each hook, then at its second, and so on until it comes through.
async fn settle_with_kills(sandbox: &Sandbox, moment: Moment) -> usize {
    let mut kills = 0;
    let mut n = 1;
    loop {
        let hooks_before = sandbox.hooks("kratos/0").len();
        sandbox.inject(KillAtCall { unit: Some("kratos/0".to_owned()), n, moment });
        // Runs the failed hook once more, and what follows if it comes through.
        sandbox.juju("resolve kratos/0").await;
        let has_struck = !sandbox.disarm();
        if !has_struck && sandbox.model().unit("kratos/0").unwrap().error.is_none() {
            return kills;
        }
        kills += usize::from(has_struck);
        // A hook that came through makes the count begin anew with the next one.
        n = if sandbox.hooks("kratos/0").len() > hooks_before { 1 } else { n + 1 };
        assert!(kills < 2000, "this does not come to an end");
    }
}

async fn deploy_with_kills(sandbox: &Sandbox, moment: Moment) -> usize {
    let mut kills = 0;
    juju(sandbox, "deploy postgresql-k8s --channel 14/stable").await;
    for line in [
        format!("deploy kratos --channel {} --trust", newest()),
        format!("integrate {} {}", DATABASE.0, DATABASE.1),
    ] {
        sandbox.inject(KillAtCall { unit: Some("kratos/0".to_owned()), n: 1, moment });
        juju(sandbox, &line).await;
        kills += settle_with_kills(sandbox, moment).await;
    }
    kills
}

/// Before a command the agent's socket is used, after it the tools: both ways end in the same.
fn converges(moment: Moment) {
    let mut undisturbed = BTreeMap::new();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        undisturbed = outcome(&sandbox).await;
    });
    let options = Options { tools_only: moment == Moment::After, ..Options::default() };
    with_sandbox_of(options, async |sandbox| {
        let kills = deploy_with_kills(&sandbox, moment).await;
        assert!(kills > 50, "only {kills} calls were hit");
        assert_eq!(outcome(&sandbox).await, undisturbed);
        assert!(
            session(&sandbox).await.query("SELECT FROM schema_migration", &[]).await.unwrap().len() > 300
        );
    });
}

#[test]
fn killed_before_any_hook_command_a_deploy_converges() {
    converges(Moment::Before);
}

#[test]
fn killed_after_any_hook_command_a_deploy_converges() {
    converges(Moment::After);
}

/// A database with pending migrations, put back before each try.
struct Snapshot {
    database: String,
    owner: String,
}

impl Snapshot {
    async fn take(sandbox: &Sandbox) -> Self {
        let row = session(sandbox).await;
        let name = "SELECT current_database()::text, pg_get_userbyid(datdba)::text FROM pg_database
                    WHERE datname = current_database()";
        let row = row.query_one(name, &[]).await.unwrap();
        let snapshot = Self { database: row.get(0), owner: row.get(1) };
        snapshot.copy(sandbox, &snapshot.database, "snapshot").await;
        snapshot
    }

    async fn put_back(&self, sandbox: &Sandbox) {
        self.copy(sandbox, "snapshot", &self.database).await;
    }

    async fn copy(&self, sandbox: &Sandbox, from: &str, to: &str) {
        let dsn = sandbox.postgres_dsn("postgres").await.unwrap();
        let (client, connection) = tokio_postgres::connect(&dsn, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        client.execute(end, &[&from]).await.unwrap();
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)")).await.unwrap();
        let create = format!("CREATE DATABASE {to} TEMPLATE {from} OWNER {}", self.owner);
        client.batch_execute(&create).await.unwrap();
    }
}

#[test]
fn killed_at_any_hook_command_of_the_action_the_next_dispatches_converge() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 1).await;
        juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
        let snapshot = Snapshot::take(&sandbox).await;
        sandbox.clear_trace();
        juju(&sandbox, "run kratos/leader run-migration").await;
        let expected = outcome(&sandbox).await;
        let calls: Vec<_> = sandbox.trace().into_iter().map(|call| call.command).collect();
        // What comes before is the same reading that each hook begins with.
        let first = calls.iter().position(|command| command == "action-get").unwrap();
        let points: Vec<_> = (first + 1..=calls.len()).step_by(2).collect();
        let mut kills = 0;
        for (number, &n) in points.iter().enumerate() {
            snapshot.put_back(&sandbox).await;
            let moment = if number % 2 == 0 { Moment::Before } else { Moment::After };
            let n = u64::try_from(n).unwrap();
            sandbox.inject(KillAtCall { unit: Some("kratos/0".to_owned()), n, moment });
            sandbox.juju("run kratos/leader run-migration").await;
            kills += usize::from(!sandbox.disarm());
            sandbox.fire("kratos/0", "update-status").await.unwrap();
            juju(&sandbox, "run kratos/leader run-migration").await;
            assert_eq!(outcome(&sandbox).await, expected, "killed at call {n} ({moment:?})");
            let client = session(&sandbox).await;
            assert_eq!(
                client.query("SELECT FROM pg_db_role_setting", &[]).await.unwrap().len(),
                0,
                "a fence is left"
            );
        }
        // How many there are depends on how many lines of progress came close together.
        assert!(points.len() >= 4 && 2 * kills > points.len(), "of {points:?} only {kills} were hit");
    });
}

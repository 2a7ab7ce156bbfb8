//! Secrets: owners, labels, grants, tracked revisions, and who is told of what.

use super::support::{Charm, PROBE, ok, probe, sandbox};

const REQUIRES: &str = "requires: {db: {interface: sql}}\n";

#[tokio::test]
async fn a_consumer_tracks_a_revision_until_it_refreshes() {
    let charm = Charm::new(
        "app",
        REQUIRES,
        &format!("echo \"$hook ${{JUJU_SECRET_ID:-}} ${{JUJU_SECRET_LABEL:-}}\"\n{PROBE}"),
    );
    let sandbox = sandbox();
    sandbox.add_stub_application("db", "sql", "sql").unwrap();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    ok(&sandbox, "integrate app db").await;
    let relation = sandbox.relation("app", "db").unwrap();
    let uri = sandbox.add_secret("db", &[("password", "one"), ("user", "u")]).unwrap();
    let get = |flags: &str| format!("secret-get {uri} --format=json {flags}");
    assert_eq!(probe(&sandbox, "app/0", &get("")).await, "ERROR permission denied\n=1\n");
    sandbox.grant_secret(&uri, relation, "app").unwrap();
    let one = "{\"password\":\"one\",\"user\":\"u\"}\n";
    assert_eq!(probe(&sandbox, "app/0", &get("--label creds")).await, one);
    assert_eq!(probe(&sandbox, "app/0", "secret-get --label creds password").await, "one\n");
    assert_eq!(probe(&sandbox, "app/0", &get("password#base64")).await, "\"b25l\"\n");

    let before = sandbox.hooks("app/0").len();
    sandbox.revise_secret(&uri, &[("password", "one"), ("user", "u")]).await.unwrap();
    assert_eq!(sandbox.hooks("app/0").len(), before, "equal content is no revision");
    sandbox.revise_secret(&uri, &[("password", "two"), ("user", "u")]).await.unwrap();
    assert_eq!(sandbox.hooks("app/0")[before..], ["secret-changed"]);
    let told = format!("secret-changed {uri} creds");
    assert!(sandbox.log().iter().any(|line| line.text == told));
    assert_eq!(probe(&sandbox, "app/0", &get("password")).await, "\"one\"\n");
    assert_eq!(probe(&sandbox, "app/0", &get("--peek password")).await, "\"two\"\n");
    assert_eq!(probe(&sandbox, "app/0", &get("password")).await, "\"one\"\n");
    assert_eq!(probe(&sandbox, "app/0", &get("--refresh password")).await, "\"two\"\n");
    assert_eq!(probe(&sandbox, "app/0", &get("password")).await, "\"two\"\n");

    for (script, printed) in [
        (get("--peek --refresh"), "ERROR specify one of --peek or --refresh but not both\n=2\n"),
        (get("nope"), "ERROR secret key value \"nope\" not found\n=1\n"),
        ("secret-get".into(), "ERROR require either a secret URI or label\n=2\n"),
        ("secret-get --label nope".into(), "ERROR consumer label \"nope\" not found\n=1\n"),
        ("secret-get secret:x".into(), "ERROR secret URI \"secret:x\" not valid\n=2\n"),
        (
            "secret-get secret:00000000000000000000".into(),
            "ERROR secret \"00000000000000000000\" not found\n=1\n",
        ),
        (format!("secret-set {uri} password=x"), "ERROR permission denied\n=1\n"),
        (format!("secret-info-get {uri} 2>&1 | grep -c 'not found'"), "1\n"),
        ("secret-ids --format=json".into(), "null\n"),
    ] {
        assert_eq!(probe(&sandbox, "app/0", &script).await, printed, "{script}");
    }
    ok(&sandbox, "remove-relation app db").await;
    assert_eq!(probe(&sandbox, "app/0", &get("")).await, "ERROR permission denied\n=1\n", "the grant ended");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_owner_writes_at_the_commit_and_reads_its_own_buffer() {
    let charm = Charm::new("app", REQUIRES, &format!("echo \"$hook ${{JUJU_SECRET_REVISION:-}}\"\n{PROBE}"));
    let sandbox = sandbox();
    sandbox.add_stub_application("db", "sql", "sql").unwrap();
    ok(&sandbox, &format!("deploy {} -n 2", charm.path())).await;
    ok(&sandbox, "integrate app db").await;
    let read = "secret-get --label mine --format=json";
    let script = format!("secret-add --label mine key=one raw#base64=b25l > uri; {read}");
    assert_eq!(probe(&sandbox, "app/0", &script).await, "{\"key\":\"one\",\"raw\":\"one\"}\n");
    let uri = std::fs::read_to_string(sandbox.charm_dir("app/0").unwrap().join("uri")).unwrap();
    let uri = uri.trim();
    assert_eq!(sandbox.secret(uri).unwrap()["key"], "one");
    // Peers read by the owner's label; only the leader looks after it.
    assert_eq!(probe(&sandbox, "app/1", read).await, "{\"key\":\"one\",\"raw\":\"one\"}\n");
    assert_eq!(probe(&sandbox, "app/1", "secret-ids --format=json").await, "null\n");
    let id = uri.trim_start_matches("secret:");
    assert_eq!(probe(&sandbox, "app/0", "secret-ids --format=json").await, format!("[\"{id}\"]\n"));
    assert_eq!(
        probe(&sandbox, "app/0", "secret-add --label mine key=two").await,
        "ERROR secret with label \"mine\" already exists\n=1\n"
    );
    // A grant at the commit, seen from the other side.
    probe(&sandbox, "app/0", &format!("secret-grant {uri} -r db:0")).await;
    let info = format!(
        "{{\"{id}\":{{\"access\":[{{\"role\":\"view\",\"scope\":\"relation-app.db#db.sql\",\"target\":\"application-db\"}}],\"label\":\"mine\",\"owner\":\"application\",\"revision\":1}}}}\n"
    );
    assert_eq!(probe(&sandbox, "app/0", &format!("secret-info-get {uri} --format=json")).await, info);
    probe(&sandbox, "app/0", &format!("secret-set {uri} key=two; secret-get {uri} --peek key")).await;
    assert_eq!(sandbox.secret(uri).unwrap()["key"], "two");
    assert!(sandbox.hooks("app/1").contains(&"secret-changed".to_owned()), "a peer that read it is told");
    let mine = sandbox.hooks("app/0");
    assert!(!mine.contains(&"secret-changed".to_owned()), "who wrote it is not");
    probe(&sandbox, "app/1", "secret-get --label mine --refresh key").await;
    let told =
        sandbox.log().into_iter().filter(|line| line.unit == "app/0" && line.text == "secret-remove 1");
    assert_eq!(told.count(), 1, "its owner hears that nobody needs the first revision any more");
    let lost =
        format!("secret-set {uri} key=three; state-set a=b; relation-set -r 0 --app x=y; kill -9 $PPID");
    let dir = sandbox.charm_dir("app/0").unwrap();
    std::fs::write(dir.join("probe"), &lost).unwrap();
    sandbox.fire("app/0", "update-status").await.unwrap();
    assert_eq!(sandbox.secret(uri).unwrap()["key"], "two", "nothing is committed");
    assert!(sandbox.model().unit("app/0").unwrap().state.is_empty());
    std::fs::write(dir.join("probe"), "true").unwrap();
    ok(&sandbox, "resolve app/0").await;
    for (script, printed) in [
        ("secret-add", "ERROR missing secret value or filename\n=2\n"),
        ("secret-add k=v", "ERROR key \"k\" not valid\n=2\n"),
        ("secret-add --rotate often key=v", "ERROR rotate policy \"often\" not valid\n=2\n"),
        ("secret-add --owner model key=v", "ERROR secret owner \"model\" not valid\n=2\n"),
        (
            "secret-grant secret:00000000000000000000 -r db:0",
            "ERROR secret \"00000000000000000000\" not found\n=1\n",
        ),
        (
            "echo file > f; secret-add --owner unit key#file=f > u; secret-get $(cat u) --format=json key",
            "\"file\\n\"\n",
        ),
    ] {
        assert_eq!(probe(&sandbox, "app/0", script).await, printed, "{script}");
    }
    let shown = ok(&sandbox, "show-secret mine --reveal").await;
    assert!(shown.contains("    key: two\n") && shown.contains("  owner: app\n"), "{shown}");
    assert!(ok(&sandbox, "secrets").await.contains(id));
    probe(&sandbox, "app/0", &format!("secret-remove {uri}")).await;
    assert!(sandbox.secret(uri).is_err());
    sandbox.stop().await;
}

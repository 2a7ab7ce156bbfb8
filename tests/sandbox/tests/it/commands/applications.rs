//! deploy, config, scale, refresh: what they do, print and refuse.

use std::path::Path;

use sandbox::{Sandbox, pack};

use crate::model::support::{Charm, ok, sandbox};

const CONFIG: &str = "options:\n  level: {type: string, default: info, description: how much}\n  \
                      size: {type: int, description: how many}\n  on: {type: boolean, default: false, description: d}\n";

fn charm() -> Charm {
    let charm = Charm::new("app", "", "true");
    charm.file("config.yaml", CONFIG);
    charm
}

async fn refusals(sandbox: &Sandbox, table: &[(&str, i32, &str)]) {
    for (line, code, text) in table {
        let out = sandbox.juju(line).await;
        assert_eq!((out.code, out.stdout.as_str()), (*code, ""), "{line}: {}", out.stderr);
        assert!(out.stderr.contains("ERROR ") && out.stderr.contains(text), "{line}: {}", out.stderr);
    }
}

#[tokio::test]
async fn deploy_takes_a_directory_or_a_packed_charm() {
    let charm = charm();
    let sandbox = sandbox();
    let out = sandbox.juju(&format!("juju deploy {} --config level=debug -n 2", charm.path())).await;
    assert_eq!(
        out.stderr,
        "Located local charm \"app\", revision 0\n\
         Deploying \"app\" from local charm \"app\", revision 0 on ubuntu@24.04/stable\n"
    );
    assert_eq!(sandbox.model().applications["app"].units.len(), 2);
    assert_eq!(ok(&sandbox, "config app level").await, "debug\n");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("app.charm");
    pack::zip(Path::new(charm.path()), &file).unwrap();
    ok(&sandbox, &format!("deploy {} other --trust", file.display())).await;
    assert_eq!(sandbox.hooks("other/0").last().unwrap(), "start", "dispatch kept its mode");
    assert!(sandbox.model().applications["other"].trust);
    let again = format!("deploy {}", charm.path());
    let config = format!("deploy {} b --config nope=1", charm.path());
    let resource = format!("deploy {} b --resource nope=1", charm.path());
    refusals(
        &sandbox,
        &[
            (&again, 1, "cannot add application \"app\": application already exists"),
            (&config, 1, "unknown option \"nope\""),
            (&resource, 1, "unrecognized resource \"nope\""),
            ("deploy", 2, "no charm or bundle specified"),
            ("deploy ./nowhere", 1, "no charm was found at \"./nowhere\""),
            ("deploy unknown-charm", 1, "charm \"unknown-charm\" not found"),
            ("deploy app --nope", 2, "option provided but not defined: --nope\nOptions:\n  --channel VALUE"),
            (
                "nope",
                2,
                "juju: \"nope\" is not a juju command that the sandbox knows. It knows:\n  add-model\n",
            ),
            ("deploy 'x", 2, "unclosed ' in: deploy 'x"),
        ],
    )
    .await;
    assert!(!sandbox.model().applications.contains_key("b"), "a refused deploy leaves nothing");
    sandbox.stop().await;
}

#[tokio::test]
async fn config_is_typed_and_only_a_change_is_told() {
    let charm = charm();
    let sandbox = sandbox();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    let count = || sandbox.hooks("app/0").iter().filter(|hook| *hook == "config-changed").count();
    ok(&sandbox, "config app size=5 on=True level='a b'").await;
    assert_eq!(count(), 2);
    ok(&sandbox, "config app size=5").await;
    ok(&sandbox, "config app size=5 level=info --reset on").await;
    assert_eq!(count(), 3);
    ok(&sandbox, "config app --reset size,level").await;
    assert_eq!(ok(&sandbox, "config app size").await, "\n");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.yaml");
    std::fs::write(&file, "app: {size: 7, on: true}\n").unwrap();
    ok(&sandbox, &format!("config app --file {}", file.display())).await;
    let shown = ok(&sandbox, "config app").await;
    let part = "  size:\n    description: how many\n    source: user\n    type: int\n    value: 7\n";
    assert!(shown.starts_with("application: app\n") && shown.contains(part), "{shown}");
    refusals(
        &sandbox,
        &[
            ("config app size=x", 1, "option \"size\" expected int, got \"x\""),
            ("config app on=maybe", 1, "option \"on\" expected boolean, got \"maybe\""),
            ("config app nope=1", 1, "unknown option \"nope\""),
            ("config app nope", 1, "key \"nope\" not found in \"app\" application config or charm settings."),
            ("config app a b", 2, "can only retrieve a single value, or all values"),
            (
                "config app size=1 --reset size",
                2,
                "key \"size\" cannot be both set and reset in the same command",
            ),
            ("config nope", 1, "application \"nope\" not found"),
        ],
    )
    .await;
    sandbox.stop().await;
}

#[tokio::test]
async fn scale_and_refresh_refuse_what_juju_refuses() {
    let charm = charm();
    let sandbox = sandbox();
    sandbox.add_stub_application("db", "db", "sql").unwrap();
    ok(&sandbox, &format!("deploy {}", charm.path())).await;
    let out = sandbox.juju("scale-application app 3").await;
    assert_eq!(out.stderr, "app scaled to 3 units\n");
    ok(&sandbox, "remove-unit app --num-units 2").await;
    ok(&sandbox, "add-unit app").await;
    let units: Vec<u32> = sandbox.model().applications["app"].units.keys().copied().collect();
    assert_eq!(units, [0, 1]);
    let other = Charm::new("other", "", "true");
    let path = format!("refresh app --path {}", other.path());
    refusals(
        &sandbox,
        &[
            ("scale-application app -1", 2, "option provided but not defined: -1"),
            ("scale-application app many", 2, "invalid value \"many\""),
            ("scale-application db 2", 1, "is a stand-in"),
            ("remove-unit app/0", 2, "k8s models only support --num-units"),
            ("refresh app", 1, "charm of \"app\" is local: refresh it with --path"),
            (&path, 1, "cannot upgrade application \"app\" to charm \"other\""),
            ("refresh db --path .", 1, "is a stand-in"),
            ("resolve app/0", 1, "unit \"app/0\" is not in an error state"),
            ("add-model again", 1, "the sandbox has one model, and it is in use"),
        ],
    )
    .await;
    sandbox.stop().await;
}

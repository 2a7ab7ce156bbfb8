//! Each release takes what is rendered for it of every typical deployment (tests/render of the charm), and refuses what it
//! would have refused.

use std::path::Path;

use kratos_operator::kratos::render::config::KratosConfig;
use kratos_operator::kratos::render::environment::environment;
use kratos_operator::kratos::render::input;
use kratos_operator::kratos::{Facts, WorkloadVersion};

use super::world::*;

/// Starts a release with what is rendered for these facts, and no database: once it looks for that, it has taken the rest.
fn start(folder: &Path, release: &str, facts: &Facts, change: impl Fn(String) -> String) -> Run {
    let file = folder.join(format!("{release}.yaml"));
    std::fs::write(&file, change(KratosConfig::render(facts).0.to_yaml())).unwrap();
    let program = &double();
    let mut command = command(program, release, "", &format!("serve all --config {}", file.display()));
    command.envs(environment(facts));
    command.env("DSN", "postgres://kratos:s3cret@127.0.0.1:1/db?sslmode=disable");
    command.env("KRATOS_DOUBLE_PATIENCE", "1");
    Run::of(command)
}

fn is_taken(run: &Run) -> bool {
    run.err.contains("Unable to ping database, retrying.") && !run.err.contains("keys which are invalid")
}

#[test]
fn each_release_takes_every_typical_deployment() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../render");
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(cases).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            texts.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert_eq!(texts.len(), 12);
    std::thread::scope(|scope| {
        for release in [OLD, MIDDLE, NEW] {
            let texts = &texts;
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                for (name, text) in texts {
                    let mut facts = input::read(text).unwrap();
                    facts.version = WorkloadVersion::parse(release);
                    let run = start(folder.path(), release, &facts, |text| text);
                    assert!(is_taken(&run), "{release} refuses {name}: {}", run.err);
                }
            });
        }
    });
}

#[test]
fn what_would_be_refused_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../render/04-providers.yaml"))
            .unwrap();
    let mut facts = input::read(&text).unwrap();
    facts.version = WorkloadVersion::parse(NEW);
    let run = start(folder.path(), OLD, &facts, |text| text);
    assert!(!is_taken(&run) && run.err.contains("subject_source"), "{}", run.err);
    for (good, bad) in [
        ("microsoft_tenant:", "microsoft_tenants:"),
        ("pkce: auto", "pkce: perhaps"),
        ("provider: google", "provider: twitch"),
    ] {
        let run = start(folder.path(), NEW, &facts, |text| text.replace(good, bad));
        assert!(!is_taken(&run) && run.err.contains("keys which are invalid"), "{bad}: {}", run.err);
    }
}

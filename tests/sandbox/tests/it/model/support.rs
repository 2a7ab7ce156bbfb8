//! Shell-script charms for tests of the model.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sandbox::{Options, Sandbox};
use tempfile::TempDir;

/// A charm whose `dispatch` is a shell script.
pub struct Charm {
    dir: TempDir,
}

impl Charm {
    /// A charm of that name; `metadata` is added to its metadata.yaml, `script` is the body of `dispatch` and
    /// sees the hook's name in `$hook` (of an action: `action NAME`).
    pub fn new(name: &str, metadata: &str, script: &str) -> Self {
        let charm = Self { dir: tempfile::tempdir().unwrap() };
        charm.file("metadata.yaml", &format!("name: {name}\nsummary: s\ndescription: d\n{metadata}"));
        charm.dispatch(script);
        charm
    }

    pub fn dispatch(&self, script: &str) {
        let head = "#!/bin/sh\nset -e\nhook=${JUJU_DISPATCH_PATH#hooks/}\ncase $hook in actions/*) hook=\"action ${hook#actions/}\";; esac\n";
        self.file("dispatch", &format!("{head}{script}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.dir.path().join("dispatch"), mode).unwrap();
    }

    pub fn file(&self, name: &str, text: &str) -> &Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    pub fn path(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }
}

pub fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

/// Runs a command that must succeed and gives its standard output.
pub async fn ok(sandbox: &Sandbox, line: &str) -> String {
    let out = sandbox.juju(line).await;
    assert_eq!(out.code, 0, "juju {line}: {}", out.stderr);
    out.stdout
}

/// Fires update-status on a unit of a charm from [`Charm::probe`] and gives what the script wrote to the file
/// `out`.
pub async fn probe(sandbox: &Sandbox, unit: &str, script: &str) -> String {
    let dir = sandbox.charm_dir(unit).unwrap();
    fs::write(dir.join("probe"), script).unwrap();
    sandbox.fire(unit, "update-status").await.unwrap();
    assert_eq!(sandbox.hooks(unit).last().map(String::as_str), Some("update-status"), "{script}");
    fs::read_to_string(dir.join("out")).unwrap()
}

/// The body of a dispatch that does, at update-status, what the file `probe` says; its output and a line
/// `=CODE` for each failed command go to the file `out`.
pub const PROBE: &str = "[ $hook != update-status ] || sh ./probe > out 2>&1 || echo \"=$?\" >> out";

//! The owner of something that the sandbox starts, as a process that a test can kill: nobody calls Drop then.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const DIR: &str = "SANDBOX_TEST_ORPHAN_DIR";

/// Starts the ignored test of this name in a process of its own. It returns when that test owns what it shall own.
pub fn start_owner(test: &str, dir: &Path) -> Child {
    let owner = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the start", || dir.join("ready").exists());
    owner
}

/// In the process of the owner: holds what is started in the directory until the process is killed.
pub fn own<T>(start: impl FnOnce(&Path) -> T) {
    let Some(dir) = env::var_os(DIR) else { return };
    let _owned = start(Path::new(&dir));
    fs::write(Path::new(&dir).join("ready"), "").unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

//! A Pebble that only listens, starts one service that leaves its process group, and forgets to end it.

use std::env;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbox::programs;

/// Writes the program: a script that runs the function below.
pub fn script(dir: &Path) -> PathBuf {
    let path = dir.join("pebble");
    let here = env::current_exe().unwrap();
    let text = format!(
        "#!/bin/sh\n[ \"$*\" = 'run --create-dirs --hold' ] || exit 2\nenv >\"$PEBBLE/environment\"\n\
         echo stand-in runs\nexec '{}' --exact container::stand_in::pebble --ignored\n",
        here.display()
    );
    programs::write(&path, &text).unwrap();
    path
}

/// Not a test of its own.
#[test]
#[ignore = "run as Pebble by the containers of the other tests"]
fn pebble() {
    let Some(dir) = env::var_os("PEBBLE").map(PathBuf::from) else { return };
    // The service is there before the socket is, so that who sees the socket can count on it.
    let mut service = Command::new("kratos").arg("300").process_group(0).spawn().unwrap();
    let listener = UnixListener::bind(dir.join(".pebble.socket")).unwrap();
    for stream in listener.incoming() {
        drop(stream.unwrap());
    }
    service.wait().unwrap();
}

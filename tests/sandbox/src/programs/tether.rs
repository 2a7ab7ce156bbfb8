//! A tether ends a process when this one ends, however that happens.
//!
//! Given a process id and a shell script that ends it, a small shell waits on a pipe whose other end only this process
//! holds. The kernel closes that end even after `kill -9`, which no handler of ours could do. The shell has a process
//! group of its own, so that a ^C at the terminal does not take it away first.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Dropping it lets go: the process stays, and only the shell ends.
#[derive(Debug)]
pub(crate) struct Tether(Child);

impl Tether {
    /// Runs `script` with `$1` = `pid` and further arguments once this process is gone.
    pub(crate) fn new(pid: u32, script: &str, arguments: &[&str]) -> io::Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", &format!("read _; {script}"), "tether", &pid.to_string()])
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        Ok(Self(shell))
    }
}

impl Drop for Tether {
    fn drop(&mut self) {
        // Killed first, so that it cannot see the pipe close.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

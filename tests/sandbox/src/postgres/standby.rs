//! A standby: a copy of a running cluster that follows it over a replication connection and answers reads only.

use std::fs;
use std::path::Path;

use super::{Cluster, Error, SUPERUSER, server};

impl Cluster {
    /// Copies this cluster into `dir` (created when missing) and starts the copy as its standby, at the same address and
    /// another port.
    pub fn standby(&self, dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::file(dir))?;
        let dir = dir.canonicalize().map_err(Error::file(dir))?;
        server::check_socket_path(&dir)?;
        let owner = self.owner.clone();
        if let Some(owner) = &owner {
            owner.open_parents(&dir)?;
            owner.take(&dir)?;
        }
        let mut copy = self.installation.command("pg_basebackup", &dir, owner.as_ref());
        copy.args(["--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .args(["--host", &self.host(), "--port", &self.port.to_string(), "--username", SUPERUSER])
            .arg("--pgdata")
            .arg(dir.join("data"))
            .env("PGPASSWORD", &self.password);
        let output = copy.output().map_err(Error::file(&self.installation.dir.join("pg_basebackup")))?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Error::Failed { program: "pg_basebackup", dir, log });
        }
        let mut standby = Self {
            installation: self.installation.clone(),
            dir,
            address: self.address,
            port: self.free_port(false)?,
            password: self.password.clone(),
            owner,
            server: None,
        };
        standby.start_again()?;
        Ok(standby)
    }
}

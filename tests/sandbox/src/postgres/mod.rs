//! A real PostgreSQL cluster of its own, for one sandbox or one test.
//!
//! Given an empty directory and a loopback address, it makes a data directory there and runs a server that ends with this process, in
//! whatever way this process ends. The server is the distribution's own program: what the charm does to a database
//! can only be judged by a real one. Nothing is synced to disk, because nothing here outlives the machine.
//!
//! All functions block; call them from `tokio::task::spawn_blocking` inside a runtime.

mod owner;
mod programs;
mod seed;
mod server;
mod standby;

use std::io;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use owner::Owner;
use programs::Installation;
use server::Server;

/// PostgreSQL's standard port; taken when it is free at the address.
const STANDARD_PORT: u16 = 5432;
/// The superuser's role; the PostgreSQL charms call theirs so too.
const SUPERUSER: &str = "operator";
/// Starts that are tried when other processes keep taking the free port away.
const PORT_ATTEMPTS: usize = 5;

/// What a cluster may have beyond the standard.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Certificate and key in PEM; with them the server offers TLS (and still accepts plain connections).
    pub tls: Option<(String, String)>,
    /// Lines of postgresql.conf: name and value, the value unquoted.
    pub settings: Vec<(String, String)>,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no PostgreSQL 14 or newer found ({searched}); install one, e.g. `apt-get install postgresql`")]
    Missing { searched: String },
    #[error("PG_BIN_DIR names {dir}, which holds no PostgreSQL 14 or newer: {reason}")]
    Unusable { dir: PathBuf, reason: String },
    #[error("`{0}` is no IP address")]
    NotAnAddress(String),
    #[error("cannot listen at {address}")]
    Address { address: IpAddr, source: io::Error },
    #[error("the path of the socket in {dir} would exceed 107 bytes; choose a shorter directory")]
    SocketPath { dir: PathBuf },
    #[error("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")]
    NoUser,
    #[error(
        "{path} is closed to the user {user}, whom PostgreSQL runs as: `chmod o+x {path}` or choose another place"
    )]
    Closed { path: PathBuf, user: String },
    #[error("setting `{0}` is no name and value of one line")]
    Setting(String),
    #[error("cannot use {path}")]
    File { path: PathBuf, source: io::Error },
    #[error("{program} in {dir} failed: {log}")]
    Failed { program: &'static str, dir: PathBuf, log: String },
    #[error("the server in {dir} runs already")]
    Running { dir: PathBuf },
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing",
            Self::Unusable { .. } => "unusable",
            Self::NotAnAddress(_) => "not-an-address",
            Self::Address { .. } => "address",
            Self::SocketPath { .. } => "socket-path",
            Self::NoUser => "no-user",
            Self::Closed { .. } => "closed",
            Self::Setting(_) => "setting",
            Self::File { .. } => "file",
            Self::Failed { .. } => "failed",
            Self::Running { .. } => "running",
        }
    }

    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// A cluster; dropping it stops the server. The directory stays, for whoever made it to remove.
#[derive(Debug)]
pub struct Cluster {
    installation: Installation,
    dir: PathBuf,
    address: IpAddr,
    port: u16,
    password: String,
    owner: Option<Owner>,
    server: Option<Server>,
}

impl Cluster {
    /// Makes a cluster in `dir` (created when missing) and starts it at the IP address `address`.
    pub fn start(dir: &Path, address: &str) -> Result<Self, Error> {
        Self::start_with(dir, address, Options::default())
    }

    /// The same with options.
    pub fn start_with(dir: &Path, address: &str, options: Options) -> Result<Self, Error> {
        let installation = Installation::find()?;
        let address: IpAddr = address.parse().map_err(|_| Error::NotAnAddress(address.to_owned()))?;
        std::fs::create_dir_all(dir).map_err(Error::file(dir))?;
        let dir = dir.canonicalize().map_err(Error::file(dir))?;
        server::check_socket_path(&dir)?;
        let owner = Owner::choose()?;
        if let Some(owner) = &owner {
            owner.open_parents(&dir)?;
            owner.take(&dir)?;
        }
        let (port, password) = (STANDARD_PORT, String::new());
        let mut cluster = Self { installation, dir, address, port, password, owner, server: None };
        cluster.initialise(options)?;
        let mut last = None;
        for attempt in 0..PORT_ATTEMPTS {
            cluster.port = cluster.free_port(attempt == 0)?;
            match cluster.start_again() {
                Err(Error::Failed { log, .. }) if log.contains("Address already in use") => last = Some(log),
                Err(error) => return Err(error),
                Ok(()) => return Ok(cluster),
            }
        }
        Err(Error::Failed { program: "postgres", dir: cluster.dir.clone(), log: last.unwrap_or_default() })
    }

    /// The address, without port.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// 5432, or another port when that was taken.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory that holds the unix socket `.s.PGSQL.<port>`, the log and the data.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The server's version as it names itself, for example `15.18`.
    pub fn version(&self) -> &str {
        &self.installation.version
    }

    /// A connection string over TCP for the superuser, with its password.
    pub fn superuser_dsn(&self, database: &str) -> String {
        let host = match self.address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let database = utf8_percent_encode(database, NON_ALPHANUMERIC);
        format!("postgresql://{SUPERUSER}:{}@{host}:{}/{database}", self.password, self.port)
    }

    /// Starts the server again after [`Cluster::stop`] or [`Cluster::kill`], at the same port.
    pub fn start_again(&mut self) -> Result<(), Error> {
        if self.server.is_some() {
            return Err(Error::Running { dir: self.dir.clone() });
        }
        let server =
            Server::start(&self.installation, &self.dir, self.address, self.port, self.owner.as_ref())?;
        self.server = Some(server);
        Ok(())
    }

    /// Ends all sessions and the server, in order. Does nothing when it is stopped.
    pub fn stop(&mut self) {
        match self.server.take() {
            Some(server) => server.stop(),
            None => server::forget(&self.dir),
        }
    }

    /// Kills the server and its sessions at once, as when the machine dies; the next start recovers.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    fn free_port(&self, prefer_standard: bool) -> Result<u16, Error> {
        let failed = |source| Error::Address { address: self.address, source };
        if prefer_standard {
            match TcpListener::bind((self.address, STANDARD_PORT)) {
                Ok(_) => return Ok(STANDARD_PORT),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let listener = TcpListener::bind((self.address, 0)).map_err(failed)?;
        Ok(listener.local_addr().map_err(failed)?.port())
    }

    /// Makes the data directory and writes the configuration.
    fn initialise(&mut self, options: Options) -> Result<(), Error> {
        let data = self.dir.join("data");
        self.password = seed::fill(&self.installation, &self.dir, self.owner.as_ref())?;
        let mut settings: Vec<(String, String)> =
            server::SETTINGS.map(|(a, b)| (a.into(), b.into())).to_vec();
        if let Some((certificate, key)) = options.tls {
            self.write_private(&data.join("server.crt"), &certificate)?;
            self.write_private(&data.join("server.key"), &key)?;
            settings.push(("ssl".into(), "on".into()));
        }
        settings.extend(options.settings);
        server::configure(&data, &settings)
    }

    /// Writes a file that only the server's user may read, as PostgreSQL demands of keys.
    fn write_private(&self, path: &Path, content: &str) -> Result<(), Error> {
        server::write_private(path, content).map_err(Error::file(path))?;
        self.owner.as_ref().map_or(Ok(()), |owner| owner.take(path))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

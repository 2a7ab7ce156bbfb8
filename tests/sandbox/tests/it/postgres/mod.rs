//! A real PostgreSQL of a sandbox's own: how it starts, serves, stops, and that nothing of it is left behind.

mod cluster;
mod orphan;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use sandbox::postgres::Cluster;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// A loopback address that no other test uses.
fn address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let pid = std::process::id();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("127.{}.{}.{}", 64 + next, pid / 250 % 250, 1 + pid % 250)
}

/// A directory with a running cluster.
fn cluster() -> (TempDir, Cluster) {
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&dir.path().join("pg"), &address()).unwrap();
    (dir, cluster)
}

async fn connect(dsn: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(dsn, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// The processes that have `dir` in their command line.
fn processes_in(dir: &Path) -> Vec<String> {
    let dir = dir.to_str().unwrap();
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let lines = pids.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(dir))
        .collect()
}

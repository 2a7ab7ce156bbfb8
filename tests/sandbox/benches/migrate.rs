//! What `kratos-operator migrate run` costs beyond the bare command of Kratos, on a fresh database and on one with
//! nothing pending.
//!
//! It takes turns in running both as processes against one PostgreSQL, and prints the median of each; it judges nothing.
//! Kratos is the program that `KRATOS_BIN` names, or the double. The binary is built first if it is not there.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run has nothing to say")]
#![expect(clippy::disallowed_methods, reason = "it measures programs")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kratos_operator::postgres::{Connection, Dsn};
use sandbox::postgres::Cluster;
use sandbox::programs::{Error, Kratos, Programs};

/// How often each is measured.
const ROUNDS: usize = 9;
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let programs = programs();
    let kratos = programs.kratos.last().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(&dir.path().join("pg"), "127.0.0.1").unwrap();
    let double = if kratos.double { " (double)" } else { "" };
    println!("PostgreSQL {}, Kratos {}{double}, median of {ROUNDS} runs", cluster.version(), kratos.version);
    println!("{:<16} {:>12} {:>12} {:>12}", "DATABASE", "KRATOS", "RUN", "MORE");

    let mut fresh = (Vec::new(), Vec::new());
    let mut current = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (left, right) =
            (database(&cluster, &format!("bare{round}")), database(&cluster, &format!("run{round}")));
        for (bare, run) in [&mut fresh, &mut current] {
            bare.push(time(bare_command(kratos), kratos, &left));
            run.push(time(run_command(&programs.charm, kratos), kratos, &right));
        }
    }
    for (name, (bare, run)) in [("fresh", fresh), ("nothing pending", current)] {
        let (bare, run) = (median(bare), median(run));
        println!("{name:<16} {:>10.3} s {:>10.3} s {:>10.3} s", bare, run, run - bare);
    }
}

/// The programs; Cargo builds the binary of another package for tests of the whole workspace only.
fn programs() -> Programs {
    match Programs::find() {
        Err(Error::NotBuilt { dir, .. }) => {
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut build = Command::new(cargo);
            build.args(["build", "--package", "kratos-operator", "--bin", "kratos-operator"]);
            if dir.ends_with("release") {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success(), "{build:?} failed");
            Programs::find().unwrap()
        }
        found => found.unwrap(),
    }
}

/// A new, empty database; its DSN.
fn database(cluster: &Cluster, name: &str) -> String {
    let create = async {
        let dsn = Dsn::parse(&cluster.superuser_dsn("postgres")).unwrap();
        let connection = Connection::open(&dsn, "bench", PATIENCE).await.unwrap();
        connection.client().batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        connection.close().await;
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(create);
    cluster.superuser_dsn(name)
}

fn bare_command(kratos: &Kratos) -> Command {
    let mut command = Command::new(&kratos.path);
    command.args(["migrate", "sql", "up", "-e", "--yes"]);
    command
}

fn run_command(charm: &Path, kratos: &Kratos) -> Command {
    let mut command = Command::new(charm);
    command.args(["migrate", "run", "--kratos-bin"]).arg(&kratos.path);
    command
}

/// The seconds of a run that succeeds.
fn time(mut command: Command, kratos: &Kratos, dsn: &str) -> f64 {
    command.env("DSN", dsn).env("SQA_OPT_OUT", "true");
    if kratos.double {
        command.env("KRATOS_DOUBLE_VERSION", &kratos.version);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    assert!(status.success(), "{}: {status}", command.get_program().display());
    seconds
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

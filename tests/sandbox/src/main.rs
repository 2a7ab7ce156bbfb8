//! The sandbox's command line: a prompt for juju commands, and the packed charm.
//!
//! Run by cargo (`cargo sandbox shell`), it first builds the programs that the sandbox runs, so that what is
//! rehearsed is what is in the working tree. Whatever way it ends (end of input, an error, Ctrl-C, SIGTERM),
//! its processes and files go with it.

#![expect(clippy::disallowed_methods, reason = "it has cargo build the charm")]

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use sandbox::programs::Programs;
use sandbox::{Options, Sandbox, commands, demo, pack};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// A small Juju model for one machine: rehearses the charm with real parts.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
    /// Directory of the charm that the store calls `kratos` [default: this workspace]
    #[arg(long, global = true, value_name = "DIR")]
    source: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Plays the charm's life: deploy, integrate, refresh, run-migration, show-task
    Demo,
    /// Reads juju commands from a prompt or a pipe and runs them
    Shell,
    /// Packs the charm into a directory or a .charm file
    Pack {
        /// An empty or new directory, or the FILE.charm to write
        target: PathBuf,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(&cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(cli: &Cli) -> Result<ExitCode> {
    build()?;
    let programs = Programs::find()?;
    let mut options = Options::default();
    if let Some(source) = &cli.source {
        options.source = source.canonicalize().with_context(|| source.display().to_string())?;
    }
    match &cli.command {
        Verb::Pack { target } => {
            pack_charm(&programs, &options.source, target)?;
            Ok(ExitCode::SUCCESS)
        }
        Verb::Demo => {
            tell_doubles(&programs);
            tokio::runtime::Runtime::new()?.block_on(demo(options, &programs))
        }
        Verb::Shell => {
            tell_doubles(&programs);
            tokio::runtime::Runtime::new()?.block_on(shell(options))
        }
    }
}

// Cargo tells its own path to what it runs; an installed or copied program has nothing to build.
fn build() -> Result<()> {
    let Some(cargo) = std::env::var_os("CARGO") else { return Ok(()) };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--workspace", "--bins"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    if std::env::current_exe()?.components().any(|part| part.as_os_str() == "release") {
        command.arg("--release");
    }
    // Cargo describes this package to its programs. A build script that looks at the same variables would run again at each
    // change between inside and outside, and half of the crates be compiled anew.
    for name in std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()) {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|described| name.starts_with(described)) {
            command.env_remove(name);
        }
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo could not build the programs of the sandbox");
    }
    Ok(())
}

fn tell_doubles(programs: &Programs) {
    if programs.pebble.double {
        eprintln!("Pebble is a double of it: set PEBBLE_BIN to use the real one.");
    }
    if programs.kratos.iter().any(|kratos| kratos.double) {
        eprintln!("Kratos is a double of it: set KRATOS_BIN or KRATOS_BIN_* to use real ones.");
    }
}

fn pack_charm(programs: &Programs, source: &Path, target: &Path) -> Result<()> {
    if target.extension().is_none_or(|extension| extension != "charm") {
        pack::lay_out(&programs.charm, source, target)?;
    } else {
        let dir = tempfile::tempdir()?;
        pack::lay_out(&programs.charm, source, dir.path())?;
        pack::zip(dir.path(), target)?;
    }
    println!("{}", target.display());
    Ok(())
}

async fn demo(options: Options, programs: &Programs) -> Result<ExitCode> {
    with_sandbox(options, async |sandbox| match demo::play(sandbox, programs).await {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("ERROR {error:#}");
            1
        }
    })
    .await
}

async fn shell(options: Options) -> Result<ExitCode> {
    with_sandbox(options, converse).await
}

// Whatever ends it, the sandbox is taken down.
async fn with_sandbox(options: Options, work: impl AsyncFnOnce(&Sandbox) -> u8) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let sandbox = Sandbox::start(options)?;
    let code = tokio::select! {
        code = work(&sandbox) => code,
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
        _ = hangup.recv() => 129,
    };
    sandbox.stop().await;
    Ok(ExitCode::from(code))
}

// From a pipe, the first command that fails ends it with its code; at a prompt one goes on.
async fn converse(sandbox: &Sandbox) -> u8 {
    let prompt = std::io::stdin().is_terminal();
    let mut lines = lines();
    if prompt {
        println!("A Juju model of one machine. `help` lists the commands, `exit` ends it.");
    }
    loop {
        if prompt {
            print!("sandbox$ juju ");
            let _ = std::io::stdout().flush();
        }
        let Some(line) = lines.recv().await else { return 0 };
        let words = match commands::words(&line) {
            Ok(words) => words,
            Err(error) => {
                eprintln!("ERROR {error}");
                if prompt {
                    continue;
                }
                return 2;
            }
        };
        match words.first().map(String::as_str) {
            None => continue,
            Some("exit" | "quit") => return 0,
            Some(_) => {}
        }
        let output = sandbox.juju_live(&words).await;
        if output.code != 0 && !prompt {
            return u8::try_from(output.code).unwrap_or(1);
        }
    }
}

// A thread of its own, because a read from a terminal cannot be given up.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

//! The program `pebble-double`: our double of Pebble v1.32.1, started like the real daemon and ended like it.
//!
//! It is given the environment variable `PEBBLE` (its directory) and the subcommand `run` or `version`; the code lives in
//! [`pebble_double`].

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line of the double.
#[derive(Parser)]
#[command(name = "pebble-double", about = "A double of Pebble v1.32.1 that runs real processes")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API on the socket until SIGTERM or SIGINT.
    Run {
        /// Make the directory named by PEBBLE (and its folder of layers) if it is missing.
        #[arg(long)]
        create_dirs: bool,
        /// Do not start the services that are enabled at startup.
        #[arg(long)]
        hold: bool,
    },
    /// Print the version that is doubled.
    Version,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Version => {
            println!("client  {}\nserver  {}", pebble_double::VERSION, pebble_double::VERSION);
            ExitCode::SUCCESS
        }
        Command::Run { create_dirs, hold } => {
            match pebble_double::Options::from_environment(create_dirs, hold)
                .and_then(|options| pebble_double::run(&options))
            {
                Ok(code) => ExitCode::from(code),
                Err(error) => {
                    eprintln!("error: {error}");
                    ExitCode::FAILURE
                }
            }
        }
    }
}

//! The arguments, and the help that they come with.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::migration::Timeout;

const EXIT_CODES: &str = "Exit codes: 0 what was asked is done; 1 refused or failed; 64 the arguments or the input \
                          cannot be used.";

/// The Kratos charm. Juju runs it without arguments, once per event; with arguments it migrates a database,
/// or shows how it would configure Kratos.
#[derive(Parser)]
#[command(name = "kratos-operator", version, after_help = EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    pub area: Area,
}

#[derive(Subcommand)]
pub enum Area {
    /// Plan, run, watch or repair the migration of a Kratos database.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Show what Kratos would be told: kratos.yaml, environment and files; secrets are hidden.
    #[command(
        after_help = EXIT_CODES,
        after_long_help = "Example:\n  echo '{version: v26.2.0, options: {enforce_mfa: false}}' | kratos-operator render --input -"
    )]
    Render {
        /// A YAML or JSON file with options, relations and so on (docs/configuration.md); - for standard input.
        #[arg(long, value_name = "FILE")]
        input: PathBuf,
    },
}

#[derive(Subcommand)]
#[command(after_help = EXIT_CODES)]
pub enum Migrate {
    /// Show what is pending, what it locks and for how long at most; changes nothing.
    ///
    /// The locks are measured on a scratch database of the same server, if the role may create one; otherwise they are
    /// told from the SQL.
    #[command(
        after_long_help = "Example:\n  DSN=postgres://kratos:secret@db/kratos kratos-operator migrate plan"
    )]
    Plan(Common),
    /// Migrate: alone, behind a write fence, within a time.
    ///
    /// Ctrl-C and SIGTERM stop it in order: the statement is canceled on the server first, and nothing stays half done.
    /// The same command goes on from there.
    #[command(
        after_long_help = "Example:\n  DSN=postgres://kratos:secret@db/kratos kratos-operator migrate run \
                                 --kratos-bin ./kratos --timeout 900\n\nWith --json each line is an event: \
                                 {\"event\":\"step\"|\"line\",\"text\":…}, and the last one {\"event\":\"result\",\
                                 \"kind\":…,\"applied\":…,\"pending\":…,\"seconds\":…,\"next\":…}."
    )]
    Run {
        #[command(flatten)]
        common: Common,
        /// How long it may take, in seconds, from 1 to 604800 (a week).
        #[arg(long, value_name = "SECONDS", default_value_t = Timeout::DEFAULT, value_parser = timeout)]
        timeout: Timeout,
        /// Go on although the plan takes longer than the timeout.
        #[arg(long)]
        force: bool,
    },
    /// Show what is applied and pending, who holds the lock and who raised the fence; exit 0 if nothing is pending.
    #[command(
        after_long_help = "Example:\n  DSN=postgres://kratos:secret@db/kratos kratos-operator migrate status --json\n\n\
                                 The exit code is 1 as well if the database was migrated by a newer Kratos."
    )]
    Status(Common),
    /// Find the two states in which every run fails, and show the way out; changes nothing without --apply.
    #[command(
        after_long_help = "Example:\n  DSN=postgres://kratos:secret@db/kratos kratos-operator migrate repair --apply"
    )]
    Repair {
        #[command(flatten)]
        common: Common,
        /// Do what is shown, under the migration lock and the write fence.
        #[arg(long)]
        apply: bool,
    },
}

/// What every command needs.
#[derive(Args, Clone)]
pub struct Common {
    /// The environment variable that holds the DSN, postgres://user:password@host:port/database.
    #[arg(long, value_name = "NAME", default_value = Common::DSN_ENV)]
    pub dsn_env: String,
    /// The Kratos program whose migrations are meant.
    #[arg(long, value_name = "PATH", default_value = Common::KRATOS_BIN)]
    pub kratos_bin: PathBuf,
    /// Answer in JSON.
    #[arg(long)]
    pub json: bool,
}

impl Common {
    pub const DSN_ENV: &str = "DSN";
    pub const KRATOS_BIN: &str = "kratos";
}

impl Migrate {
    pub fn common(&self) -> &Common {
        match self {
            Self::Plan(common) | Self::Status(common) => common,
            Self::Run { common, .. } | Self::Repair { common, .. } => common,
        }
    }
}

fn timeout(text: &str) -> Result<Timeout, String> {
    let number = serde_json::from_str::<serde_json::Number>(text).ok();
    let timeout = number.and_then(|number| Timeout::parse(Some(&number.into())).ok());
    timeout.ok_or_else(|| "it is a number of seconds from 1 to 604800 (a week), e.g. 900".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_timeout_is_a_number_of_seconds() {
        assert_eq!(timeout("900").unwrap().to_string(), "900");
        assert_eq!(timeout("1.5").unwrap().to_string(), "1.5");
        for text in ["0", "-1", "nan", "inf", "null", "\"9\"", "1e9", "", "10 s"] {
            assert!(timeout(text).unwrap_err().contains("e.g. 900"), "{text}");
        }
    }
}

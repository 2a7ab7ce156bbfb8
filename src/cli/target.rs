//! What a command works on: a database, a Kratos program, and the words that name both in a command to run next.

#![expect(clippy::disallowed_methods, reason = "a person names the variable that holds the DSN")]

use std::env::{self, VarError};
use std::path::PathBuf;

use super::arguments::Common;
use crate::juju::quoted;
use crate::kratos::WorkloadVersion;
use crate::kratos::program::command::Kratos;
use crate::postgres::Dsn;

/// The longest name of a session that PostgreSQL keeps, less what the engine puts before ours.
const LONGEST_WHO: usize = 63 - 16;

/// A database and a Kratos program.
pub struct CommandTarget {
    pub dsn: Dsn,
    pub kratos: Kratos,
    pub version: WorkloadVersion,
    naming: Naming,
}

/// How the arguments name them.
struct Naming {
    dsn_env: String,
    kratos_bin: PathBuf,
}

impl CommandTarget {
    /// Reads the DSN and asks the program for its version. The error says what cannot be used, never the password.
    pub async fn find(common: &Common) -> Result<Self, String> {
        let name = &common.dsn_env;
        let url = env::var(name).map_err(|error| match error {
            VarError::NotPresent => format!(
                "the environment variable {name} is not set: export {name}=postgres://user:password@host:port/database, \
                 or name another with --dsn-env"
            ),
            // Its own text repeats the value.
            VarError::NotUnicode(_) => format!("the environment variable {name} is not UTF-8"),
        })?;
        let dsn =
            Dsn::parse(url.trim()).map_err(|error| format!("the environment variable {name}: {error}"))?;
        // Kratos' driver looks there too, and is given the whole DSN by us.
        let dsn = dsn.or_password(&env::var("PGPASSWORD").unwrap_or_default());
        let path = common.kratos_bin.clone();
        let kratos = Kratos::Local(path.clone());
        let version = kratos.version().await.map_err(|error| {
            format!(
                "{} is no Kratos program that can be run ({error}): name one with --kratos-bin",
                path.display()
            )
        })?;
        Ok(Self { dsn, kratos, version, naming: Naming { dsn_env: name.clone(), kratos_bin: path } })
    }

    /// The command line for `verb` on the same target.
    pub fn command(&self, verb: &str) -> String {
        self.naming.command(verb)
    }

    /// Under which name others see this process in the database.
    pub fn who() -> String {
        let user = env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let who = format!("pid {} of {user}@{}", std::process::id(), host.trim());
        // The server would change or cut off the rest.
        let kept = who.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' });
        kept.take(LONGEST_WHO).collect()
    }
}

impl Naming {
    fn command(&self, verb: &str) -> String {
        let mut command = format!("kratos-operator migrate {verb}");
        if self.dsn_env != Common::DSN_ENV {
            command += &format!(" --dsn-env {}", quoted(&self.dsn_env));
        }
        let path = self.kratos_bin.to_string_lossy();
        if path != Common::KRATOS_BIN {
            command += &format!(" --kratos-bin {}", quoted(&path));
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_what_is_not_the_default() {
        let command = |dsn_env: &str, kratos_bin: &str| {
            Naming { dsn_env: dsn_env.to_owned(), kratos_bin: kratos_bin.into() }.command("run")
        };
        assert_eq!(command("DSN", "kratos"), "kratos-operator migrate run");
        assert_eq!(
            command("COPY_DSN", "/opt/ory's/kratos"),
            r"kratos-operator migrate run --dsn-env COPY_DSN --kratos-bin '/opt/ory'\''s/kratos'"
        );
    }
}

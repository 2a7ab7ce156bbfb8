//! The usage text of each command: the same lines and flags as the original's, the descriptions in own words.

use super::cli::Command;
use super::version::Release;

const CONFIG: &str = "  -c, --config strings   Configuration files; a later one overrides an earlier one.";
const FROM_ENV: &str = "  -e, --read-from-env    Take the connection string from DSN in the environment or from dsn in the file.";
const YES: &str = "    If set, no question is asked.";

/// The usage of `command`, ending in a newline.
pub fn of(release: Release, command: Command) -> String {
    let globals = |lines: &[&str]| format!("\nGlobal Flags:\n{}\n", lines.join("\n"));
    match command {
        Command::Root => {
            "Usage:\n  kratos [command]\n\nAvailable Commands:\n  courier     Mail\n  migrate     Migrations\n  serve       The server\n  version     The version\n\nFlags:\n  -h, --help   help for kratos\n".into()
        }
        Command::Version => "Usage:\n  kratos version [flags]\n\nFlags:\n  -h, --help   help for version\n".into(),
        Command::Migrate => {
            "Usage:\n  kratos migrate [command]\n\nAvailable Commands:\n  sql         SQL migrations\n\nFlags:\n  -h, --help   help for migrate\n".into()
        }
        Command::MigrateSql => {
            let commands = if release.has_migrate_commands() {
                "  kratos migrate sql [command]\n\nAvailable Commands:\n  down        Roll back the last migrations\n  status      Show which migrations are applied\n  up          Apply what is pending\n"
            } else {
                ""
            };
            format!(
                "Usage:\n  kratos migrate sql <database-url> [flags]\n{commands}\nFlags:\n{CONFIG}\n  -h, --help             help for sql\n{FROM_ENV}\n  -y, --yes              If set, no question is asked.\n"
            )
        }
        Command::Up => format!(
            "Usage:\n  kratos migrate sql up [database_url] [flags]\n\nExamples:\nApply all pending migrations:\n\tDSN=... kratos migrate sql up -e\n\nApply all pending migrations:\n\tDSN=... kratos migrate sql up -e --yes\n\nFlags:\n  -h, --help   help for up\n  -y, --yes{YES}\n{}",
            globals(&[CONFIG, FROM_ENV])
        ),
        Command::Down => format!(
            "Usage:\n  kratos migrate sql down [database_url] [flags]\n\nFlags:\n  -h, --help        help for down\n      --steps int   How many migrations to roll back.\n  -y, --yes     {YES}\n{}",
            globals(&[CONFIG, FROM_ENV])
        ),
        Command::Status => format!(
            "Usage:\n  kratos migrate sql status [database_url] [flags]\n\nFlags:\n      --block           Wait until nothing is pending\n      --format string   table, json, yaml, json-pretty or jsonpath=... (default \"table\")\n  -h, --help            help for status\n  -q, --quiet           Only the versions.\n  -e, --read-from-env   Take the connection string from DSN in the environment or from dsn in the file.\n{}",
            globals(&[CONFIG])
        ),
        Command::Cleanup => {
            "Usage:\n  kratos cleanup [command]\n\nAvailable Commands:\n  sql         Expired records\n\nFlags:\n  -h, --help   help for cleanup\n".into()
        }
        Command::CleanupSql => format!(
            "Usage:\n  kratos cleanup sql <database-url> [flags]\n\nFlags:\n{CONFIG}\n  -b, --database.cleanup.batch_size int   Records of each table (default 100)\n      --database.cleanup.sleep.tables duration   The rest between two tables (default 1m0s)\n  -h, --help             help for sql\n      --keep-last duration   What is younger stays\n{FROM_ENV}\n"
        ),
        Command::Serve => format!(
            "Usage:\n  kratos serve [flags]\n\nFlags:\n{CONFIG}\n      --dev              For development only\n  -h, --help             help for serve\n      --sqa-opt-out      No telemetry\n      --watch-courier    Run the courier in the same process\n"
        ),
        Command::Courier => {
            "Usage:\n  kratos courier [command]\n\nAvailable Commands:\n  watch       Send mail\n\nFlags:\n  -h, --help   help for courier\n".into()
        }
        Command::CourierWatch => format!(
            "Usage:\n  kratos courier watch [flags]\n\nFlags:\n{CONFIG}\n      --expose-metrics-port int   The port of the metrics\n  -h, --help                      help for watch\n"
        ),
    }
}

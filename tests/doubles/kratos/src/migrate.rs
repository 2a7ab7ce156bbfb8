//! `migrate sql [up|down|status]`: plans, asks, runs, and prints as the original does.
//!
//! It is given a parsed command line and gives the exit code. Standard output carries the plan and the verdict,
//! standard error the log. There is no signal handler here: a signal kills the program at once, as it does the
//! original, and the server finishes or undoes what was on its way.

use super::cli::{Command, Invocation, fail};
use super::database::connect_patiently;
use super::dsn::Dsn;
use super::log::{Level, Logger, err, out};
use super::migrations::runner::{self, MigrationError};
use super::migrations::{self, Migration};
use super::status;
use super::{config, stack, usage};
use serde_json::json;
use std::collections::HashSet;
use tokio_postgres::Client;

/// Runs one of the migration commands.
pub async fn run(invocation: &Invocation, log: &Logger) -> u8 {
    let release = log.release;
    let command = invocation.command;
    if command == Command::MigrateSql && release.has_migrate_commands() {
        err("Command \"sql\" is deprecated, Please use `kratos migrate sql` instead.\n");
    }
    if !invocation.is_set("read-from-env") && invocation.words.is_empty() {
        out(&format!("{}\n", usage::of(release, command)));
        return 1;
    }
    let url = match url(invocation, log) {
        Ok(url) => url,
        Err(code) => return code,
    };
    let initializing = |message: String| format!("an error occurred initializing migrations: {message}");
    let dsn = match Dsn::parse(&url) {
        Ok(dsn) => dsn,
        Err(error) => return fail(release, command, &initializing(error.to_string())),
    };
    let mut client = match connect_patiently(&dsn, log).await {
        Ok(client) => client,
        Err(message) => return fail(release, command, &initializing(message)),
    };
    let all = migrations::of(release);
    match command {
        Command::Down => down(&mut client, &all, invocation, log).await,
        Command::Status => status::run(&client, &all, invocation, log).await,
        _ if !release.has_migrate_commands() => apply_of_old(&mut client, &all, invocation, log).await,
        _ => up(&mut client, &all, invocation, log).await,
    }
}

/// The connection URL: the word of the command line, else the environment, else the configuration file.
pub fn url(invocation: &Invocation, log: &Logger) -> Result<String, u8> {
    // The files are not validated by these commands, but they must be readable.
    let files = match config::read_files(&invocation.configs()) {
        Ok(files) => files,
        Err(message) => {
            let field = json!({ "error": { "message": message } });
            log.log(Level::Error, "Unable to instantiate configuration.", field);
            return Err(fail(log.release, invocation.command, &message));
        }
    };
    log.info("No tracer configured - skipping tracing setup", json!({}));
    if !invocation.is_set("read-from-env") {
        return Ok(invocation.words[0].clone());
    }
    let from_env = std::env::var("DSN").ok().filter(|dsn| !dsn.is_empty());
    let dsn = from_env.or_else(|| files["dsn"].as_str().filter(|dsn| !dsn.is_empty()).map(str::to_owned));
    dsn.ok_or_else(|| {
        log.log(Level::Fatal, &format!("dsn must be set\n{}", stack::LINES.trim_end()), json!({}));
        1
    })
}

async fn up(client: &mut Client, all: &[Migration], invocation: &Invocation, log: &Logger) -> u8 {
    let pending = match runner::pending(client, all).await {
        Ok(pending) => pending,
        Err(error) => return failed("Could not get the migration status:", &error),
    };
    let state =
        |migration: &Migration| if pending.contains(migration.version) { "Pending" } else { "Applied" };
    out(&format!("The migration plan is as follows:\n{}", status::table(all, state)));
    statements(all.iter().filter(|migration| pending.contains(migration.version)), |migration| {
        migration.content()
    });
    if let Some(code) = confirmed(invocation) {
        return code;
    }
    match runner::up(client, all, log).await {
        Ok(0) => log.info("Migrations already up to date, nothing to apply", json!({})),
        Ok(count) => log.info(&format!("Successfully applied {count} migrations."), json!({})),
        Err(error) => return failed("Could not apply migrations:", &error),
    }
    out("------------ SUCCESS ------------\nSuccessfully applied migrations!\n");
    0
}

async fn down(client: &mut Client, all: &[Migration], invocation: &Invocation, log: &Logger) -> u8 {
    let steps = match invocation.value("steps").unwrap_or("0").parse::<i64>() {
        Ok(steps) => usize::try_from(steps).unwrap_or(0),
        Err(_) => {
            let value = invocation.value("steps").unwrap_or_default();
            let why = format!(
                "invalid argument {value:?} for \"--steps\" flag: strconv.ParseInt: parsing {value:?}: invalid syntax"
            );
            return fail(log.release, Command::Down, &why);
        }
    };
    let pending = match runner::pending(client, all).await {
        Ok(pending) => pending,
        Err(error) => return failed("Could not get the migration status:", &error),
    };
    let chosen = runner::rollback(all, &pending, steps);
    let versions: HashSet<_> = chosen.iter().map(|migration| migration.version).collect();
    let state = |migration: &Migration| match migration.version {
        version if versions.contains(version) => "Rollback",
        version if pending.contains(version) => "Pending",
        _ => "Applied",
    };
    out(&format!("The migration plan is as follows:\n{}", status::table(all, state)));
    if chosen.is_empty() {
        err(
            "\nThere are apparently no migrations to roll back.\nPlease provide the --steps argument with a value larger than 0.\n\n",
        );
        return 1;
    }
    statements(chosen.into_iter(), |migration| &migration.down);
    if let Some(code) = confirmed(invocation) {
        return code;
    }
    if let Err(error) = runner::down(client, all, steps, log).await {
        return failed("Could not roll back migrations:", &error);
    }
    out("------------ SUCCESS ------------\nSuccessfully rolled back migrations!\n");
    0
}

/// `migrate sql` of v1.3.1: an empty plan, the question on standard output, one line at the end.
async fn apply_of_old(client: &mut Client, all: &[Migration], invocation: &Invocation, log: &Logger) -> u8 {
    if !invocation.is_set("yes") {
        out(
            "The following migration is planned:\n\n\nTo skip the next question use flag --yes (at your own risk).\nDo you wish to execute this migration plan? [y/n]: ",
        );
        match answer() {
            None => {
                err("EOF\n");
                return 1;
            }
            Some(false) => {
                out("Migration aborted.\n");
                return 0;
            }
            Some(true) => {}
        }
    }
    match runner::up(client, all, log).await {
        Ok(_) => {
            out("Successfully applied SQL migrations!\n");
            0
        }
        Err(error) => failed("Could not apply migrations:", &error),
    }
}

fn statements<'a>(chosen: impl Iterator<Item = &'a Migration>, sql: impl Fn(&'a Migration) -> &'a str) {
    out("\nThe SQL statements to be executed from top to bottom are:\n\n");
    for migration in chosen {
        let (version, name) = (migration.version, migration.name);
        out(&format!("------------ {version} - {name} ------------\n{}\n\n", sql(migration)));
    }
}

/// Asks unless `--yes` is set; gives the exit code if the answer is not yes.
fn confirmed(invocation: &Invocation) -> Option<u8> {
    if invocation.is_set("yes") {
        return None;
    }
    err("To skip the next question use flag --yes (at your own risk).\n");
    out("Do you wish to execute this migration plan? [y/n]: ");
    match answer() {
        None => {
            err("Unable to confirm: unable to read from stdin: EOF\n");
            Some(1)
        }
        Some(false) => {
            out("------------ WARNING ------------\nMigration aborted.\n");
            Some(0)
        }
        Some(true) => None,
    }
}

/// The answer on standard input: `None` at its end.
fn answer() -> Option<bool> {
    loop {
        let mut line = String::new();
        if std::io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Some(true),
            "n" | "no" => return Some(false),
            _ => out("Do you wish to execute this migration plan? [y/n]: "),
        }
    }
}

/// Prints the failure, followed by the stack that the original prints: the reason is not at the end.
fn failed(what: &str, error: &MigrationError) -> u8 {
    out("------------ ERROR ------------\n");
    err(&format!("{what}\n{error}\n{}", stack::LINES.repeat(5)));
    1
}

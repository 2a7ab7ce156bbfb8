//! The command line: words and flags as the original's parser takes them.
//!
//! It is given the arguments after the program's name and finds the command, its flags (anywhere, `-ey`, `--x=y`,
//! `-c a,b`) and the words that are left. Refusals are worded and placed as the original's: `Error:`, the usage, the
//! error again, all on standard error, exit code 1.

use super::log::err;
use super::usage;
use super::version::Release;

/// The commands that the double plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// No command: help.
    Root,
    /// `version`
    Version,
    /// `migrate`: help.
    Migrate,
    /// `migrate sql`, deprecated where `up` exists.
    MigrateSql,
    /// `migrate sql up`
    Up,
    /// `migrate sql down`
    Down,
    /// `migrate sql status`
    Status,
    /// `cleanup`: help.
    Cleanup,
    /// `cleanup sql`
    CleanupSql,
    /// `serve`, `serve all`
    Serve,
    /// `courier`: help.
    Courier,
    /// `courier watch`
    CourierWatch,
}

/// A flag: long name, short name, whether it takes a value.
type Flag = (&'static str, Option<char>, bool);

const CONFIG: Flag = ("config", Some('c'), true);
const HELP: Flag = ("help", Some('h'), false);
const FROM_ENV: Flag = ("read-from-env", Some('e'), false);
const YES: Flag = ("yes", Some('y'), false);

impl Command {
    /// The words that lead to the command.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Command::Root => &[],
            Command::Version => &["version"],
            Command::Migrate => &["migrate"],
            Command::MigrateSql => &["migrate", "sql"],
            Command::Up => &["migrate", "sql", "up"],
            Command::Down => &["migrate", "sql", "down"],
            Command::Status => &["migrate", "sql", "status"],
            Command::Cleanup => &["cleanup"],
            Command::CleanupSql => &["cleanup", "sql"],
            Command::Serve => &["serve"],
            Command::Courier => &["courier"],
            Command::CourierWatch => &["courier", "watch"],
        }
    }

    fn all(release: Release) -> Vec<Command> {
        let mut all = vec![
            Command::Version,
            Command::Migrate,
            Command::MigrateSql,
            Command::Cleanup,
            Command::CleanupSql,
            Command::Serve,
            Command::Courier,
            Command::CourierWatch,
        ];
        if release.has_migrate_commands() {
            all.extend([Command::Up, Command::Down, Command::Status]);
        }
        all
    }

    fn flags(self) -> &'static [Flag] {
        match self {
            Command::Root | Command::Version | Command::Migrate | Command::Cleanup | Command::Courier => {
                &[HELP]
            }
            Command::CleanupSql => &[
                HELP,
                CONFIG,
                FROM_ENV,
                ("database.cleanup.batch_size", Some('b'), true),
                ("database.cleanup.sleep.tables", None, true),
                ("keep-last", None, true),
            ],
            Command::MigrateSql | Command::Up => &[HELP, CONFIG, FROM_ENV, YES],
            Command::Down => &[HELP, CONFIG, FROM_ENV, YES, ("steps", None, true)],
            Command::Status => &[
                HELP,
                CONFIG,
                FROM_ENV,
                ("block", None, false),
                ("format", None, true),
                ("quiet", Some('q'), false),
            ],
            Command::Serve => &[
                HELP,
                CONFIG,
                ("dev", None, false),
                ("sqa-opt-out", None, false),
                ("watch-courier", None, false),
            ],
            Command::CourierWatch => &[HELP, CONFIG, ("expose-metrics-port", None, true)],
        }
    }
}

/// A parsed command line.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What to do.
    pub command: Command,
    /// The words after the command.
    pub words: Vec<String>,
    flags: Vec<(&'static str, String)>,
}

impl Invocation {
    /// Whether a flag without a value is set.
    pub fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| !matches!(value, "false" | "0" | "f"))
    }

    /// The last value of a flag.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(flag, _)| *flag == name).map(|(_, value)| value.as_str())
    }

    /// The configuration files, in order.
    pub fn configs(&self) -> Vec<String> {
        let values = self.flags.iter().filter(|(flag, _)| *flag == "config");
        values.flat_map(|(_, value)| value.split(',')).map(str::to_owned).collect()
    }
}

/// Parses `args`; a refusal names the command whose usage belongs to it.
pub fn parse(release: Release, args: &[String]) -> Result<Invocation, (Command, String)> {
    let commands = Command::all(release);
    let mut found = Invocation { command: Command::Root, words: Vec::new(), flags: Vec::new() };
    // The command is found first, because it decides which flags there are; flags may stand between its words.
    let mut names: Vec<&str> = Vec::new();
    let mut rest = Vec::new();
    let (mut is_value, mut complete) = (false, false);
    for arg in args {
        let longer = [names.as_slice(), &[arg]].concat();
        let known = commands.iter().find(|command| command.words() == longer.as_slice());
        match known {
            Some(command) if !is_value && !complete => {
                found.command = *command;
                names = longer;
            }
            _ => {
                complete |= !is_value && !arg.starts_with('-');
                is_value = !is_value && matches!(arg.as_str(), "-c" | "--config");
                rest.push(arg.clone());
            }
        }
    }
    let command = found.command;
    flags(&mut found, rest).map_err(|message| (command, message))?;
    let unknown = matches!(command, Command::Root | Command::Cleanup | Command::Courier | Command::Migrate);
    if let (true, Some(word)) = (unknown, found.words.first()) {
        let path = [&["kratos"], command.words()].concat().join(" ");
        return Err((command, format!("unknown command {word:?} for {path:?}")));
    }
    Ok(found)
}

fn flags(found: &mut Invocation, rest: Vec<String>) -> Result<(), String> {
    let known = found.command.flags();
    let mut rest = rest.into_iter();
    while let Some(arg) = rest.next() {
        if arg == "--" {
            found.words.extend(rest.by_ref());
        } else if let Some(long) = arg.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let flag = known.iter().find(|flag| flag.0 == name).ok_or(format!("unknown flag: --{name}"))?;
            let value = match (value, flag.2) {
                (Some(value), _) => value.to_owned(),
                (None, false) => "true".into(),
                (None, true) => rest.next().ok_or(format!("flag needs an argument: --{name}"))?,
            };
            found.flags.push((flag.0, value));
        } else if arg.len() > 1 && arg.starts_with('-') {
            let letters = &arg[1..];
            for (at, letter) in letters.char_indices() {
                let unknown = || format!("unknown shorthand flag: {letter:?} in -{letters}");
                let flag = known.iter().find(|flag| flag.1 == Some(letter)).ok_or_else(unknown)?;
                if flag.2 {
                    let glued = letters[at + letter.len_utf8()..].trim_start_matches('=');
                    let value = if glued.is_empty() { rest.next() } else { Some(glued.to_owned()) };
                    let value = value.ok_or(format!("flag needs an argument: {letter:?} in -{letters}"))?;
                    found.flags.push((flag.0, value));
                    break;
                }
                found.flags.push((flag.0, "true".into()));
            }
        } else {
            found.words.push(arg);
        }
    }
    Ok(())
}

/// Prints a failure as the original does, with the usage between the two copies of the message; gives exit code 1.
pub fn fail(release: Release, command: Command, message: &str) -> u8 {
    if command == Command::Root {
        err(&format!("Error: {message}\nRun 'kratos --help' for usage.\n\n{message}\n"));
    } else {
        err(&format!("Error: {message}\n{}\n{message}\n", usage::of(release, command)));
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(release: Release, line: &str) -> Result<Invocation, (Command, String)> {
        parse(release, &line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_stand_anywhere() {
        let found =
            parsed(Release::V26_2_0, "-c a.yaml,b.yaml migrate sql status -e --format=json -c c.yaml")
                .unwrap();
        assert_eq!(found.command, Command::Status);
        assert_eq!(found.configs(), ["a.yaml", "b.yaml", "c.yaml"]);
        assert_eq!(found.value("format"), Some("json"));
        assert!(found.is_set("read-from-env") && found.words.is_empty());
        assert_eq!(parsed(Release::V26_2_0, "serve all --dev").unwrap().words, ["all"]);
        assert!(parsed(Release::V26_2_0, "migrate sql up -ey").unwrap().is_set("yes"));
    }

    #[test]
    fn the_oldest_release_takes_status_for_a_word() {
        let found = parsed(Release::V1_3_1, "migrate sql status -e").unwrap();
        assert_eq!(
            (found.command, found.words.as_slice()),
            (Command::MigrateSql, &["status".to_owned()][..])
        );
        let refused = parsed(Release::V1_3_1, "migrate sql status -e --format json").unwrap_err();
        assert_eq!(refused, (Command::MigrateSql, "unknown flag: --format".into()));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        assert_eq!(
            parsed(Release::V26_2_0, "migrate sql up --steps 1").unwrap_err().1,
            "unknown flag: --steps"
        );
        assert_eq!(
            parsed(Release::V26_2_0, "frobnicate").unwrap_err().1,
            r#"unknown command "frobnicate" for "kratos""#
        );
        assert_eq!(parsed(Release::V26_2_0, "serve -z").unwrap_err().1, "unknown shorthand flag: 'z' in -z");
    }
}

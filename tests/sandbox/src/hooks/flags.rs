//! Flags as Juju's commands read them: anywhere among the arguments, `--name value`, `--name=value`, `-n
//! value`; `--` ends them.

use std::collections::BTreeMap;

/// A flag that a command accepts.
#[derive(Debug, Clone, Copy)]
pub struct Flag {
    names: &'static [&'static str],
    takes_value: bool,
}

impl Flag {
    /// A flag with a value, under any of these names; the first is the one to ask for.
    #[must_use]
    pub const fn value(names: &'static [&'static str]) -> Self {
        Self { names, takes_value: true }
    }

    /// A flag without a value.
    #[must_use]
    pub const fn switch(names: &'static [&'static str]) -> Self {
        Self { names, takes_value: false }
    }
}

/// The flags that were given.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    values: BTreeMap<&'static str, Vec<String>>,
    // As it was written, for error texts.
    written: BTreeMap<&'static str, String>,
}

impl Flags {
    /// Splits arguments into flags and the rest.
    ///
    /// # Errors
    /// `option provided but not defined: --x`, `option needs an argument: -r`, a switch with a value that is no boolean.
    pub fn parse(args: &[String], accepted: &[Flag]) -> Result<(Self, Vec<String>), String> {
        let mut flags = Self::default();
        let mut rest = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                rest.extend(args.cloned());
                break;
            }
            if arg == "-" || !arg.starts_with('-') {
                rest.push(arg.clone());
                continue;
            }
            let long = arg.starts_with("--");
            let body = arg.trim_start_matches('-');
            let (name, mut value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let find = |name: &str| accepted.iter().find(|flag| flag.names.contains(&name));
            // `-rdb:7` is `-r db:7`.
            let first = name.chars().next().map_or(0, char::len_utf8);
            let (name, flag) = match find(name) {
                Some(flag) if long == (name.chars().count() > 1) => (name, flag),
                None if !long && find(&name[..first]).is_some_and(|flag| flag.takes_value) => {
                    value = Some(body[first..].to_owned());
                    let flag = find(&name[..first]);
                    match flag {
                        Some(flag) => (&name[..first], flag),
                        None => return Err(undefined(long, name)),
                    }
                }
                _ => return Err(undefined(long, name)),
            };
            let written = format!("{}{name}", if long { "--" } else { "-" });
            let value = match (flag.takes_value, value) {
                (true, Some(value)) => value,
                (true, None) => {
                    args.next().cloned().ok_or_else(|| format!("option needs an argument: {written}"))?
                }
                (false, None) => "true".to_owned(),
                (false, Some(value)) if value == "true" || value == "false" => value,
                (false, Some(value)) => {
                    return Err(format!("invalid boolean value \"{value}\" for {written}"));
                }
            };
            flags.written.insert(flag.names[0], written);
            flags.values.entry(flag.names[0]).or_default().push(value);
        }
        Ok((flags, rest))
    }

    /// The value of a flag with a value; the last one wins.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    /// All values of a flag that may be given several times.
    #[must_use]
    pub fn all(&self, name: &str) -> &[String] {
        self.values.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a switch is on.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// The flag as it was written, e.g. `-r`.
    #[must_use]
    pub fn written(&self, name: &str) -> &str {
        self.written.get(name).map_or("", String::as_str)
    }
}

fn undefined(long: bool, name: &str) -> String {
    format!("option provided but not defined: {}{name}", if long { "--" } else { "-" })
}

//! Writes the plan as YAML text exactly as Pebble does: four spaces, fixed order of fields, empty ones left out.
//!
//! It is given sections and gives text; which scalars are quoted follows Go's YAML writer, because clients compare texts.

use std::fmt::Write as _;

use super::{
    super::duration::GoDuration,
    model::{Check, Context, LogTarget, Sections, Service, Strings},
};

/// Builds lines at a depth.
struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = self.depth * 4);
    }

    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            let value = scalar(value, self.depth + 1);
            self.line(&format!("{name}: {value}"));
        }
    }

    fn shown(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.line(&format!("{name}: {value}"));
        }
    }

    fn list(&mut self, name: &str, items: &[String]) {
        if !items.is_empty() {
            self.line(&format!("{name}:"));
            self.depth += 1;
            for item in items {
                let item = scalar(item, self.depth + 1);
                self.line(&format!("- {item}"));
            }
            self.depth -= 1;
        }
    }

    fn map(&mut self, name: &str, map: Option<&Strings>) {
        if let Some(map) = map
            && !map.is_empty()
        {
            self.inside(name, |to| {
                for (key, value) in map {
                    let line = format!("{}: {}", scalar(key, 0), scalar(value, to.depth + 1));
                    to.line(&line);
                }
            });
        }
    }

    fn inside(&mut self, name: &str, write: impl FnOnce(&mut Self)) {
        self.line(&format!("{name}:"));
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    fn context(&mut self, context: &Context) {
        self.map("environment", context.environment.as_ref());
        self.shown("user-id", context.user_id);
        self.text("user", &context.user);
        self.shown("group-id", context.group_id);
        self.text("group", &context.group);
        self.text("working-dir", &context.working_dir);
    }

    fn service(&mut self, service: &Service) {
        self.text("summary", &service.summary);
        self.text("description", &service.description);
        self.text("startup", &service.startup);
        self.text("override", &service.override_);
        self.text("command", &service.command);
        self.list("after", &service.after);
        self.list("before", &service.before);
        self.list("requires", &service.requires);
        self.context(&service.context);
        self.text("on-success", &service.on_success);
        self.text("on-failure", &service.on_failure);
        self.map("on-check-failure", service.on_check_failure.as_ref());
        self.shown("backoff-delay", service.backoff_delay);
        self.shown("backoff-factor", service.backoff_factor);
        self.shown("backoff-limit", service.backoff_limit);
        self.shown("kill-delay", service.kill_delay);
    }

    fn check(&mut self, check: &Check) {
        self.text("override", &check.override_);
        self.text("level", &check.level);
        self.text("startup", &check.startup);
        self.shown("period", check.period);
        // A timeout longer than the period is cut to it, and shown cut.
        self.shown("timeout", check.timeout.map(|timeout: GoDuration| timeout.min(check.period())));
        self.shown("threshold", Some(check.threshold()));
        if let Some(http) = &check.http {
            self.inside("http", |to| {
                to.text("url", &http.url);
                to.map("headers", http.headers.as_ref());
            });
        }
        if let Some(tcp) = &check.tcp {
            self.inside("tcp", |to| {
                to.shown("port", Some(tcp.port));
                to.text("host", &tcp.host);
            });
        }
        if let Some(exec) = &check.exec {
            self.inside("exec", |to| {
                to.text("command", &exec.command);
                to.text("service-context", &exec.service_context);
                to.context(&exec.context);
            });
        }
    }

    fn log_target(&mut self, target: &LogTarget) {
        self.text("type", &target.type_);
        self.text("location", &target.location);
        self.list("services", &target.services);
        self.text("override", &target.override_);
        self.map("labels", target.labels.as_ref());
    }
}

/// The whole plan.
#[must_use]
pub fn plan(sections: &Sections) -> String {
    let mut to = Writer { text: String::new(), depth: 0 };
    if !sections.services.is_empty() {
        to.inside("services", |to| {
            for (name, service) in &sections.services {
                to.inside(&scalar(name, 0), |to| to.service(service));
            }
        });
    }
    if !sections.checks.is_empty() {
        to.inside("checks", |to| {
            for (name, check) in &sections.checks {
                to.inside(&scalar(name, 0), |to| to.check(check));
            }
        });
    }
    if !sections.log_targets.is_empty() {
        to.inside("log-targets", |to| {
            for (name, target) in &sections.log_targets {
                to.inside(&scalar(name, 0), |to| to.log_target(target));
            }
        });
    }
    if to.text.is_empty() { "{}\n".into() } else { to.text }
}

/// A scalar as Go's YAML writer puts it: plain, quoted, or (several lines) as a block at `depth`.
fn scalar(text: &str, depth: usize) -> String {
    if text.is_empty() || means_something_else(text) {
        return double_quoted(text);
    }
    let printable = text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control() && c != '\u{feff}');
    if text.contains('\n') {
        let ends_blank = text.lines().any(|line| line.ends_with(' '));
        if !printable || text.starts_with(['\n', ' ', '\t']) || ends_blank || depth == 0 {
            return double_quoted(text);
        }
        let chomp = match text.strip_suffix('\n') {
            None => "-",
            Some(rest) if rest.ends_with('\n') => "+",
            Some(_) => "",
        };
        let mut block = format!("|{chomp}");
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            let _ = if line.is_empty() {
                writeln!(block).and(Ok(()))
            } else {
                write!(block, "\n{:indent$}{line}", "", indent = depth * 4)
            };
        }
        return block;
    }
    if !printable || text.contains('\t') {
        double_quoted(text)
    } else if plain_allowed(text) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

fn plain_allowed(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let second = text.chars().nth(1);
    let starts_badly = "#,[]{}&*!|>'\"%@`".contains(first)
        || "-?:".contains(first) && second.is_none_or(|c| c == ' ')
        || text.starts_with("---")
        || text.starts_with("...");
    let edge = text.starts_with(' ') || text.ends_with(' ');
    let inside = text.contains(": ") || text.contains(" #") || text.ends_with(':');
    !(starts_badly || edge || inside)
}

/// Whether a plain scalar would be read as null, a boolean (also YAML 1.1's), a number or a time.
fn means_something_else(text: &str) -> bool {
    const WORDS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let lower = text.to_ascii_lowercase();
    let cased = text == lower || text == lower.to_ascii_uppercase() || {
        let mut capital = lower.clone();
        if let Some(first) = capital.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text == capital
    };
    if cased && WORDS.contains(&lower.as_str()) || matches!(text, "~" | "<<" | "=") {
        return true;
    }
    let unsigned = lower.strip_prefix(['+', '-']).unwrap_or(&lower);
    if matches!(unsigned, ".inf" | ".nan") {
        return true;
    }
    let plain = unsigned.replace('_', "");
    let based = [("0x", 16), ("0o", 8), ("0b", 2)].iter().any(|(prefix, radix)| {
        plain
            .strip_prefix(prefix)
            .is_some_and(|digits| !digits.is_empty() && i128::from_str_radix(digits, *radix).is_ok())
    });
    let numeric = plain.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && plain.ends_with(|c: char| c.is_ascii_digit() || c == '.')
        && plain.parse::<f64>().is_ok();
    let sexagesimal = plain.contains(':')
        && plain
            .split(':')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        && plain.starts_with(|c: char| c.is_ascii_digit());
    let dated = text.len() >= 8
        && text.as_bytes()[..4].iter().all(u8::is_ascii_digit)
        && text.as_bytes()[4] == b'-'
        && text.split(['T', 't', ' ']).next().is_some_and(|date| {
            date.split('-').count() == 3 && date.split('-').all(|part| part.parse::<u32>().is_ok())
        });
    based || numeric || sexagesimal || dated
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0' => quoted.push_str("\\0"),
            c if c.is_control() && u32::from(c) < 0x100 => {
                let _ = write!(quoted, "\\x{:02X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_quoted_like_go_does() {
        for (text, written) in [
            ("", "\"\""),
            ("off", "\"off\""),
            ("N", "\"N\""),
            ("NUL", "NUL"),
            ("1.5", "\"1.5\""),
            ("4433:", "'4433:'"),
            ("12:30", "\"12:30\""),
            ("2001-01-01", "\"2001-01-01\""),
            ("$$OWNER", "$$OWNER"),
            ("-all", "-all"),
            ("a: b", "'a: b'"),
            ("'q'", "'''q'''"),
            ("/bin/sh -c \"x; y\"", "/bin/sh -c \"x; y\""),
            ("two\nlines", "|-\n    two\n    lines"),
        ] {
            assert_eq!(scalar(text, 1), written, "{text:?}");
        }
    }
}

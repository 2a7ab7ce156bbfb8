//! What a command shows: answers on standard output, the rest on standard error, and the progress of a run in one of two
//! forms.
//!
//! A reader who goes away must not end a migration, so nobody cares whether a line could be written.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::json;

use crate::migration::RunEvent;

/// The width of the bar, in characters.
const BAR: usize = 30;
/// The width of a terminal, at least.
const LINE: usize = 79;
/// Returns to the line's begin and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Writes a line to standard output.
pub fn print(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", line.trim_end());
    let _ = stdout.flush();
}

/// Writes a line to standard error.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", line.trim_end());
}

/// How the progress of a run is shown.
pub enum Display {
    /// One event a line, on standard output.
    Json,
    /// Lines on standard error.
    Plain,
    /// The same on a terminal, with a bar below them that tells how much is done, and what is done now.
    Bar { done: usize, total: usize, now: String },
}

impl Display {
    pub fn new(json: bool) -> Self {
        if json {
            Self::Json
        } else if io::stderr().is_terminal() {
            Self::Bar { done: 0, total: 0, now: String::new() }
        } else {
            Self::Plain
        }
    }

    /// Shows what a run tells.
    pub fn show(&mut self, progress: &RunEvent) {
        let (event, text, indent) = match progress {
            RunEvent::Step(text) => ("step", text, ""),
            RunEvent::Line(text) => ("line", text, "  "),
        };
        match self {
            Self::Json => print(&json!({ "event": event, "text": text }).to_string()),
            Self::Plain => note(&format!("{indent}{text}")),
            Self::Bar { done, total, now } => {
                match counted(text).filter(|_| event == "step") {
                    Some((applied, of, rest)) => (*done, *total, *now) = (applied, of, rest.to_owned()),
                    None => note(&format!("{CLEAR}{indent}{text}")),
                }
                if *total > 0 {
                    let _ = write!(io::stderr().lock(), "{CLEAR}{}", bar(*done, *total, now));
                }
            }
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Self::Bar { total: 1.., .. } = self {
            let _ = write!(io::stderr().lock(), "{CLEAR}");
        }
    }
}

/// The numbers of a step that begins with `n of m migrations applied`, and the rest of it.
fn counted(step: &str) -> Option<(usize, usize, &str)> {
    let (counts, rest) = step.split_once(" migrations applied")?;
    let (done, total) = counts.split_once(" of ")?;
    Some((done.parse().ok()?, total.parse().ok()?, rest))
}

/// On one line, as far as a line of a terminal goes: a longer one could not be cleared.
fn bar(done: usize, total: usize, now: &str) -> String {
    let full = (BAR * done.min(total)) / total.max(1);
    let (bar, rest) = ("#".repeat(full), ".".repeat(BAR - full));
    format!("[{bar}{rest}] {done} of {total}{now}").chars().take(LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_follows_the_steps_that_count() {
        let step = "169 of 338 migrations applied, now 20250708190000000000 external_id, 12 s";
        let now = ", now 20250708190000000000 external_id, 12 s";
        assert_eq!(counted(step), Some((169, 338, now)));
        assert_eq!(counted("338 of 338 migrations applied"), Some((338, 338, "")));
        for other in ["7 migrations pending for v26.2.0; timeout 120 s", "some of all migrations applied"] {
            assert_eq!(counted(other), None);
        }
        let half = bar(169, 338, now);
        assert_eq!(half, format!("[###############...............] 169 of 338{}", &now[..36]));
        assert!(bar(9, 7, "").starts_with(&format!("[{}]", "#".repeat(BAR))));
        assert_eq!(bar(0, 7, ""), format!("[{}] 0 of 7", ".".repeat(BAR)));
    }
}

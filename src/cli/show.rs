//! What a command shows: answers on standard output, the rest on standard error, and the progress of a run in one of two
//! forms.
//!
//! A reader who goes away must not end a migration, so nobody cares whether a line could be written.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::json;

use crate::migration::Progress;

/// The width of the bar, in characters.
const BAR: usize = 30;
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
    /// The same on a terminal, with a bar below them that tells how much is done.
    Bar { done: usize, total: usize },
}

impl Display {
    pub fn new(json: bool) -> Self {
        if json {
            Self::Json
        } else if io::stderr().is_terminal() {
            Self::Bar { done: 0, total: 0 }
        } else {
            Self::Plain
        }
    }

    /// Shows what a run tells.
    pub fn show(&mut self, progress: &Progress) {
        let (event, text, indent) = match progress {
            Progress::Step(text) => ("step", text, ""),
            Progress::Line(text) => ("line", text, "  "),
        };
        match self {
            Self::Json => print(&json!({ "event": event, "text": text }).to_string()),
            Self::Plain => note(&format!("{indent}{text}")),
            Self::Bar { done, total } => {
                match counted(text).filter(|_| event == "step") {
                    Some(counted) => (*done, *total) = counted,
                    None => note(&format!("{CLEAR}{indent}{text}")),
                }
                if *total > 0 {
                    let _ = write!(io::stderr().lock(), "{CLEAR}{}", bar(*done, *total));
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

/// The numbers of a step that says `n of m migrations applied`.
fn counted(step: &str) -> Option<(usize, usize)> {
    let (done, total) = step.strip_suffix(" migrations applied")?.split_once(" of ")?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

fn bar(done: usize, total: usize) -> String {
    let full = (BAR * done.min(total)) / total.max(1);
    format!("[{}{}] {done} of {total} migrations applied", "#".repeat(full), ".".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_follows_the_steps_that_count() {
        assert_eq!(counted("169 of 338 migrations applied"), Some((169, 338)));
        assert_eq!(counted("7 migrations pending for v26.2.0; timeout 120 s"), None);
        let half = bar(169, 338);
        assert_eq!(half, "[###############...............] 169 of 338 migrations applied");
        assert!(bar(9, 7).starts_with(&format!("[{}]", "#".repeat(BAR))));
        assert!(bar(0, 7).starts_with(&format!("[{}]", ".".repeat(BAR))));
    }
}

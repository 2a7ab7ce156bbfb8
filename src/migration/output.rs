//! The output of the migration process, from pieces of bytes to lines that may be shown.

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::pebble::Output;
use crate::postgres::Dsn;

/// What a run tells while it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunEvent {
    /// What the charm says.
    Step(String),
    /// What Kratos says.
    Line(String),
}

/// Says something of the charm's own.
pub(super) fn say(progress: &mpsc::UnboundedSender<RunEvent>, text: String) {
    // Nobody may be listening any more.
    let _ = progress.send(RunEvent::Step(text));
}

/// The most of a line that is shown, in characters; Kratos prints whole SQL statements.
const LONGEST_LINE: usize = 400;
/// The end of the error output that is kept to tell a failure from, in bytes.
const KEPT: usize = 64 * 1024;

/// Cuts output into lines, hides the password in them and hands them on.
pub struct Lines<'a> {
    dsn: &'a Dsn,
    progress: mpsc::UnboundedSender<RunEvent>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    begun: Instant,
    kept: Kept,
}

/// What is kept of the output.
#[derive(Default)]
pub struct Kept {
    /// The end of the error output.
    pub errors: String,
    /// Each applied migration with the milliseconds from the start until Kratos said so.
    pub steps: Vec<(String, u64)>,
}

impl<'a> Lines<'a> {
    pub fn new(dsn: &'a Dsn, progress: mpsc::UnboundedSender<RunEvent>) -> Self {
        Self {
            dsn,
            progress,
            stdout: Vec::new(),
            stderr: Vec::new(),
            begun: Instant::now(),
            kept: Kept::default(),
        }
    }

    /// Takes a piece of output, cut anywhere.
    pub fn push(&mut self, piece: &Output) {
        match piece {
            Output::Stdout(bytes) => {
                self.stdout.extend_from_slice(bytes);
                for line in whole_lines(&mut self.stdout) {
                    self.plan(&line);
                }
            }
            Output::Stderr(bytes) => {
                self.stderr.extend_from_slice(bytes);
                for line in whole_lines(&mut self.stderr) {
                    self.error(&line);
                }
            }
        }
    }

    /// Hands on what stands without a line end, and returns what is kept.
    pub fn finish(mut self) -> Kept {
        let (stdout, stderr) = (std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr));
        if !stdout.is_empty() {
            self.plan(&String::from_utf8_lossy(&stdout));
        }
        if !stderr.is_empty() {
            self.error(&String::from_utf8_lossy(&stderr));
        }
        self.kept
    }

    fn error(&mut self, line: &str) {
        let line = self.dsn.redact(line).into_owned();
        self.show(&line);
        if line.contains(" applied successfully ")
            && let Some((_, version)) = line.rsplit_once(" version=")
        {
            let elapsed = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.kept.steps.push((version.trim().to_owned(), elapsed));
        }
        let errors = &mut self.kept.errors;
        errors.push_str(&line);
        errors.push('\n');
        if errors.len() > KEPT {
            errors.drain(..errors.ceil_char_boundary(errors.len() - KEPT / 2));
        }
    }

    /// Of the plan that Kratos prints, what is pending and the verdict are shown; not the hundreds of migrations that
    /// were applied long ago, and not their SQL.
    fn plan(&self, line: &str) {
        let is_pending = line.trim_end().ends_with("\tPending");
        let is_verdict = line.starts_with("------------ SUCCESS") || line.starts_with("------------ ERROR");
        if is_pending || is_verdict || line.starts_with("Successfully applied") {
            self.show(line);
        }
    }

    fn show(&self, line: &str) {
        let line = line.trim_end();
        if line.is_empty() || is_stack(line) {
            return;
        }
        let line: String = self.dsn.redact(&shorten(line)).chars().take(LONGEST_LINE).collect();
        // Nobody may be listening any more.
        let _ = self.progress.send(RunEvent::Line(line));
    }
}

/// A frame of a Go stack: a function's name, or the place in a file below it.
fn is_stack(line: &str) -> bool {
    let is_place = line.starts_with("\t/");
    let is_function = line.contains('.') && !line.contains(char::is_whitespace);
    is_place || is_function
}

/// Of an informational log line, the fields that say the same each time are left out.
fn shorten(line: &str) -> String {
    let fields = line.strip_prefix("time=").filter(|_| line.contains(" level=info "));
    let Some((message, rest)) = fields.and_then(|_| line.split_once(" audience=")) else {
        return line.to_owned();
    };
    match rest.rsplit_once(" version=") {
        Some((_, version)) => format!("{message} version={version}"),
        None => message.to_owned(),
    }
}

fn whole_lines(buffer: &mut Vec<u8>) -> Vec<String> {
    let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
    let rest = buffer.split_off(end + 1);
    let text = String::from_utf8_lossy(buffer).into_owned();
    *buffer = rest;
    text.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_lines_without_the_password() {
        let dsn = Dsn::parse("postgres://kratos:top%20secret@db/kratos").unwrap();
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let mut lines = Lines::new(&dsn, sender);
        let stderr = |text: &'static str| Output::Stderr(text.into());
        lines.push(&stderr("time=1 dsn=postgres://kratos:top%20"));
        lines.push(&stderr("secret@db\nERROR: it is top sec"));
        lines.push(&stderr("ret\ngithub.com/ory/x/popx.(*MigrationBox).exec\n\t/src/popx.go:1\n"));
        lines.push(&stderr(
            "time=2 level=info msg=applied audience=application service_name=Ory Kratos version=20\n",
        ));
        lines.push(&Output::Stdout(
            "2019\tnetworks\tApplied\t\n2020\tnew\tPending\t\nALTER TABLE x;\n".into(),
        ));
        let errors = lines.finish().errors;
        let mut shown = Vec::new();
        while let Ok(RunEvent::Line(line)) = receiver.try_recv() {
            shown.push(line);
        }
        assert_eq!(
            shown,
            [
                "time=1 dsn=postgres://kratos:***@db",
                "ERROR: it is ***",
                "time=2 level=info msg=applied version=20",
                "2020\tnew\tPending"
            ]
        );
        assert!(errors.starts_with("time=1 dsn=postgres://kratos:***@db\nERROR: it is ***\n"), "{errors}");
    }
}

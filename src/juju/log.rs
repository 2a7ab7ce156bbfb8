//! Brings what the charm traces into Juju's log.
//!
//! Given an [`Agent`], [`layer`] returns a layer for `tracing-subscriber` and a guard. The layer formats each event and
//! puts it into a queue, since an event may occur where nothing can be awaited; one task writes the queue out in order.
//! [`LogGuard::flush`] waits until everything so far is written, and is called before the process exits.
//!
//! Each call may cost the run of a tool, so give the layer a filter. No line waits for a later one, but those of one level
//! that came together, or while a call was under way, go in one call; a warning or an error always has its own. A line that
//! Juju does not take goes to standard error, which Juju also logs: logging never fails a hook.

use std::fmt::{self, Write};

use tokio::sync::{mpsc, oneshot};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::agent::Agent;

/// Lines go together up to this length in bytes.
const TOGETHER: usize = 16 * 1024;

enum Item {
    Line(Level, String),
    Flush(oneshot::Sender<()>),
}

/// Sends each event to Juju's log as one line: the message, then the fields as `key=value`.
pub struct JujuLogLayer {
    queue: mpsc::UnboundedSender<Item>,
}

/// Waits for the lines that are still under way.
pub struct LogGuard {
    queue: mpsc::UnboundedSender<Item>,
}

/// A layer that logs through `agent`, and its guard. Must be called within a Tokio runtime.
pub fn layer(agent: Agent) -> (JujuLogLayer, LogGuard) {
    let (queue, items) = mpsc::unbounded_channel();
    tokio::spawn(write_out(agent, items));
    (JujuLogLayer { queue: queue.clone() }, LogGuard { queue })
}

async fn write_out(agent: Agent, mut items: mpsc::UnboundedReceiver<Item>) {
    let mut next = None;
    loop {
        let item = match next.take() {
            Some(item) => item,
            None => match items.recv().await {
                Some(item) => item,
                None => return,
            },
        };
        match item {
            Item::Line(level, mut lines) => {
                next = gather(level, &mut lines, &mut items);
                if let Err(error) = agent.juju_log(level, &lines).await {
                    eprintln!("{level} {lines} (not in Juju's log: {error})");
                }
            }
            // Whoever asked may have given up waiting.
            Item::Flush(done) => drop(done.send(())),
        }
    }
}

/// Adds the lines that wait already and may go with the first; the item after them.
fn gather(level: Level, lines: &mut String, items: &mut mpsc::UnboundedReceiver<Item>) -> Option<Item> {
    while level > Level::WARN && lines.len() < TOGETHER {
        match items.try_recv().ok()? {
            Item::Line(next, line) if next == level => {
                lines.push('\n');
                lines.push_str(&line);
            }
            other => return Some(other),
        }
    }
    None
}

impl LogGuard {
    /// Returns when everything that was traced before is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.queue.send(Item::Flush(done)).is_ok() {
            // An error means that the writing task is gone, and with it everything to wait for.
            let _ = written.await;
        }
    }
}

impl<S: Subscriber> Layer<S> for JujuLogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        // The queue outlives the layer except while the runtime shuts down, when nobody listens any more.
        let _ = self.queue.send(Item::Line(*event.metadata().level(), line.text()));
    }
}

#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(mut self) -> String {
        if self.message.is_empty() {
            return self.fields.trim_start().to_owned();
        }
        self.message.push_str(&self.fields);
        self.message
    }

    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => self.message.write_fmt(value),
            name => write!(self.fields, " {name}={value}"),
        };
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let plain = field.name() == "message" || !value.contains(|c: char| c.is_whitespace() || c == '"');
        if plain {
            self.add(field, format_args!("{value}"));
        } else {
            self.add(field, format_args!("{value:?}"));
        }
    }
}

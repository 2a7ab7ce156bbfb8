//! The signals that ask this process to end.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::show::note;
use super::stop::Stop;

/// What a second signal does.
pub const AT_ONCE: &str = "once more ends it at once, and may leave a write fence and sessions behind";

/// Listens to SIGINT (Ctrl-C), SIGTERM and SIGHUP, which then no longer end the process by themselves.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn listen() -> Result<Self, Stop> {
        let listen = |kind| signal(kind).map_err(|error| Stop::Signals(error.to_string()));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// The name of the next one.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }

    /// Does `work`, which is short and must not stay half done: only the second signal drops it.
    pub async fn unless_two<T>(&mut self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            result = &mut work => return result,
            name = self.next() => note(&format!("{name}: this ends by itself within seconds; {AT_ONCE}")),
        }
        self.unless_any(work).await
    }

    /// Does `work`, and drops it at the first signal.
    pub async fn unless_any<T>(&mut self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        tokio::select! {
            result = work => result,
            name = self.next() => Err(Stop::Signal(name)),
        }
    }
}

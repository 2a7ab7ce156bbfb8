//! The signals that ask this process to end.

use std::future::Future;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::stop::Stop;

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

    /// Does `work`, and drops it at the first signal.
    pub async fn unless_any<T>(&mut self, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        tokio::select! {
            result = work => result,
            name = self.next() => Err(Stop::Signal(name)),
        }
    }
}

//! The answering side of a unit's agent socket: hands each hook command to the context of the running hook.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Engine, Moment, TraceEntry};
use crate::agent::{Handler, Reply, Request};
use crate::hooks::{Context, is_write};

const POLL: Duration = Duration::from_millis(1);

/// Serves one context, until it is taken.
pub(super) struct Server {
    pub engine: Arc<Engine>,
    pub unit: String,
    pub event: String,
    pub context_id: String,
    pub context: Mutex<Option<Context>>,
}

impl Handler for Server {
    fn delay(&self) -> Duration {
        self.engine.state().command_delay
    }

    async fn call(&self, request: Request) -> Reply {
        // A child that outlived a killed charm may still call, over the socket of the next run.
        let stale = request.context_id != self.context_id;
        let moment = if stale || asks_for_input(&request) { None } else { self.strikes() };
        if moment == Some(Moment::Before) {
            self.record(&request, None);
            return self.kill().await;
        }
        let reply = {
            let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(context) = context.as_mut() else {
                return Reply::Rpc(format!("bad request: wrong context ID; got \"{}\"", request.context_id));
            };
            let mut state = self.engine.state();
            let reply = context.run(&mut state.model, &request, SystemTime::now());
            state.log.append(&mut context.log);
            reply
        };
        let code = match &reply {
            Reply::Exit { code, .. } => Some(*code),
            Reply::Rpc(_) => None,
        };
        if reply != Reply::stdin_needed() {
            self.record(&request, code);
        }
        self.engine.changed();
        if moment == Some(Moment::After) {
            return self.kill().await;
        }
        reply
    }
}

impl Server {
    /// Takes the context out: whoever calls after this is told that its context is over.
    pub fn take(&self) -> Option<Context> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    // Counts this call; says when the fault strikes, if it does now.
    fn strikes(&self) -> Option<Moment> {
        let mut state = self.engine.state();
        let (fault, calls) = state.fault.as_mut()?;
        if fault.unit.as_ref().is_some_and(|only| *only != self.unit) {
            return None;
        }
        *calls += 1;
        if *calls < fault.n {
            return None;
        }
        state.fault.take().map(|(fault, _)| fault.moment)
    }

    fn record(&self, request: &Request, code: Option<i64>) {
        self.engine.state().trace.push(TraceEntry {
            unit: self.unit.clone(),
            event: self.event.clone(),
            command: request.command.clone(),
            args: request.args.clone(),
            stdin: request.stdin.clone(),
            code,
            write: is_write(&request.command),
        });
    }

    // Kills the charm and never answers.
    async fn kill(&self) -> Reply {
        let pid = || self.engine.state().running.get(&self.unit).and_then(|running| running.pid);
        // The charm can call before whoever started it has written its process id down.
        let mut found = pid();
        while found.is_none() {
            tokio::time::sleep(POLL).await;
            found = pid();
        }
        if let Some(pid) = found {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        std::future::pending().await
    }
}

// A command that reads its input asks for it first and comes again: it counts when it comes with it.
fn asks_for_input(request: &Request) -> bool {
    let args = &request.args;
    let reads = args.windows(2).any(|pair| pair[0] == "--file" && pair[1] == "-")
        || args.iter().any(|arg| arg == "--file=-");
    reads && request.stdin.is_none()
}

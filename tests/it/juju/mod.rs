//! The charm's side of the Juju agent, through its public interface: events from written-down environments, every hook
//! command over a recording transport, and the real transports: the agent's socket, and scripts that stand for Juju's tools.

mod agent;
mod events;
mod exec;
mod hooks;
mod log;
mod recorder;
mod socket;

//! juju's commands as the sandbox understands them, from its interface and from its prompt.

mod applications;
mod container;
mod reading;
mod shell;

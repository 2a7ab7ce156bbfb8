//! juju

//! `serve`: where Kratos listens.

use serde::Serialize;

use super::section::{Section, TakesEffect};
use crate::kratos::facts::Facts;
use crate::kratos::names::{ADMIN_PORT, PUBLIC_PORT};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Serve {
    admin: Listener,
    public: Listener,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Listener {
    host: String,
    port: u16,
}

impl Section for Serve {
    const KEY: &'static str = "serve";
    const EFFECT: TakesEffect = TakesEffect::AtStart;
}

impl Serve {
    pub fn new(facts: &Facts) -> Self {
        let listener = |port| Listener { host: facts.place.listen_address().to_owned(), port };
        Self { admin: listener(ADMIN_PORT), public: listener(PUBLIC_PORT) }
    }
}

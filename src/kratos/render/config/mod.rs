//! kratos.yaml: a typed model of the part of Kratos' configuration that the charm sets (docs/behaviour.md#row-52 to
//! #row-76).
//!
//! Given the facts, [`KratosConfig::render`] builds the file from types, never from text, so that no value can change its
//! shape. What the Kratos in question would refuse is left out, and a [`Note`] says what and why: one bad entry of a
//! relation must not cost the others, let alone the running service.

mod flows;
mod hooks;
mod identity;
mod methods;
mod oidc;
mod pages;
mod section;
mod serve;
#[cfg(test)]
mod tests;
mod usable;

use serde::Serialize;

use self::flows::Flows;
use self::hooks::FlowHooks;
use self::identity::Identity;
use self::methods::Methods;
use self::pages::Pages;
use self::section::{Section, TakesEffect};
use self::serve::Serve;
use self::usable::Usable;
use super::notes::{Note, shown};
use crate::kratos::facts::{Facts, otlp};
use crate::yaml;

pub use identity::{BUNDLED_SCHEMAS, DEFAULT_SCHEMA};

/// Where a browser goes while no login user interface is integrated (docs/behaviour.md#row-55).
const PLACEHOLDER_RETURN_URL: &str = "http://example-default-return-url.com";

/// The whole file, in Kratos' own words. `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KratosConfig {
    identity: Identity,
    selfservice: Selfservice,
    serve: Serve,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Selfservice {
    default_browser_return_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    flows: Option<Flows>,
    #[serde(skip_serializing_if = "Option::is_none")]
    methods: Option<Methods>,
}

impl Section for Selfservice {
    const KEY: &'static str = "selfservice";
    const EFFECT: TakesEffect = TakesEffect::Live;
}

/// Every section of the file, as it is declared beside its type.
const SECTIONS: [(&str, TakesEffect); 3] =
    [(Identity::KEY, Identity::EFFECT), (Selfservice::KEY, Selfservice::EFFECT), (Serve::KEY, Serve::EFFECT)];

/// Whether a running Kratos follows a change below this top-level key of the file.
pub fn is_live(key: &str) -> bool {
    SECTIONS.contains(&(key, TakesEffect::Live))
}

impl KratosConfig {
    /// The configuration, and what was left out of it.
    pub fn render(facts: &Facts) -> (Self, Vec<Note>) {
        tracing::trace!("rendering kratos.yaml");
        let mut notes = Vec::new();
        let identity = Identity::new(facts, &mut notes);
        let is_traced = facts.otlp.as_ref().is_some_and(|url| otlp::endpoint(url).is_ok());
        let usable = Usable {
            facts,
            pages: Pages::new(&facts.login_ui, &mut notes),
            providers: oidc::providers(facts, &mut notes),
            registration: FlowHooks::for_registration(&facts.registration_hooks, is_traced, &mut notes),
            login: FlowHooks::for_login(&facts.login_hooks, is_traced, &mut notes),
        };
        if facts.options.is_webauthn_wanted() && !usable.is_webauthn() {
            let text = match &facts.public_url {
                None => "Security keys are off without a public host name".to_owned(),
                Some(url) => format!(
                    "Security keys are off: browsers bind them to https and a domain name, which {} is not",
                    shown(&url.origin())
                ),
            };
            notes.push(Note::from_endpoint("public-route", text));
        }
        let return_url = usable.pages.settings.clone();
        let config = Self {
            identity,
            selfservice: Selfservice {
                default_browser_return_url: return_url.unwrap_or_else(|| PLACEHOLDER_RETURN_URL.to_owned()),
                flows: Flows::new(&usable),
                methods: Methods::new(&usable),
            },
            serve: Serve::new(facts),
        };
        (config, notes)
    }

    /// The text of the file.
    pub fn to_yaml(&self) -> String {
        yaml::text(&serde_json::to_value(self).unwrap_or_default())
    }
}

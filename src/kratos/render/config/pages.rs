//! The pages of the login user interface that Kratos is told.

use crate::kratos::facts::login_ui::LoginUi;
use crate::kratos::facts::uri::is_page;
use crate::kratos::render::notes::{Note, shown};

/// Their addresses; `None`: there is no such page, or its address is none.
pub(super) struct Pages {
    pub error: Option<String>,
    pub login: Option<String>,
    pub recovery: Option<String>,
    pub registration: Option<String>,
    pub settings: Option<String>,
    pub webauthn_settings: Option<String>,
    pub account_linking_settings: Option<String>,
    pub verification: Option<String>,
}

impl Pages {
    pub fn new(ui: &LoginUi, notes: &mut Vec<Note>) -> Self {
        let mut page = |name: &str, address: &Option<String>| {
            let address = address.clone().filter(|address| !address.trim().is_empty())?;
            if is_page(&address) {
                return Some(address);
            }
            let text = format!("{name} is not used: {} is no URL of a page", shown(&address));
            notes.push(Note::from_endpoint("ui-endpoint-info", text));
            None
        };
        Self {
            error: page("error_url", &ui.error_url),
            login: page("login_url", &ui.login_url),
            recovery: page("recovery_url", &ui.recovery_url),
            registration: page("registration_url", &ui.registration_url),
            settings: page("settings_url", &ui.settings_url),
            webauthn_settings: page("webauthn_settings_url", &ui.webauthn_settings_url),
            account_linking_settings: page("account_linking_settings_url", &ui.account_linking_settings_url),
            verification: page("verification_url", &ui.verification_url),
        }
    }
}

//! The pages of the login user interface, to which Kratos sends browsers.

use serde::Deserialize;

/// URLs, absolute or relative references; `None`: the interface has no such page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoginUi {
    pub consent_url: Option<String>,
    pub error_url: Option<String>,
    pub login_url: Option<String>,
    pub oidc_error_url: Option<String>,
    pub device_verification_url: Option<String>,
    pub post_device_done_url: Option<String>,
    pub recovery_url: Option<String>,
    pub registration_url: Option<String>,
    pub settings_url: Option<String>,
    pub webauthn_settings_url: Option<String>,
    pub account_linking_settings_url: Option<String>,
    pub verification_url: Option<String>,
}

/// A page's key, and its place.
pub type PageField = (&'static str, fn(&mut LoginUi) -> &mut Option<String>);

/// Every page.
pub const PAGES: [PageField; 12] = [
    ("consent_url", |ui| &mut ui.consent_url),
    ("error_url", |ui| &mut ui.error_url),
    ("login_url", |ui| &mut ui.login_url),
    ("oidc_error_url", |ui| &mut ui.oidc_error_url),
    ("device_verification_url", |ui| &mut ui.device_verification_url),
    ("post_device_done_url", |ui| &mut ui.post_device_done_url),
    ("recovery_url", |ui| &mut ui.recovery_url),
    ("registration_url", |ui| &mut ui.registration_url),
    ("settings_url", |ui| &mut ui.settings_url),
    ("webauthn_settings_url", |ui| &mut ui.webauthn_settings_url),
    ("account_linking_settings_url", |ui| &mut ui.account_linking_settings_url),
    ("verification_url", |ui| &mut ui.verification_url),
];

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

//! `selfservice.flows`: where each flow takes a browser, and what is called before and after it
//! (docs/behaviour.md#row-56 to #row-66).

use serde::Serialize;

use super::hooks::{Hook, Hooks};
use super::usable::Usable;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Flows {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<FlowPage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<Login>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery: Option<Recovery>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification: Option<Verification>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<Registration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct FlowPage {
    ui_url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Login {
    #[serde(skip_serializing_if = "Option::is_none")]
    ui_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Hooks>,
    #[serde(skip_serializing_if = "AfterMethods::is_empty")]
    after: AfterMethods,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Registration {
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ui_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Hooks>,
    #[serde(skip_serializing_if = "AfterMethods::is_empty")]
    after: AfterMethods,
}

/// What is called after each method.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct AfterMethods {
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webauthn: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<Hooks>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup_secret: Option<Hooks>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Settings {
    ui_url: String,
    required_aal: &'static str,
    #[serde(skip_serializing_if = "AfterSettings::is_empty")]
    after: AfterSettings,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct AfterSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<ReturnTo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webauthn: Option<ReturnTo>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ReturnTo {
    default_browser_return_url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Recovery {
    enabled: bool,
    ui_url: String,
    r#use: &'static str,
    after: AfterRecovery,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct AfterRecovery {
    #[serde(skip_serializing_if = "Option::is_none")]
    default_browser_return_url: Option<String>,
    hooks: Vec<Hook>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Verification {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ui_url: Option<String>,
    lifespan: &'static str,
    r#use: &'static str,
    notify_unknown_recipients: bool,
}

impl Flows {
    /// `None`: nobody has a page or a wish for any of them (docs/behaviour.md#row-56).
    pub fn new(usable: &Usable<'_>) -> Option<Self> {
        let pages = &usable.pages;
        let is_any = pages.error.is_some()
            || pages.login.is_some()
            || !usable.providers.is_empty()
            || !usable.registration.is_empty()
            || !usable.login.is_empty();
        is_any.then(|| Self {
            error: pages.error.clone().map(|ui_url| FlowPage { ui_url }),
            login: login(usable),
            settings: settings(usable),
            recovery: recovery(usable),
            verification: verification(usable),
            registration: registration(usable),
        })
    }
}

impl AfterMethods {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl AfterSettings {
    fn is_empty(&self) -> bool {
        self.oidc.is_none() && self.webauthn.is_none()
    }
}

/// The login (docs/behaviour.md#row-57, #row-63 and #row-64).
fn login(usable: &Usable<'_>) -> Option<Login> {
    let (options, hooks, page) = (&usable.facts.options, &usable.login, &usable.pages.login);
    let after = |is_active: bool, method: &str| is_active.then(|| hooks.after(method)).flatten();
    let local = options.enable_local_idp;
    let login = Login {
        ui_url: page.clone(),
        style: page.as_ref().map(|_| "identifier_first"),
        before: hooks.before(),
        after: AfterMethods {
            password: after(local, "password"),
            oidc: after(!usable.providers.is_empty(), "oidc"),
            code: after(local, "code"),
            webauthn: after(usable.is_webauthn(), "webauthn"),
            totp: after(options.is_local_mfa(), "totp"),
            lookup_secret: after(
                options.enable_oidc_webauthn_sequencing || options.is_local_mfa(),
                "lookup_secret",
            ),
        },
    };
    (page.is_some() || !hooks.is_empty()).then_some(login)
}

/// The settings page (docs/behaviour.md#row-58).
fn settings(usable: &Usable<'_>) -> Option<Settings> {
    let pages = &usable.pages;
    let return_to = |page: &Option<String>| {
        page.clone().map(|default_browser_return_url| ReturnTo { default_browser_return_url })
    };
    Some(Settings {
        ui_url: pages.settings.clone()?,
        required_aal: "highest_available",
        after: AfterSettings {
            oidc: return_to(&pages.account_linking_settings),
            webauthn: usable.is_webauthn().then(|| return_to(&pages.webauthn_settings)).flatten(),
        },
    })
}

/// Recovery (docs/behaviour.md#row-59).
fn recovery(usable: &Usable<'_>) -> Option<Recovery> {
    let ui_url = usable.pages.recovery.clone().filter(|_| usable.facts.options.enable_local_idp)?;
    Some(Recovery {
        enabled: true,
        ui_url,
        r#use: "code",
        after: AfterRecovery {
            default_browser_return_url: usable.pages.settings.clone(),
            hooks: vec![Hook::RevokeActiveSessions],
        },
    })
}

/// Verification (docs/behaviour.md#row-60).
fn verification(usable: &Usable<'_>) -> Option<Verification> {
    let options = &usable.facts.options;
    (options.enable_verification && options.enable_local_idp).then(|| Verification {
        enabled: true,
        ui_url: usable.pages.verification.clone(),
        lifespan: "1h",
        r#use: "code",
        notify_unknown_recipients: false,
    })
}

/// Registration (docs/behaviour.md#row-61 to #row-63). Where nobody shows a page to register on, Kratos would let
/// everybody register all the same: that is switched off, unless a first login through a provider or a hook's owner may
/// need it.
fn registration(usable: &Usable<'_>) -> Option<Registration> {
    let (options, hooks, page) = (&usable.facts.options, &usable.registration, &usable.pages.registration);
    let is_external = !hooks.is_empty() || !usable.providers.is_empty();
    if !is_external && !options.enable_local_idp {
        return None;
    }
    let session =
        |is_active: bool, method: &str| is_active.then(|| hooks.after_then(method, [Hook::Session]));
    let verified = |is_active: bool, method: &str| {
        let ui = options.enable_verification.then_some(Hook::ShowVerificationUi);
        is_active.then(|| hooks.after_then(method, ui.into_iter().chain([Hook::Session])))
    };
    let local = options.enable_local_idp;
    Some(Registration {
        enabled: match page {
            Some(_) => Some(true),
            None => (!is_external).then_some(false),
        },
        ui_url: page.clone(),
        before: hooks.before(),
        after: AfterMethods {
            password: verified(local, "password"),
            oidc: session(is_external, "oidc"),
            code: verified(local || options.enable_oidc_webauthn_sequencing, "code"),
            webauthn: session(options.enable_passwordless_login_method, "webauthn"),
            ..AfterMethods::default()
        },
    })
}

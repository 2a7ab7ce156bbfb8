//! `selfservice.methods`: how people may authenticate (docs/behaviour.md#row-68 to #row-74).

use serde::Serialize;

use super::oidc::Provider;
use super::usable::Usable;

/// What is shown in authenticator programs and by browsers.
const ISSUER: &str = "Identity Platform";

/// A method that is not named is as Kratos has it by itself: profile, code and password on, the others off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Methods {
    profile: Switch,
    link: Switch,
    passkey: Switch,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Switch>,
    password: Password,
    #[serde(skip_serializing_if = "Option::is_none")]
    totp: Option<Totp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup_secret: Option<Switch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webauthn: Option<Webauthn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oidc: Option<Oidc>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Switch {
    enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Password {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<PasswordConfig>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct PasswordConfig {
    /// Would send a part of a hash of each password to a host outside.
    haveibeenpwned_enabled: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Totp {
    enabled: bool,
    config: TotpConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct TotpConfig {
    issuer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Webauthn {
    enabled: bool,
    config: WebauthnConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct WebauthnConfig {
    passwordless: bool,
    rp: RelyingParty,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct RelyingParty {
    id: String,
    origins: Vec<String>,
    display_name: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Oidc {
    enabled: bool,
    config: OidcConfig,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct OidcConfig {
    providers: Vec<Provider>,
}

impl Methods {
    /// `None`: all methods are as Kratos has them by itself (docs/behaviour.md#row-68). Without local accounts that
    /// would leave passwords on, so then they are always named.
    pub fn new(usable: &Usable<'_>) -> Option<Self> {
        let options = &usable.facts.options;
        let (local, recovery) = (options.enable_local_idp, usable.pages.recovery.is_some());
        let is_any = !usable.providers.is_empty() || recovery || usable.is_password() || !local;
        let on = |is_on: bool| is_on.then_some(Switch { enabled: true });
        is_any.then(|| Self {
            profile: Switch { enabled: local },
            link: Switch { enabled: false },
            passkey: Switch { enabled: false },
            code: on((recovery || options.enable_verification) && local),
            password: Password {
                enabled: usable.is_password(),
                config: usable.is_password().then_some(PasswordConfig { haveibeenpwned_enabled: false }),
            },
            totp: (usable.is_password() && options.enforce_mfa)
                .then_some(Totp { enabled: true, config: TotpConfig { issuer: ISSUER } }),
            lookup_secret: on(options.enable_oidc_webauthn_sequencing || options.is_local_mfa()),
            webauthn: webauthn(usable),
            oidc: oidc(&usable.providers),
        })
    }
}

/// The security keys (docs/behaviour.md#row-74). The origin keeps its port, the id of the relying party has none.
fn webauthn(usable: &Usable<'_>) -> Option<Webauthn> {
    let url = usable.facts.public_url.as_ref().filter(|_| usable.is_webauthn())?;
    let rp = RelyingParty { id: url.host().to_owned(), origins: vec![url.origin()], display_name: ISSUER };
    let passwordless = usable.facts.options.enable_passwordless_login_method;
    Some(Webauthn { enabled: true, config: WebauthnConfig { passwordless, rp } })
}

fn oidc(providers: &[Provider]) -> Option<Oidc> {
    let config = OidcConfig { providers: providers.to_vec() };
    (!providers.is_empty()).then_some(Oidc { enabled: true, config })
}

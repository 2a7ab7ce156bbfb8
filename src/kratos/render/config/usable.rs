//! The facts with only what can be rendered: the input of the parts of kratos.yaml that depend on several facts.

use super::hooks::FlowHooks;
use super::oidc::Provider;
use super::pages::Pages;
use crate::kratos::facts::Facts;
use crate::kratos::facts::public_url::PublicUrl;

/// The facts with only what can be rendered.
pub(super) struct Usable<'a> {
    pub facts: &'a Facts,
    pub pages: Pages,
    pub providers: Vec<Provider>,
    pub registration: FlowHooks<'a>,
    pub login: FlowHooks<'a>,
}

impl Usable<'_> {
    /// Whether security keys can be used: they are wanted, and there is a host name to bind them to.
    pub fn is_webauthn(&self) -> bool {
        self.facts.options.is_webauthn_wanted()
            && self.facts.public_url.as_ref().is_some_and(PublicUrl::may_bind_keys)
    }

    /// Whether passwords are used: there are local accounts, and a page to log in.
    pub fn is_password(&self) -> bool {
        self.facts.options.enable_local_idp && self.pages.login.is_some()
    }
}

//! What Kratos cannot be configured with.

use crate::charm::observed::{Observed, StoredSecret};
use crate::charm::situation::parsed::Parsed;
use crate::charm::situation::secrets::secrets as known_secrets;
use crate::charm::texts::{blocked, waiting};
use crate::integrations::database::Answer;
use crate::juju::Status;

/// The secrets (docs/behaviour.md#row-5).
pub fn secrets(observed: &Observed, _: &Parsed) -> Option<Status> {
    match (&observed.cookie_secret, &observed.kratos_secrets) {
        (StoredSecret::Unreadable(reason), _) | (_, StoredSecret::Unreadable(reason)) => {
            Some(waiting(format!("Waiting for secret creation: {reason}")))
        }
        (StoredSecret::Absent, _) if !observed.is_leader => Some(waiting("Waiting for secret creation")),
        _ => None,
    }
}

pub fn options(_: &Observed, parsed: &Parsed) -> Option<Status> {
    parsed.options.as_ref().err().map(|invalid| blocked(invalid.to_string()))
}

/// Options that exclude each other (docs/behaviour.md#row-10), and their twin: a security key is bound to a host name,
/// so there has to be one.
pub fn webauthn(observed: &Observed, parsed: &Parsed) -> Option<Status> {
    let options = parsed.options.as_ref().ok().filter(|options| options.is_webauthn_wanted())?;
    let application = observed.application();
    if options.enable_passwordless_login_method && options.enable_oidc_webauthn_sequencing {
        return Some(blocked(format!(
            "OIDC-WebAuthn sequencing mode requires `enable_passwordless_login_method=False`. Please change the config. \
             Run: juju config {application} enable_passwordless_login_method=false"
        )));
    }
    // Before database and secrets are known, other blockers say what is missing.
    let is_known = matches!(parsed.database, Answer::Ready(_)) && known_secrets(observed).is_some();
    if !is_known || parsed.related.public_url.is_some() {
        return None;
    }
    let option = match options.enable_passwordless_login_method {
        true => "enable_passwordless_login_method",
        false => "enable_oidc_webauthn_sequencing",
    };
    Some(blocked(format!(
        "Invalid option {option}=true: a security key is bound to a public host name, and there is none; run: \
         juju integrate {application}:public-route traefik-k8s:traefik-route, or: juju config {application} {option}=false"
    )))
}

//! Whether there is anything for the courier to do.

use crate::kratos::facts::Facts;
use crate::kratos::facts::smtp::Smtp;

/// Whether it has a mail server to send through. Without one it could only give up every mail after a while.
pub fn is_courier_needed(smtp: Option<&Smtp>) -> bool {
    smtp.is_some_and(|smtp| smtp.uri().is_ok())
}

/// What cannot work without a mail server, although it is switched on.
pub fn unsent(facts: &Facts) -> Option<Unsent> {
    if is_courier_needed(facts.smtp.as_ref()) || !facts.options.enable_local_idp {
        return None;
    }
    match (facts.options.enable_verification, &facts.login_ui.recovery_url) {
        (true, _) => Some(Unsent::Verification),
        (false, Some(_)) => Some(Unsent::Recovery),
        (false, None) => None,
    }
}

/// A kind of mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    Verification,
    Recovery,
}

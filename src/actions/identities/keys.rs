//! The keys of an identity: security keys (`webauthn`) and passkeys.

use serde_json::Value;

/// The keys that the credential of this kind holds, if what it holds was asked for.
///
/// The credential alone says nothing: every identity has an empty one whose schema names an identifier for it, as the
/// charm's own schemas do.
pub fn keys<'c>(credentials: &'c Value, kind: &str) -> impl Iterator<Item = &'c Value> + use<'c> {
    credentials[kind]["config"]["credentials"].as_array().into_iter().flatten()
}

//! The hooks of a flow: web hooks of relations, and Kratos' own.
//!
//! Kratos runs the hooks of a method *instead of* those of the flow, so the web hooks for all methods are repeated in
//! the section of each (docs/behaviour.md#row-65). Before a flow nobody has chosen a method yet: Kratos' schema has no
//! place for a before hook of one method, and such a hook is reported.

use reqwest::Url;
use serde::Serialize;

use crate::kratos::facts::secret::{Secret, expose};
use crate::kratos::facts::uri::{is_document, web_url};
use crate::kratos::facts::web_hook::{KeyPlace, WebHook, When};
use crate::kratos::render::notes::{Note, shown};

/// The methods after which a registration or a login can call a hook.
const REGISTRATION_METHODS: &[&str] = &["password", "oidc", "code", "webauthn"];
const LOGIN_METHODS: &[&str] = &["password", "oidc", "code", "webauthn", "totp", "lookup_secret"];

/// A section with nothing but hooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Hooks {
    hooks: Vec<Hook>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "hook", rename_all = "snake_case")]
pub(super) enum Hook {
    #[serde(rename = "web_hook")]
    Web {
        config: Request,
    },
    Session,
    ShowVerificationUi,
    RevokeActiveSessions,
}

/// `config` of a web hook (docs/behaviour.md#row-67).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Request {
    url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    body: String,
    method: String,
    emit_analytics_event: bool,
    response: Response,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Auth>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Response {
    ignore: bool,
    parse: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Auth {
    r#type: &'static str,
    config: ApiKey,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ApiKey {
    name: String,
    #[serde(serialize_with = "expose")]
    value: Secret,
    r#in: &'static str,
}

/// The usable web hooks of one flow, in the order in which they are called.
pub(super) struct FlowHooks<'a> {
    hooks: Vec<&'a WebHook>,
    is_traced: bool,
}

impl<'a> FlowHooks<'a> {
    pub fn for_registration(hooks: &'a [WebHook], is_traced: bool, notes: &mut Vec<Note>) -> Self {
        Self::new("kratos-registration-webhook", REGISTRATION_METHODS, hooks, is_traced, notes)
    }

    pub fn for_login(hooks: &'a [WebHook], is_traced: bool, notes: &mut Vec<Note>) -> Self {
        Self::new("kratos-login-webhook", LOGIN_METHODS, hooks, is_traced, notes)
    }

    fn new(
        endpoint: &'static str,
        methods: &[&str],
        hooks: &'a [WebHook],
        is_traced: bool,
        notes: &mut Vec<Note>,
    ) -> Self {
        let mut usable = Vec::new();
        for hook in hooks {
            match fault(hook, methods) {
                None => usable.push(hook),
                Some(fault) => {
                    let text = format!("The web hook {} is not called: {fault}", address(hook));
                    notes.push(Note::from_endpoint(endpoint, text));
                }
            }
        }
        // Of equal weight, those for all methods come first (docs/behaviour.md#row-62 and #row-66).
        usable.sort_by_key(|hook| (hook.weight, !hook.methods.is_empty()));
        Self { hooks: usable, is_traced }
    }

    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty()
    }

    /// Those before the flow; `None`: there are none.
    pub fn before(&self) -> Option<Hooks> {
        Hooks::new(self.requests(|hook| hook.when == When::Before))
    }

    /// Those after a method, for all methods or for this one; `None`: there are none.
    pub fn after(&self, method: &str) -> Option<Hooks> {
        Hooks::new(self.after_with(method, []))
    }

    /// Those after a method with Kratos' own behind them.
    pub fn after_then(&self, method: &str, own: impl IntoIterator<Item = Hook>) -> Hooks {
        Hooks { hooks: self.after_with(method, own) }
    }

    fn after_with(&self, method: &str, own: impl IntoIterator<Item = Hook>) -> Vec<Hook> {
        let is_meant = |hook: &WebHook| {
            hook.when == When::After
                && (hook.methods.is_empty() || hook.methods.iter().any(|name| name == method))
        };
        let mut hooks = self.requests(is_meant);
        hooks.extend(own);
        hooks
    }

    /// Kratos refuses a list in which two hooks are equal.
    fn requests(&self, is_meant: impl Fn(&WebHook) -> bool) -> Vec<Hook> {
        let mut requests = Vec::new();
        for hook in self.hooks.iter().filter(|hook| is_meant(hook)) {
            let request = Hook::Web { config: Request::new(hook, self.is_traced) };
            if !requests.contains(&request) {
                requests.push(request);
            }
        }
        requests
    }
}

impl Hooks {
    pub fn new(hooks: Vec<Hook>) -> Option<Self> {
        (!hooks.is_empty()).then_some(Self { hooks })
    }
}

impl Request {
    fn new(hook: &WebHook, is_traced: bool) -> Self {
        let auth = hook.auth.as_ref().map(|key| Auth {
            r#type: "api_key",
            config: ApiKey {
                name: key.name.clone(),
                value: key.value.clone(),
                r#in: match key.place {
                    KeyPlace::Header => "header",
                    KeyPlace::Cookie => "cookie",
                },
            },
        });
        Self {
            url: hook.url.clone(),
            body: hook.body.clone(),
            method: hook.method.clone(),
            emit_analytics_event: is_traced,
            response: Response { ignore: hook.response_ignore, parse: hook.response_parse },
            auth,
        }
    }
}

/// What keeps a hook from being rendered, if anything does.
fn fault(hook: &WebHook, methods: &[&str]) -> Option<String> {
    let is_token = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let is_known = |name: &String| methods.contains(&name.as_str());
    let text = match hook {
        hook if web_url(&hook.url).is_none() => "its url is no http(s):// URL",
        hook if !is_token(&hook.method) => "its method is no HTTP method",
        hook if !hook.body.is_empty() && !is_document(&hook.body) => {
            "its body is no base64://, http(s):// or file:// URL of a Jsonnet document"
        }
        hook if hook.response_ignore && hook.response_parse => {
            "it asks Kratos to ignore the response and to parse it"
        }
        WebHook { auth: Some(key), .. } if !is_token(&key.name) => {
            "the name of its API key is no name of a header"
        }
        WebHook { auth: Some(key), .. }
            if key.value.0.is_empty() || key.value.0.chars().any(char::is_control) =>
        {
            "its API key is empty or not on one line"
        }
        WebHook { when: When::Before, methods, .. } if !methods.is_empty() => {
            "Kratos knows no hook that is called before one method only"
        }
        hook if !hook.methods.is_empty() && !hook.methods.iter().any(is_known) => {
            return Some(format!("none of its methods is one of {}", methods.join(", ")));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// The URL for a status: its path, password and query may be what lets somebody in.
fn address(hook: &WebHook) -> String {
    match Url::parse(&hook.url) {
        Ok(url) => shown(&format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default())),
        Err(_) => "(no URL)".to_owned(),
    }
}

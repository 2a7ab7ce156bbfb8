//! One request: who asks, whether they may, and what they get.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::objects::Objects;
use super::{Call, Failure};

const LARGEST: usize = 3 << 20;

/// A refusal, in the API's words.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into() }
    }
}

type Shared = Arc<Mutex<Objects>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Objects> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let bytes = to_bytes(body, LARGEST).await.unwrap_or_default();
    let token = header("authorization").and_then(|text| text.strip_prefix("Bearer ").map(str::to_owned));
    let application = token.and_then(|token| Objects::application_of(&token));
    let asked = Asked {
        application: application.clone().unwrap_or_default(),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query(parts.uri.query().unwrap_or_default()),
        content_type: header("content-type"),
        // JSON is YAML, and YAML is what a patch is declared to be.
        body: serde_yaml::from_slice(&bytes).unwrap_or(Value::Null),
    };
    let at = {
        let mut objects = lock(&shared);
        objects.calls.push(Call {
            application: asked.application.clone(),
            method: asked.method.clone(),
            path: parts.uri.to_string(),
            content_type: asked.content_type.clone(),
            body: asked.body.clone(),
            code: None,
        });
        objects.calls.len() - 1
    };
    let fault = lock(&shared).fault.filter(|fault| {
        fault.method.is_none_or(|method| method == asked.method)
            && fault.resource.is_none_or(|resource| asked.path.contains(resource))
    });
    let result = match fault.map(|fault| fault.failure) {
        Some(Failure::Hang) => std::future::pending().await,
        Some(Failure::Garbage) => return "<html>client_secret: sesame</html>".into_response(),
        Some(Failure::Code(code)) => {
            Err(Refusal::new(code, "Fault", format!("the API was told to answer {code}")))
        }
        None if application.is_none() => Err(Refusal::new(401, "Unauthorized", "Unauthorized")),
        None => asked.handle(&mut lock(&shared)),
    };
    let (code, body) = match result {
        Ok((code, body)) => (code, body),
        Err(refusal) => (
            refusal.code,
            json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": refusal.message, "reason": refusal.reason, "code": refusal.code,
            }),
        ),
    };
    if let Some(call) = lock(&shared).calls.get_mut(at) {
        call.code = Some(code);
    }
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [("content-type", "application/json")], Body::from(body.to_string())).into_response()
}

fn query(text: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decode(key), decode(value))).collect()
}

struct Asked {
    application: String,
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    content_type: Option<String>,
    body: Value,
}

impl Asked {
    fn handle(&self, objects: &mut Objects) -> Result<(u16, Value), Refusal> {
        let unknown = || Refusal::new(404, "NotFound", "the server could not find the requested resource");
        let namespace = objects.namespace.clone();
        let (group, resource, name) = [("", "/api/v1"), ("apps", "/apis/apps/v1")]
            .into_iter()
            .find_map(|(group, root)| {
                let rest = self.path.strip_prefix(&format!("{root}/namespaces/"))?;
                let mut parts = rest.splitn(3, '/');
                let (asked, resource) = (parts.next()?, parts.next()?);
                (asked == namespace).then(|| (group, resource.to_owned(), parts.next().map(str::to_owned)))
            })
            .ok_or_else(unknown)?;
        if !objects.is_trusted(&self.application) {
            return Err(self.forbidden(group, &resource, name.as_deref(), &namespace));
        }
        match (group, resource.as_str(), self.method.as_str(), name.as_deref()) {
            ("", "configmaps", "GET", Some(name)) => {
                let found = objects.config_maps.get(name).cloned();
                Ok((200, found.ok_or_else(|| missing("configmaps", name))?))
            }
            ("", "configmaps", "POST", None) => self.create(objects),
            ("", "configmaps", "PATCH", Some(name)) => self.merge(objects, name),
            ("apps", "statefulsets", "GET", Some(name)) => {
                let found =
                    objects.stateful_sets.get(name).ok_or_else(|| missing("statefulsets.apps", name))?;
                Ok((200, found.told()))
            }
            ("apps", "statefulsets", "PATCH", Some(name)) => self.apply(objects, name),
            _ => Err(unknown()),
        }
    }

    fn forbidden(&self, group: &str, resource: &str, name: Option<&str>, namespace: &str) -> Refusal {
        let verb = match self.method.as_str() {
            "GET" => "get",
            "POST" => "create",
            _ => "patch",
        };
        let what = if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") };
        let named = name.map_or_else(String::new, |name| format!(" \"{name}\""));
        let user = format!("system:serviceaccount:{namespace}:{}", self.application);
        Refusal::new(
            403,
            "Forbidden",
            format!(
                "{what}{named} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \
                 \"{group}\" in the namespace \"{namespace}\""
            ),
        )
    }

    fn declared(&self, expected: &str) -> Result<(), Refusal> {
        if self.content_type.as_deref() == Some(expected) {
            return Ok(());
        }
        let given = self.content_type.as_deref().unwrap_or_default();
        let text = format!("the body of the request was in an unknown format: {given}");
        Err(Refusal::new(415, "UnsupportedMediaType", text))
    }

    fn create(&self, objects: &mut Objects) -> Result<(u16, Value), Refusal> {
        self.declared("application/json")?;
        let mut map = self.body.clone();
        if map["kind"] != "ConfigMap" || map["apiVersion"] != "v1" {
            return Err(Refusal::new(400, "BadRequest", "the object provided is unrecognized"));
        }
        let Some(name) = map["metadata"]["name"].as_str().map(str::to_owned) else {
            return Err(Refusal::new(422, "Invalid", "name or generateName is required"));
        };
        if objects.config_maps.contains_key(&name) {
            return Err(Refusal::new(409, "AlreadyExists", format!("configmaps \"{name}\" already exists")));
        }
        one_controller(&map)?;
        map["metadata"]["namespace"] = objects.namespace.clone().into();
        map["metadata"]["uid"] = objects.uid().into();
        objects.config_maps.insert(name, map.clone());
        Ok((201, map))
    }

    // Labels merge by key and owner references by uid; nothing else is patched here.
    fn merge(&self, objects: &mut Objects, name: &str) -> Result<(u16, Value), Refusal> {
        self.declared("application/strategic-merge-patch+json")?;
        let map = objects.config_maps.get_mut(name).ok_or_else(|| missing("configmaps", name))?;
        let mut merged = map.clone();
        for (label, value) in self.body["metadata"]["labels"].as_object().into_iter().flatten() {
            merged["metadata"]["labels"][label] = value.clone();
        }
        let mut owners = merged["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
        for owner in self.body["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
            owners.retain(|other| other["uid"] != owner["uid"]);
            owners.push(owner.clone());
        }
        merged["metadata"]["ownerReferences"] = owners.into();
        one_controller(&merged)?;
        *map = merged.clone();
        Ok((200, merged))
    }

    fn apply(&self, objects: &mut Objects, name: &str) -> Result<(u16, Value), Refusal> {
        self.declared("application/apply-patch+yaml")?;
        let Some(manager) = self.query.get("fieldManager") else {
            let text = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
            return Err(Refusal::new(422, "Invalid", text));
        };
        let force = self.query.get("force").is_some_and(|force| force == "true");
        let found = objects.stateful_sets.get_mut(name).ok_or_else(|| missing("statefulsets.apps", name))?;
        found.apply(manager, &self.body, force)?;
        Ok((200, found.told()))
    }
}

fn missing(resource: &str, name: &str) -> Refusal {
    Refusal::new(404, "NotFound", format!("{resource} \"{name}\" not found"))
}

fn one_controller(object: &Value) -> Result<(), Refusal> {
    let owners = object["metadata"]["ownerReferences"].as_array().cloned().unwrap_or_default();
    if owners.iter().filter(|owner| owner["controller"] == true).count() > 1 {
        return Err(Refusal::new(422, "Invalid", "Only one reference can have Controller set to true"));
    }
    Ok(())
}

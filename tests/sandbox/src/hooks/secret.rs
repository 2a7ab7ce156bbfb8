//! secret-get, secret-info-get, secret-ids.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Call, Fault, Outcome};
use crate::model::{Content, Model, ModelError, Secret, SecretChange};

impl SecretChange {
    fn id(&self) -> &str {
        match self {
            Self::Add { id, .. }
            | Self::Set { id, .. }
            | Self::Remove { id, .. }
            | Self::Grant { id, .. }
            | Self::Revoke { id, .. } => id,
        }
    }
}

impl Call<'_> {
    /// The bare id in an argument.
    pub(super) fn secret_id(uri: &str) -> Result<String, Fault> {
        Secret::parse_uri(uri).ok_or_else(|| Fault::Usage(format!("secret URI \"{uri}\" not valid")))
    }

    /// The model as it will be when this hook's writes to secrets are committed; none if there are none.
    pub(super) fn with_own_writes(&self) -> Result<Option<Model>, Fault> {
        if self.ctx.changes.secrets.is_empty() {
            return Ok(None);
        }
        let mut next = self.model.clone();
        let secrets = self.ctx.changes.secrets.clone();
        let changes = crate::model::Changes { secrets, ..Default::default() };
        next.commit(&self.ctx.unit, &changes, self.now)?;
        Ok(Some(next))
    }

    // Secrets that this unit may look into as their owner: its own, and its application's if it leads.
    fn managed(&mut self) -> Result<Vec<Secret>, Fault> {
        let next = self.with_own_writes()?;
        let model = next.as_ref().unwrap_or(self.model);
        let unit = &self.ctx.unit;
        Ok(model.secrets.values().filter(|it| model.check_manages(unit, it).is_ok()).cloned().collect())
    }
}

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    let (peek, refresh) = (call.flags.has("peek"), call.flags.has("refresh"));
    if peek && refresh {
        return Err(Fault::usage("specify one of --peek or --refresh but not both"));
    }
    let label = call.flags.get("label").map(str::to_owned);
    // With --label alone the one argument may be a key; a URI is told by its form.
    let uri = call
        .arg(0)
        .filter(|arg| label.is_none() || arg.starts_with("secret:") || Secret::parse_uri(arg).is_some());
    let id = uri.map(Call::secret_id).transpose()?;
    let key_at = usize::from(id.is_some());
    let key = call.arg(key_at).map(str::to_owned);
    call.at_most(key_at + 1)?;
    let unit = call.ctx.unit.clone();
    let mut next = call.with_own_writes()?;
    let (id, new_label) = match (id, label) {
        (Some(id), label) => (id, label),
        (None, Some(label)) => {
            let model = next.as_ref().unwrap_or(call.model);
            let id = model.secret_labelled(&unit, &label).ok_or_else(|| {
                Fault::failed(ModelError::NotFound { what: "consumer label", name: label }.to_string())
            })?;
            (id, None)
        }
        (None, None) => return Err(Fault::usage("require either a secret URI or label")),
    };
    let label = new_label.as_deref();
    let written = call.ctx.changes.secrets.iter().any(|change| change.id() == id);
    let content = match next.as_mut().filter(|_| written) {
        // What this hook wrote is read from its buffer.
        Some(next) => next.read_secret(&unit, &id, true, false, None)?,
        None => {
            let owned = call.model.secret(&id).is_ok_and(|it| call.model.check_manages(&unit, it).is_ok());
            if let (true, Some(label)) = (owned, label) {
                call.model.secret_mut(&id)?.label = Some(label.to_owned());
            }
            call.model.read_secret(&unit, &id, peek, refresh, label.filter(|_| !owned))?
        }
    };
    let value = match key {
        Some(key) => one(&content, &key)?,
        None => content
            .iter()
            .map(|(key, value)| (key.clone(), json!(decoded(value))))
            .collect::<Map<_, _>>()
            .into(),
    };
    call.print_as(&value, "yaml")
}

fn one(content: &Content, key: &str) -> Result<Value, Fault> {
    let (name, raw) = key.strip_suffix("#base64").map_or((key, false), |name| (name, true));
    let value = content.get(name).ok_or_else(|| {
        Fault::failed(ModelError::NotFound { what: "secret key value", name: name.to_owned() }.to_string())
    })?;
    Ok(json!(if raw { value.clone() } else { decoded(value) }))
}

// Go's JSON puts U+FFFD for bytes that are no UTF-8.
fn decoded(value: &str) -> String {
    let bytes = STANDARD.decode(value).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(super) fn ids(call: &mut Call<'_>) -> Outcome {
    call.at_most(0)?;
    let ids: Vec<String> = call.managed()?.into_iter().map(|secret| secret.id).collect();
    let value = if ids.is_empty() { Value::Null } else { json!(ids) };
    call.print(&value)
}

pub(super) fn info_get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let id = call.arg(0).map(Call::secret_id).transpose()?;
    let label = call.flags.get("label").map(str::to_owned);
    let wanted = match (&id, &label) {
        (Some(_), Some(_)) => return Err(Fault::usage("specify either a secret URI or label but not both")),
        (None, None) => return Err(Fault::usage("require either a secret URI or label")),
        (Some(name), None) | (None, Some(name)) => name.clone(),
    };
    let found = call.managed()?.into_iter().find(|secret| match &id {
        Some(id) => secret.id == *id,
        None => secret.label == label,
    });
    let secret = found.ok_or(ModelError::NotFound { what: "secret", name: wanted })?;
    let mut info = Map::new();
    info.insert("revision".into(), json!(secret.latest()));
    info.insert("label".into(), json!(secret.label.clone().unwrap_or_default()));
    info.insert("owner".into(), json!(secret.owner.word()));
    for (name, value) in
        [("description", &secret.description), ("rotation", &secret.rotate), ("expiry", &secret.expire)]
    {
        if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
            info.insert(name.into(), json!(value));
        }
    }
    let access = secret.access.iter().map(|access| {
        let kind = if access.target.contains('/') { "unit" } else { "application" };
        let target = format!("{kind}-{}", access.target.replace('/', "-"));
        let key =
            call.model.relations.get(&access.relation).map(|it| it.key().replace(' ', "#").replace(':', "."));
        json!({"target": target, "scope": format!("relation-{}", key.unwrap_or_default()), "role": "view"})
    });
    let access: Vec<Value> = access.collect();
    if !access.is_empty() {
        info.insert("access".into(), json!(access));
    }
    call.print_as(&json!({ secret.id: info }), "yaml")
}

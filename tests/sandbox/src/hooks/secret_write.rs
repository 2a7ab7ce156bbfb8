//! secret-add, -set, -grant, -revoke, -remove: all buffered, but checked at the call as far as Juju does.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Call, Fault, Outcome, input};
use crate::model::{Content, ModelError, Owner, Secret, SecretChange, SecretFields};

// Each value and the sum of all, in base64.
const SIZE_LIMIT: usize = 1_000_000;
const POLICIES: [&str; 7] = ["never", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly"];

pub(super) fn add(call: &mut Call<'_>) -> Outcome {
    let owner = match call.flags.get("owner").unwrap_or("application") {
        "application" => Owner::Application(call.app().to_owned()),
        "unit" => Owner::Unit(call.ctx.unit.clone()),
        other => return Err(Fault::Usage(format!("secret owner \"{other}\" not valid"))),
    };
    let fields = fields(call, 0)?;
    if fields.content.is_none() {
        return Err(Fault::usage("missing secret value or filename"));
    }
    if matches!(owner, Owner::Application(_)) && !call.ctx.is_leader(call.model) {
        return Err(ModelError::NotLeader.into());
    }
    if let Some(label) = fields.label.as_deref().filter(|label| !label.is_empty()) {
        let next = call.with_own_writes()?;
        let model = next.as_ref().unwrap_or(call.model);
        if model.owned_by_label(&call.ctx.unit, label).is_some() {
            return Err(Fault::failed(format!("secret with label \"{label}\" already exists")));
        }
    }
    let id = call.model.new_secret_id();
    call.ctx.changes.secrets.push(SecretChange::Add { id: id.clone(), owner, fields });
    Ok(format!("secret:{id}\n"))
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let id = uri(call)?;
    let fields = fields(call, 1)?;
    managed(call, &id)?;
    call.ctx.changes.secrets.push(SecretChange::Set { id, fields });
    Ok(String::new())
}

pub(super) fn remove(call: &mut Call<'_>) -> Outcome {
    let id = uri(call)?;
    call.at_most(1)?;
    let revision = call.flags.get("revision").map(|text| {
        let number = text.parse::<u32>().ok().filter(|number| *number > 0);
        number.ok_or_else(|| Fault::Usage(format!("revision \"{text}\" not valid")))
    });
    let revision = revision.transpose()?;
    managed(call, &id)?;
    call.ctx.changes.secrets.push(SecretChange::Remove { id, revision });
    Ok(String::new())
}

pub(super) fn grant(call: &mut Call<'_>) -> Outcome {
    let id = uri(call)?;
    call.at_most(1)?;
    let relation = call.relation_id()?.ok_or_else(|| Fault::usage("missing relation id"))?;
    let remote = call.model.remote_application(relation, call.app()).unwrap_or_default();
    let target = call.flags.get("unit").map_or(remote, str::to_owned);
    managed(call, &id)?;
    call.ctx.changes.secrets.push(SecretChange::Grant { id, relation, target });
    Ok(String::new())
}

pub(super) fn revoke(call: &mut Call<'_>) -> Outcome {
    let id = uri(call)?;
    call.at_most(1)?;
    let relation = if call.flags.get("r").is_some() { call.relation_id()? } else { None };
    let target = call.flags.get("unit").or(call.flags.get("app")).map(str::to_owned);
    if call.flags.get("unit").is_some() && call.flags.get("app").is_some() {
        return Err(Fault::usage("specify only one of application or unit"));
    }
    if relation.is_none() && target.is_none() {
        return Err(Fault::usage("missing relation or application or unit"));
    }
    managed(call, &id)?;
    call.ctx.changes.secrets.push(SecretChange::Revoke { id, relation, target });
    Ok(String::new())
}

fn uri(call: &Call<'_>) -> Result<String, Fault> {
    let uri = call.arg(0).ok_or_else(|| Fault::usage("missing secret URI"))?;
    Call::secret_id(uri)
}

// The secret is there (also if this hook adds it) and this unit may change it.
fn managed(call: &mut Call<'_>, id: &str) -> Result<Secret, Fault> {
    let next = call.with_own_writes()?;
    let model = next.as_ref().unwrap_or(call.model);
    let secret = model.secret(id)?;
    if matches!(secret.owner, Owner::Application(_))
        && model.owns(&call.ctx.unit, secret)
        && !call.ctx.is_leader(call.model)
    {
        return Err(ModelError::NotLeader.into());
    }
    model.check_manages(&call.ctx.unit, secret)?;
    Ok(secret.clone())
}

fn fields(call: &Call<'_>, from: usize) -> Result<SecretFields, Fault> {
    let text = |name| call.flags.get(name).map(str::to_owned);
    let (rotate, expire) = (text("rotate"), text("expire"));
    if let Some(policy) = rotate.as_deref().filter(|policy| !POLICIES.contains(policy)) {
        return Err(Fault::Usage(format!("rotate policy \"{policy}\" not valid")));
    }
    if let Some(time) = expire.as_deref().filter(|time| !is_time(time)) {
        return Err(Fault::Usage(format!("expire time or duration \"{time}\" not valid")));
    }
    let mut content = Content::new();
    // The agent opens the file, so "-" is a file of that name and not standard input.
    if let Some(name) = call.flags.get("file") {
        let bytes = input::read(&call.dir.join(name))?;
        let pairs: std::collections::BTreeMap<String, String> = serde_yaml::from_slice(&bytes)
            .map_err(|error| Fault::failed(format!("reading secret data file: {error}")))?;
        for (key, value) in pairs {
            put(call, &mut content, &key, &value)?;
        }
    }
    for (key, value) in call.pairs(from)? {
        put(call, &mut content, &key, &value)?;
    }
    if content.values().map(String::len).sum::<usize>() > SIZE_LIMIT {
        return Err(Fault::usage(format!("secret content size exceeds {SIZE_LIMIT} bytes")));
    }
    let content = (!content.is_empty()).then_some(content);
    Ok(SecretFields { content, label: text("label"), description: text("description"), rotate, expire })
}

fn put(call: &Call<'_>, content: &mut Content, key: &str, value: &str) -> Result<(), Fault> {
    let (name, kind) = key.split_once('#').map_or((key, ""), |(name, kind)| (name, kind));
    if !is_key(name) {
        return Err(Fault::Usage(format!("key \"{name}\" not valid")));
    }
    let encoded = match kind {
        "" => STANDARD.encode(value),
        "base64" if STANDARD.decode(value).is_ok() => value.to_owned(),
        "file" => STANDARD.encode(input::read(&call.dir.join(value))?),
        _ => return Err(Fault::Usage(format!("secret value for key \"{key}\" not valid"))),
    };
    content.insert(name.to_owned(), encoded);
    Ok(())
}

// `^([a-z](?:-?[a-z0-9]){2,})$`
fn is_key(key: &str) -> bool {
    let letters = key.bytes().filter(|b| *b != b'-').count();
    letters >= 3
        && key.starts_with(|c: char| c.is_ascii_lowercase())
        && !key.ends_with('-')
        && !key.contains("--")
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

// RFC 3339, the same without a zone, or a Go duration.
fn is_time(text: &str) -> bool {
    let duration = |text: &str| {
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            let unit = ["ns", "us", "ms", "s", "m", "h"].into_iter().filter(|unit| digits.starts_with(unit));
            match unit.max_by_key(|unit| unit.len()) {
                Some(unit) if digits.len() < rest.len() => rest = &digits[unit.len()..],
                _ => return false,
            }
        }
        !text.is_empty()
    };
    let date = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() >= 19
            && bytes[..19].iter().enumerate().all(|(index, byte)| match index {
                4 | 7 => *byte == b'-',
                10 => *byte == b'T',
                13 | 16 => *byte == b':',
                _ => byte.is_ascii_digit(),
            })
    };
    duration(text) || date(text)
}

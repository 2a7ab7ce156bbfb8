//! state-get, state-set, state-delete: a unit's own small store in the controller.

use serde_json::{Value, json};

use super::{Call, Fault, Outcome};

const KEY_LIMIT: usize = 256;
const VALUE_LIMIT: usize = 65536;

pub(super) fn get(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let mut state = call.model.unit(&call.ctx.unit)?.state.clone();
    for (key, value) in &call.ctx.changes.state {
        match value {
            Some(value) => state.insert(key.clone(), value.clone()),
            None => state.remove(key),
        };
    }
    let value = match call.arg(0).filter(|key| *key != "-") {
        None if state.is_empty() => Value::Null,
        None => json!(state),
        Some(key) => match state.get(key) {
            Some(value) => json!(value),
            None if call.flags.has("strict") => return Err(Fault::failed(format!("\"{key}\" not found"))),
            None => json!(""),
        },
    };
    call.print(&value)
}

pub(super) fn set(call: &mut Call<'_>) -> Outcome {
    let pairs = call.pairs(0)?;
    let mut data = call.file_map()?;
    data.extend(pairs);
    for (key, value) in &data {
        if key.len() > KEY_LIMIT {
            return Err(Fault::failed(format!("max allowed key length ({KEY_LIMIT}) exceeded")));
        }
        if value.len() > VALUE_LIMIT {
            return Err(Fault::failed(format!("max allowed value length ({VALUE_LIMIT}) exceeded")));
        }
    }
    call.ctx.changes.state.extend(data.into_iter().map(|(key, value)| (key, Some(value))));
    Ok(String::new())
}

pub(super) fn delete(call: &mut Call<'_>) -> Outcome {
    call.at_most(1)?;
    let key = call.arg(0).ok_or_else(|| Fault::usage("the required key is not specified"))?.to_owned();
    call.ctx.changes.state.insert(key, None);
    Ok(String::new())
}

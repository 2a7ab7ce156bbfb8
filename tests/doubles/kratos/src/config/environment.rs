//! The environment as configuration: the path of a key in capitals, joined by `_`, overrides the files.

use super::outline::{Node, Type};
use serde_json::{Map, Value};

/// Puts what `lookup` knows on top of `value`, for every key of the outline.
pub fn apply(root: &Node, value: &mut Value, lookup: &dyn Fn(&str) -> Option<String>) {
    for child in &root.children {
        overlay(child, &variable("", child.name), value, child.name, lookup);
    }
}

fn variable(prefix: &str, name: &str) -> String {
    let name = name.to_uppercase().replace('-', "_");
    if prefix.is_empty() { name } else { format!("{prefix}_{name}") }
}

fn overlay(node: &Node, name: &str, parent: &mut Value, key: &str, lookup: &dyn Fn(&str) -> Option<String>) {
    if let Some(text) = lookup(name) {
        let value = parse(node, text);
        // A whole map is only meant by a variable that holds one: names such as SESSION belong to others.
        let is_map = matches!(node.kind, Type::Object | Type::Open);
        if (!is_map || value.is_object())
            && let Some(slot) = slot(parent, key)
        {
            *slot = value;
        }
    }
    match node.kind {
        Type::Array => {
            let Some(item) = node.child("[]") else { return };
            for index in 0.. {
                let name = format!("{name}_{index}");
                let mut list = get(parent, key);
                let items = list.get_or_insert_with(|| Value::Array(Vec::new()));
                let mut holder = Value::Object(Map::from_iter([("item".to_owned(), items[index].clone())]));
                let before = holder.clone();
                overlay(item, &name, &mut holder, "item", lookup);
                if holder == before {
                    break;
                }
                if let Value::Array(items) = items {
                    items.resize(items.len().max(index + 1), Value::Null);
                    items[index] = holder["item"].take();
                }
                if let (Some(slot), Some(list)) = (slot(parent, key), list) {
                    *slot = list;
                }
            }
        }
        Type::Object | Type::Open => {
            let mut inner = get(parent, key).unwrap_or(Value::Null);
            let before = inner.clone();
            for child in &node.children {
                overlay(child, &variable(name, child.name), &mut inner, child.name, lookup);
            }
            if inner != before
                && let Some(slot) = slot(parent, key)
            {
                *slot = inner;
            }
        }
        _ => {}
    }
}

fn get(parent: &Value, key: &str) -> Option<Value> {
    parent.get(key).cloned()
}

/// The place of `key` in `parent`, which becomes a map if it is nothing yet.
fn slot<'a>(parent: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    if parent.is_null() {
        *parent = Value::Object(Map::new());
    }
    Some(parent.as_object_mut()?.entry(key).or_insert(Value::Null))
}

/// The value that a text means under the type of its key; one that does not fit stays text and fails later.
fn parse(node: &Node, text: String) -> Value {
    let json = || serde_json::from_str::<Value>(&text).ok();
    match node.kind {
        Type::Integer | Type::Number => json().filter(Value::is_number).unwrap_or(Value::String(text)),
        Type::Boolean => match text.as_str() {
            "1" | "t" | "true" | "TRUE" | "True" => true.into(),
            "0" | "f" | "false" | "FALSE" | "False" => false.into(),
            _ => Value::String(text),
        },
        Type::Array => {
            json().filter(Value::is_array).unwrap_or_else(|| text.split(',').map(Value::from).collect())
        }
        Type::Object | Type::Open | Type::Map | Type::Hook | Type::Any => {
            json().unwrap_or(Value::String(text))
        }
        Type::String => Value::String(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::version::Release;
    use super::super::outline;
    use super::apply;
    use serde_json::json;

    #[test]
    fn variables_override_keys_at_every_depth() {
        let variables = [
            ("SERVE_ADMIN_PORT", "4444"),
            ("SECRETS_COOKIE", "a,b"),
            ("IDENTITY_SCHEMAS_0_URL", "file:///new"),
            ("LOG_LEVEL", "debug"),
            ("SERVE_PUBLIC_CORS_ENABLED", "true"),
            ("COURIER_CHANNELS", r#"[{"id":"sms"}]"#),
            ("NOBODY_KNOWS_ME", "1"),
            ("SESSION", "gnome"),
        ];
        let lookup =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let mut value = json!({"identity": {"schemas": [{"id": "default", "url": "file:///old"}]}, "log": {"level": "info"}});
        apply(&outline::of(Release::V26_2_0), &mut value, &lookup);
        assert_eq!(
            value,
            json!({
                "identity": {"schemas": [{"id": "default", "url": "file:///new"}]},
                "log": {"level": "debug"},
                "courier": {"channels": [{"id": "sms"}]},
                "serve": {"admin": {"port": 4444}, "public": {"cors": {"enabled": true}}},
                "secrets": {"cookie": ["a", "b"]},
            })
        );
    }
}

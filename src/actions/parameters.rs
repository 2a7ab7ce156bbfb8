//! Parameters of actions, checked once more: the charm does not rely on actions.yaml alone.

use std::collections::BTreeMap;

use serde_json::Value;

/// A parameter that is a text; `None`: not given, or empty.
pub fn text(parameters: &BTreeMap<String, Value>, name: &str) -> Result<Option<String>, String> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if value.trim().is_empty() => Ok(None),
        Some(Value::String(value)) => Ok(Some(value.trim().to_owned())),
        // YAML makes a number of what looks like one.
        Some(Value::Number(value)) => Ok(Some(value.to_string())),
        Some(_) => Err(format!("Invalid parameter {name}: it is a text, e.g. {name}=TEXT")),
    }
}

/// A parameter that is true or false; without a value it is false.
pub fn boolean(parameters: &BTreeMap<String, Value>, name: &str) -> Result<bool, String> {
    match parameters.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(other) => {
            let shown: String = other.to_string().chars().take(60).collect();
            Err(format!("Invalid parameter {name}={shown}: it is true or false, e.g. {name}=true"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_true_and_false_are_taken() {
        let parameters = |value: Value| BTreeMap::from([("apply".to_owned(), value)]);
        assert_eq!(boolean(&BTreeMap::new(), "apply"), Ok(false));
        assert_eq!(boolean(&parameters(json!(true)), "apply"), Ok(true));
        for value in [json!("true"), json!(1), json!([])] {
            let text = boolean(&parameters(value.clone()), "apply").unwrap_err();
            assert!(text.starts_with(&format!("Invalid parameter apply={value}")), "{text}");
        }
    }
}

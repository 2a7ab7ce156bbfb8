//! Parameters of an action: fills in defaults and checks them against the charm's schema.
//!
//! It is given what the operator wrote and gives what the action will read, or the reason why Juju refuses to
//! run it. The schema words are those that charms use: type, enum, minimum, maximum, minLength, maxLength,
//! items, properties, required.

use serde_json::{Map, Value};

use super::{ActionSchema, ModelError};

impl ActionSchema {
    /// Parameters with defaults filled in.
    ///
    /// # Errors
    /// `validation failed: ...` names the parameter and the rule.
    pub fn resolve(&self, given: &Map<String, Value>) -> Result<Map<String, Value>, ModelError> {
        let mut params = given.clone();
        for (name, schema) in &self.params {
            if let (false, Some(default)) = (params.contains_key(name), schema.get("default")) {
                params.insert(name.clone(), default.clone());
            }
        }
        let mut problems = Vec::new();
        let whole = Value::Object(params.clone());
        for name in self.required.iter().filter(|name| !params.contains_key(*name)) {
            problems.push(format!("(root) : \"{name}\" property is missing and required, given {whole}"));
        }
        for (name, value) in &params {
            match self.params.get(name) {
                Some(schema) => check(&format!("(root).{name}"), schema, value, &mut problems),
                None if self.additional => {}
                None => problems
                    .push(format!("(root) : additional property \"{name}\" is not allowed, given {whole}")),
            }
        }
        if problems.is_empty() {
            Ok(params)
        } else {
            Err(ModelError::Invalid(format!("validation failed: {}", problems.join("; "))))
        }
    }
}

fn check(path: &str, schema: &Value, value: &Value, problems: &mut Vec<String>) {
    if let Some(kind) = schema.get("type").and_then(Value::as_str) {
        let fits = match kind {
            "string" => value.is_string(),
            "integer" => value.as_i64().is_some() || value.as_f64().is_some_and(|n| n.fract() == 0.0),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "null" => value.is_null(),
            _ => true,
        };
        if !fits {
            problems.push(format!("{path} : must be of type {kind}, given {value}"));
            return;
        }
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        problems.push(format!(
            "{path} : must match one of the enum values [{}], given {value}",
            allowed.join(", ")
        ));
    }
    if let Some(number) = value.as_f64() {
        if let Some(least) = schema.get("minimum").and_then(Value::as_f64).filter(|least| number < *least) {
            problems.push(format!("{path} : must be greater than or equal to {least}, given {value}"));
        }
        if let Some(most) = schema.get("maximum").and_then(Value::as_f64).filter(|most| number > *most) {
            problems.push(format!("{path} : must be less than or equal to {most}, given {value}"));
        }
    }
    if let Some(text) = value.as_str() {
        let length = text.chars().count() as u64;
        if let Some(least) = schema.get("minLength").and_then(Value::as_u64).filter(|least| length < *least) {
            problems.push(format!(
                "{path} : the string's length must be greater than or equal to {least}, given {value}"
            ));
        }
        if let Some(most) = schema.get("maxLength").and_then(Value::as_u64).filter(|most| length > *most) {
            problems.push(format!(
                "{path} : the string's length must be less than or equal to {most}, given {value}"
            ));
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        for (index, item) in values.iter().enumerate() {
            check(&format!("{path}.{index}"), items, item, problems);
        }
    }
    if let Some(members) = value.as_object() {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !members.contains_key(*name)) {
            problems.push(format!("{path} : \"{name}\" property is missing and required, given {value}"));
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            if let Some(member) = members.get(name) {
                check(&format!("{path}.{name}"), schema, member, problems);
            }
        }
    }
}

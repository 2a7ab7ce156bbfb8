//! What an identity schema makes of traits: whether they are valid, and which identifiers and addresses they hold.
//!
//! Of JSON schema it knows types, required and unknown properties, the format of an email address and lengths; the
//! key `ory.sh/kratos` of a property says what the property is used for.

use serde_json::Value;

/// What was found in the traits; addresses are `(via, value)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extract {
    /// Identifiers of the password method.
    pub password: Vec<String>,
    /// Identifiers of the code method.
    pub code: Vec<(String, String)>,
    /// Addresses that can be verified.
    pub verifiable: Vec<(String, String)>,
    /// Addresses that recovery can use.
    pub recovery: Vec<(String, String)>,
}

/// Checks `traits` under the whole schema document; the error is the reason as the original words it.
pub fn extract(schema: &Value, traits: &Value) -> Result<Extract, String> {
    let mut found = Extract::default();
    let traits_schema = &schema["properties"]["traits"];
    if !traits_schema.is_null() {
        walk(traits_schema, traits, "#/traits", "#/properties/traits", &mut found)?;
    }
    Ok(found)
}

fn walk(schema: &Value, value: &Value, at: &str, rule: &str, found: &mut Extract) -> Result<(), String> {
    let fits = |kind: &Value| match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if !fits(&schema["type"]) {
        let expected = schema["type"].as_str().unwrap_or_default();
        return Err(format!("I[{at}] S[{rule}/type] expected {expected}, but got {}", kind_of(value)));
    }
    match value {
        Value::Object(map) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing: Vec<_> =
                required.filter(|name| !map.contains_key(*name)).map(|n| format!("{n:?}")).collect();
            if !missing.is_empty() {
                return Err(format!("I[{at}] S[{rule}/required] missing properties: {}", missing.join(", ")));
            }
            for (key, inner) in map {
                match schema["properties"].get(key) {
                    Some(child) => {
                        walk(
                            child,
                            inner,
                            &format!("{at}/{key}"),
                            &format!("{rule}/properties/{key}"),
                            found,
                        )?;
                    }
                    None if schema["additionalProperties"] == false => {
                        let reason = format!("additionalProperties {key:?} not allowed");
                        return Err(format!("I[{at}] S[{rule}/additionalProperties] {reason}"));
                    }
                    None => {}
                }
            }
        }
        Value::Array(items) if schema["items"].is_object() => {
            for (index, inner) in items.iter().enumerate() {
                walk(&schema["items"], inner, &format!("{at}/{index}"), &format!("{rule}/items"), found)?;
            }
        }
        Value::String(text) => {
            string(schema, text, at, rule)?;
            collect(&schema["ory.sh/kratos"], text, found);
        }
        _ => {}
    }
    Ok(())
}

fn string(schema: &Value, text: &str, at: &str, rule: &str) -> Result<(), String> {
    let length = text.chars().count() as u64;
    if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        return Err(format!("I[{at}] S[{rule}/minLength] length must be >= {least}, but got {length}"));
    }
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        return Err(format!("I[{at}] S[{rule}/maxLength] length must be <= {most}, but got {length}"));
    }
    if schema["format"] == "email" && !is_email(text) {
        // The original checks the format twice, once for its own extension, and says so twice.
        let line = format!("\n  I[{at}] S[{rule}/format] {text:?} is not valid \"email\"");
        let times = if schema["ory.sh/kratos"].is_object() { 2 } else { 1 };
        return Err(format!("I[{at}] S[{rule}] validation failed{}", line.repeat(times)));
    }
    Ok(())
}

fn is_email(text: &str) -> bool {
    let good =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>()@,;".contains(c));
    text.rsplit_once('@').is_some_and(|(local, domain)| good(local) && good(domain))
}

fn collect(extension: &Value, text: &str, found: &mut Extract) {
    let credentials = &extension["credentials"];
    let via = |value: &Value| value["via"].as_str().unwrap_or("email").to_owned();
    let text = text.trim().to_lowercase();
    if credentials["password"]["identifier"] == true {
        found.password.push(text.clone());
    }
    if credentials["code"]["identifier"] == true {
        found.code.push((via(&credentials["code"]), text.clone()));
    }
    if extension["verification"].is_object() {
        found.verifiable.push((via(&extension["verification"]), text.clone()));
    }
    if extension["recovery"].is_object() {
        found.recovery.push((via(&extension["recovery"]), text));
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use super::extract;
    use serde_json::json;

    #[test]
    fn addresses_and_identifiers_are_found() {
        let schema = json!({"properties": {"traits": {
            "type": "object",
            "required": ["email"],
            "additionalProperties": false,
            "properties": {
                "email": {"type": "string", "format": "email", "ory.sh/kratos": {
                    "credentials": {"password": {"identifier": true}, "code": {"identifier": true, "via": "email"}},
                    "verification": {"via": "email"},
                    "recovery": {"via": "email"},
                }},
                "name": {"type": "string"},
            },
        }}});
        let found = extract(&schema, &json!({"email": "A@b.test", "name": "N"})).unwrap();
        assert_eq!(found.password, ["a@b.test"]);
        assert_eq!(found.recovery, [("email".to_owned(), "a@b.test".to_owned())]);
        let email = "#/properties/traits/properties/email";
        let line = format!("\n  I[#/traits/email] S[{email}/format] \"x\" is not valid \"email\"");
        assert_eq!(
            extract(&schema, &json!({"email": "x"})).unwrap_err(),
            format!("I[#/traits/email] S[{email}] validation failed{line}{line}")
        );
        assert_eq!(
            extract(&schema, &json!({})).unwrap_err(),
            r#"I[#/traits] S[#/properties/traits/required] missing properties: "email""#
        );
        assert!(
            extract(&schema, &json!({"email": "a@b", "zip": 1}))
                .unwrap_err()
                .contains("additionalProperties")
        );
    }
}

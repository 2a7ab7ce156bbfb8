//! JSON Patch on an identity: `add`, `replace`, `remove`, `test` on the parts that may be patched.

use super::answer::Failure;
use axum::http::StatusCode;
use serde_json::Value;

/// The parts of an identity that a patch may name.
const ALLOWED: &[&str] =
    &["traits", "state", "schema_id", "metadata_public", "metadata_admin", "external_id"];

const FAILED: &str = "An error occured when applying the JSON patch";

fn refused(message: String) -> Failure {
    Failure {
        status: StatusCode::BAD_REQUEST,
        code: StatusCode::BAD_REQUEST,
        reason: Some(FAILED.into()),
        message,
    }
}

/// Applies `operations` to `identity`.
pub fn apply(identity: &mut Value, operations: &Value) -> Result<(), Failure> {
    let list = operations.as_array().ok_or_else(|| refused("the patch is not a list".into()))?;
    for operation in list {
        let path = operation["path"].as_str().unwrap_or_default();
        let parts: Vec<String> =
            path.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
        if !parts.first().is_some_and(|first| ALLOWED.contains(&first.as_str())) {
            return Err(refused(format!("patch includes denied path: {path}")));
        }
        one(identity, operation, &parts, path)?;
    }
    Ok(())
}

fn one(identity: &mut Value, operation: &Value, parts: &[String], path: &str) -> Result<(), Failure> {
    let name = operation["op"].as_str().unwrap_or_default();
    let absent =
        || refused(format!("{name} operation does not apply: doc is missing path: {path}: missing value"));
    let Some((last, above)) = parts.split_last() else { return Err(absent()) };
    let parent = above.iter().try_fold(&mut *identity, |value, part| step(value, part)).ok_or_else(absent)?;
    if name == "test" {
        let same = step(parent, last).is_some_and(|found| *found == operation["value"]);
        return if same { Ok(()) } else { Err(refused(format!("testing path {path} failed: test failed"))) };
    }
    let value = operation["value"].clone();
    match (name, parent) {
        ("add", Value::Object(map)) => {
            map.insert(last.clone(), value);
        }
        ("add", Value::Array(items)) => {
            let at = if last == "-" { Some(items.len()) } else { last.parse().ok() };
            items.insert(at.filter(|at| *at <= items.len()).ok_or_else(absent)?, value);
        }
        ("replace", parent) => *step(parent, last).ok_or_else(absent)? = value,
        ("remove", Value::Object(map)) => {
            map.shift_remove(last).ok_or_else(absent)?;
        }
        ("remove", Value::Array(items)) => {
            let at = last.parse().ok().filter(|at| *at < items.len()).ok_or_else(absent)?;
            items.remove(at);
        }
        ("add" | "remove", _) => return Err(absent()),
        _ => return Err(refused(format!("Unexpected kind: {name}"))),
    }
    Ok(())
}

fn step<'a>(value: &'a mut Value, part: &str) -> Option<&'a mut Value> {
    match value {
        Value::Object(map) => map.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::apply;
    use serde_json::json;

    #[test]
    fn operations_change_what_they_may() {
        let mut identity = json!({"traits": {"email": "a@b", "tags": ["x"]}, "state": "active"});
        let patch = json!([
            {"op": "replace", "path": "/state", "value": "inactive"},
            {"op": "add", "path": "/traits/name", "value": "N"},
            {"op": "add", "path": "/traits/tags/-", "value": "y"},
            {"op": "remove", "path": "/traits/tags/0"},
            {"op": "test", "path": "/traits/name", "value": "N"},
        ]);
        apply(&mut identity, &patch).unwrap();
        let wanted = json!({"traits": {"email": "a@b", "tags": ["y"], "name": "N"}, "state": "inactive"});
        assert_eq!(identity, wanted);
        let denied = apply(&mut identity, &json!([{"op": "replace", "path": "/credentials", "value": {}}]));
        assert_eq!(denied.unwrap_err().message, "patch includes denied path: /credentials");
        let absent = apply(&mut identity, &json!([{"op": "replace", "path": "/traits/zip", "value": 1}]));
        assert!(absent.unwrap_err().message.contains("missing path: /traits/zip"));
    }
}

//! Parameters of actions, checked once more: the charm does not rely on actions.yaml alone.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde_json::Value;

use crate::migration::Force;

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

/// A parameter that is a whole number.
pub fn number(
    parameters: &BTreeMap<String, Value>,
    name: &str,
    default: u64,
    range: RangeInclusive<u64>,
) -> Result<u64, String> {
    let value = match parameters.get(name) {
        None | Some(Value::Null) => return Ok(default),
        Some(value) => value,
    };
    // Juju hands a whole number over as 5 or as 5.0.
    let whole = value.as_u64().or_else(|| {
        let number =
            value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0 && *number < 1e15)?;
        format!("{number:.0}").parse().ok()
    });
    whole.filter(|number| range.contains(number)).ok_or_else(|| {
        let shown: String = value.to_string().chars().take(60).collect();
        let (least, most) = (range.start(), range.end());
        format!("Invalid parameter {name}={shown}: it is a whole number from {least} to {most}, e.g. {name}={default}")
    })
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

/// The parameter `force`: names with commas between them, a list of them, or true, which means time as it always did.
pub fn force(parameters: &BTreeMap<String, Value>) -> Result<Force, String> {
    let names: Vec<&str> = match parameters.get("force") {
        None | Some(Value::Null | Value::Bool(false)) => vec![],
        Some(Value::Bool(true)) => vec!["time"],
        Some(Value::String(names)) => {
            names.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
        }
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().unwrap_or("?")).collect(),
        Some(_) => vec!["?"],
    };
    let mut force = Force::default();
    for name in names {
        let is_known = match name {
            // So a shell or a script may hand the two words over.
            "true" => force.add("time"),
            "false" => true,
            name => force.add(name),
        };
        if !is_known {
            let shown: String = parameters["force"].to_string().chars().take(60).collect();
            return Err(format!(
                "Invalid parameter force={shown}: it is time, units or both, e.g. force=time,units"
            ));
        }
    }
    Ok(force)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_has_bounds_and_a_text_may_look_like_one() {
        let parameters = |value: Value| BTreeMap::from([("n".to_owned(), value)]);
        assert_eq!(number(&BTreeMap::new(), "n", 7, 1..=9), Ok(7));
        assert_eq!(number(&parameters(json!(9.0)), "n", 7, 1..=9), Ok(9));
        for value in [json!(0), json!(10), json!(1.5), json!("3"), json!(-1), json!(1e300)] {
            assert!(number(&parameters(value), "n", 7, 1..=9).unwrap_err().ends_with("e.g. n=7"));
        }
        assert_eq!(text(&parameters(json!(5)), "n"), Ok(Some("5".to_owned())));
        assert_eq!(text(&parameters(json!(" x ")), "n"), Ok(Some("x".to_owned())));
        assert_eq!(text(&parameters(json!("  ")), "n"), Ok(None));
        assert!(text(&parameters(json!([])), "n").is_err());
    }

    #[test]
    fn each_thing_that_force_waives_has_its_own_name() {
        let parsed = |value: Value| force(&BTreeMap::from([("force".to_owned(), value)]));
        let (time, both) = (Force { time: true, units: false }, Force { time: true, units: true });
        for value in [json!(true), json!("true"), json!("time"), json!(["time"])] {
            assert_eq!(parsed(value), Ok(time), "true waives no unit");
        }
        for value in [json!("units,time"), json!(" time, units"), json!(["units", "time"])] {
            assert_eq!(parsed(value), Ok(both));
        }
        for value in [json!(false), json!(""), json!("false"), json!([]), Value::Null] {
            assert_eq!(parsed(value), Ok(Force::default()));
        }
        for value in [json!("all"), json!(1), json!(["time", 3]), json!({"time": true})] {
            assert!(parsed(value).unwrap_err().ends_with("e.g. force=time,units"));
        }
    }

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

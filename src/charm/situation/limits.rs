//! The options `cpu` and `memory`: the limits of the workload container.
//!
//! They do not concern Kratos' own configuration, so an invalid one is a warning and blocks nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kratos::facts::options::InvalidOption;
use crate::kubernetes::{Limits, Quantity};

/// The value that means: no limit.
const UNSET: &str = "unset";

/// Reads both from what `config-get` gave; the first that cannot be used is the error.
pub fn limits(application: &str, config: &BTreeMap<String, Value>) -> Result<Limits, InvalidOption> {
    let quantity = |option: &'static str, expected: &'static str, example: &'static str| {
        let text = match config.get(option) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(other) => other.to_string(),
        };
        if text.is_empty() || text == UNSET {
            return Ok(None);
        }
        text.parse::<Quantity>().map(Some).map_err(|_| InvalidOption {
            application: application.to_owned(),
            option,
            value: text.chars().take(60).flat_map(char::escape_debug).collect(),
            expected: expected.into(),
            example,
        })
    };
    Ok(Limits {
        cpu: quantity("cpu", "it is a number of processors such as 500m or 1.5, or unset", "500m")?,
        memory: quantity("memory", "it is a number of bytes such as 512Mi or 2Gi, or unset", "512Mi")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(config: Value) -> Result<Limits, InvalidOption> {
        limits("kratos", &config.as_object().unwrap().clone().into_iter().collect())
    }

    #[test]
    fn unset_is_no_limit_and_a_quantity_is_one() {
        for config in
            [json!({}), json!({"cpu": "unset", "memory": "unset"}), json!({"cpu": "", "memory": null})]
        {
            assert_eq!(parse(config).unwrap(), Limits::default());
        }
        let limits = parse(json!({"cpu": " 500m ", "memory": "1Gi"})).unwrap();
        assert_eq!(limits.cpu.unwrap().to_string(), "0.5");
        assert_eq!(limits.memory.unwrap().to_string(), "1073741824");
        assert_eq!(parse(json!({"cpu": 2})).unwrap().cpu.unwrap().to_string(), "2");
    }

    #[test]
    fn a_bad_value_is_named_with_its_shape_and_its_remedy() {
        let text = |config: Value| parse(config).unwrap_err().to_string();
        assert_eq!(
            text(json!({"cpu": "half"})),
            "Invalid option cpu=half: it is a number of processors such as 500m or 1.5, or unset; \
             run: juju config kratos cpu=500m"
        );
        assert_eq!(
            text(json!({"memory": "1 GB\n"})),
            "Invalid option memory=1 GB: it is a number of bytes such as 512Mi or 2Gi, or unset; \
             run: juju config kratos memory=512Mi"
        );
        assert!(text(json!({"cpu": true})).starts_with("Invalid option cpu=true"));
        assert!(text(json!({"memory": "-1Gi"})).starts_with("Invalid option memory=-1Gi"));
    }
}

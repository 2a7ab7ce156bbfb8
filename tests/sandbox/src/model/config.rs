//! Configuration: checks values against the charm's options and fills in defaults.
//!
//! It is given texts (what an operator types) or typed values (what a file holds) and gives JSON values,
//! because that is how Juju hands configuration to a charm: every number went through a 64-bit float.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Application, Kind, ModelError};

/// Whether a value fits an option's type; the reason in Juju's words if not.
pub(super) fn check(name: &str, kind: Kind, value: &Value) -> Result<(), String> {
    let fits = match kind {
        Kind::String => value.is_string(),
        Kind::Int => value.as_i64().is_some(),
        Kind::Float => value.is_number(),
        Kind::Boolean => value.is_boolean(),
        Kind::Secret => {
            value.as_str().is_some_and(|text| text.is_empty() || super::Secret::parse_uri(text).is_some())
        }
    };
    if fits { Ok(()) } else { Err(format!("option \"{name}\" expected {}, got {value}", word(kind))) }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::String => "string",
        Kind::Int => "int",
        Kind::Float => "float",
        Kind::Boolean => "boolean",
        Kind::Secret => "secret",
    }
}

// What Go's JSON makes of a number on its way to the charm.
fn through_float(value: &Value) -> Value {
    let rounds = value.as_i64().filter(|number| number.unsigned_abs() > 1 << 53);
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "Go loses as much")]
    rounds.map_or_else(|| value.clone(), |number| Value::from((number as f64) as i64))
}

impl Application {
    /// Sets options from texts, all or none. A text is read by the option's type.
    ///
    /// # Errors
    /// `unknown option "x"`, or `option "x" expected int, got "y"`.
    pub fn set_config(&mut self, values: &BTreeMap<String, String>) -> Result<(), ModelError> {
        let mut typed = BTreeMap::new();
        for (name, text) in values {
            let option = self.charm.options.get(name).ok_or_else(|| unknown(name))?;
            let quoted = || Value::from(text.as_str());
            let value = match option.kind {
                Kind::String | Kind::Secret => quoted(),
                Kind::Int => text.parse::<i64>().map_or_else(|_| quoted(), Value::from),
                Kind::Float => text.parse::<f64>().map_or_else(|_| quoted(), Value::from),
                // Go's strconv.ParseBool
                Kind::Boolean => match text.as_str() {
                    "1" | "t" | "T" | "true" | "TRUE" | "True" => Value::Bool(true),
                    "0" | "f" | "F" | "false" | "FALSE" | "False" => Value::Bool(false),
                    _ => quoted(),
                },
            };
            check(name, option.kind, &value).map_err(ModelError::Invalid)?;
            typed.insert(name.clone(), value);
        }
        self.apply_config(|config| config.extend(typed));
        Ok(())
    }

    /// Takes options back to their defaults, all or none.
    ///
    /// # Errors
    /// `unknown option "x"`.
    pub fn reset_config(&mut self, names: &[String]) -> Result<(), ModelError> {
        if let Some(name) = names.iter().find(|name| !self.charm.options.contains_key(*name)) {
            return Err(unknown(name));
        }
        self.apply_config(|config| config.retain(|name, _| !names.contains(name)));
        Ok(())
    }

    // Only a change of what the charm sees makes a config-changed.
    fn apply_config(&mut self, change: impl FnOnce(&mut BTreeMap<String, Value>)) {
        let before = self.config_all();
        change(&mut self.config);
        if self.config_all() != before {
            self.config_version += 1;
        }
    }

    /// Every option with its value or default, `null` where there is neither.
    #[must_use]
    pub fn config_all(&self) -> BTreeMap<String, Value> {
        let value = |name: &String, default: &Option<Value>| {
            self.config.get(name).or(default.as_ref()).map_or(Value::Null, through_float)
        };
        self.charm.options.iter().map(|(name, option)| (name.clone(), value(name, &option.default))).collect()
    }

    /// Drops values that a new charm does not know or would refuse, as a refresh does.
    pub(super) fn fit_config(&mut self) {
        let options = &self.charm.options;
        self.config.retain(|name, value| {
            options.get(name).is_some_and(|option| check(name, option.kind, value).is_ok())
        });
    }
}

fn unknown(name: &str) -> ModelError {
    ModelError::Invalid(format!("unknown option \"{name}\""))
}

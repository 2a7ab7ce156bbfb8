//! What Kratos has against a part of an identity schema that is a valid JSON schema, wherever the part stands.
//!
//! Some of it Kratos refuses with the whole configuration. With the rest it starts, and then fails at every identity and
//! every form of the schema; a `$ref` in a circle even ends the process at the first identity.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::go_pattern::is_go_pattern;

/// The keyword under which a schema tells Kratos what a trait is for.
pub(super) const EXTENSION: &str = "ory.sh/kratos";
/// Keywords with a map of schemas.
const MAPS: [&str; 4] = ["properties", "patternProperties", "definitions", "dependencies"];
/// Keywords with a schema or a list of them.
const SINGLE: [&str; 12] = [
    "additionalItems",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "propertyNames",
    "then",
];
/// Those of both through which Kratos does not follow a reference at once: a tree goes on below them.
const LATE: [&str; 4] = ["additionalItems", "additionalProperties", "items", "patternProperties"];

/// Keywords with a whole number, which Kratos wants to be written as one.
const WHOLE: [&str; 6] = ["maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"];

/// What is wrong in a schema or one that it holds or refers to, if anything is.
pub fn fault_of_parts(root: &Value) -> Option<String> {
    let mut known = BTreeSet::from(["#"]);
    Parts { root, known: &mut known }.fault(root, &mut vec!["#"])
}

struct Parts<'s> {
    root: &'s Value,
    /// The references that were followed.
    known: &'s mut BTreeSet<&'s str>,
}

impl<'s> Parts<'s> {
    /// `above`: the references that led here, as far as Kratos follows them at once.
    fn fault(&mut self, schema: &'s Value, above: &mut Vec<&'s str>) -> Option<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.fault_of_reference(reference, above);
        }
        fault_of_words(schema)
            .or_else(|| {
                children(schema, |word| !LATE.contains(&word))
                    .into_iter()
                    .find_map(|child| self.fault(child, above))
            })
            .or_else(|| {
                children(schema, |word| LATE.contains(&word))
                    .into_iter()
                    .find_map(|child| self.fault(child, &mut vec![]))
            })
    }

    fn fault_of_reference(&mut self, reference: &'s str, above: &mut Vec<&'s str>) -> Option<String> {
        let shown: String = reference.chars().take(80).flat_map(char::escape_debug).collect();
        let Some(place) = reference.strip_prefix('#') else {
            // Only Kratos can tell whether it reaches an address.
            let is_address = reference.contains("://");
            return (!is_address).then(|| format!("\"$ref\": \"{shown}\" is no place in the schema"));
        };
        if above.contains(&reference) {
            return Some(format!("\"$ref\": \"{shown}\" leads in a circle"));
        }
        if !self.known.insert(reference) {
            return None;
        }
        let pointer = percent_decode_str(place).decode_utf8_lossy();
        let target =
            if pointer.starts_with('/') { self.root.pointer(&pointer) } else { named(self.root, reference) };
        let Some(target) = target else {
            return Some(format!("\"$ref\": \"{shown}\" leads nowhere"));
        };
        above.push(reference);
        let fault = self.fault(target, above);
        above.pop();
        fault
    }
}

/// The schema that calls itself so.
fn named<'s>(schema: &'s Value, id: &str) -> Option<&'s Value> {
    if schema["$id"] == id {
        return Some(schema);
    }
    children(schema, |_| true).into_iter().find_map(|child| named(child, id))
}

/// The schemas in a schema, below the keywords that are wanted.
fn children(schema: &Value, is_wanted: impl Fn(&str) -> bool) -> Vec<&Value> {
    let maps = MAPS.iter().filter(|keyword| is_wanted(keyword));
    let maps = maps.filter_map(|keyword| schema[*keyword].as_object()).flat_map(|map| map.values());
    let single = SINGLE.iter().filter(|keyword| is_wanted(keyword));
    let single = single.filter_map(|keyword| schema.get(*keyword)).flat_map(|value| match value {
        Value::Array(list) => list.iter().collect(),
        other => vec![other],
    });
    maps.chain(single).filter(|value| value.is_object()).collect()
}

fn fault_of_words(schema: &Value) -> Option<String> {
    let names = schema["patternProperties"].as_object().into_iter().flat_map(|map| map.keys());
    let mut patterns = schema["pattern"].as_str().into_iter().chain(names.map(String::as_str));
    if let Some(pattern) = patterns.find(|pattern| !is_go_pattern(pattern)) {
        let shown: String = pattern.chars().take(60).flat_map(char::escape_debug).collect();
        return Some(format!(
            "Kratos cannot read the pattern \"{shown}\": it knows the regular expressions of Go, without look-around, \
             \\u and references to groups"
        ));
    }
    if let Some(values) = schema["enum"].as_array()
        && (values.is_empty() || (1..values.len()).any(|at| values[..at].contains(&values[at])))
    {
        return Some("an enum is empty or names a value twice".to_owned());
    }
    if let Some(keyword) = WHOLE.iter().find(|keyword| schema[**keyword].is_f64()) {
        return Some(format!("{keyword} is not written as a whole number"));
    }
    let extension = &schema[EXTENSION];
    let code = &extension["credentials"]["code"];
    if code["identifier"] == true && code["via"].is_null() {
        return Some(format!("\"{EXTENSION}\"/credentials/code has no \"via\" (email or sms)"));
    }
    let is_format_missing = schema["format"].as_str().unwrap_or_default().is_empty();
    (extension["verification"]["via"] == "sms" && is_format_missing)
        .then(|| "a trait that is verified by sms has no format (tel or no-validate)".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(kind: Value) -> Value {
        json!({
            "$id": "https://example.com/s.json",
            "definitions": {"mail": {"$id": "#mail", "type": "string"}, "a b": {"$ref": "#mail"}},
            "properties": {"traits": {"type": "object", "properties": {"x": kind}}},
        })
    }

    #[test]
    fn references_lead_somewhere_and_never_in_a_circle() {
        for good in ["#/definitions/mail", "#mail", "#/definitions/a%20b", "https://example.com/other.json"] {
            let both = with(json!({"allOf": [{"$ref": good}, {"$ref": good}]}));
            assert_eq!(fault_of_parts(&both), None, "{good}");
        }
        for (bad, fault) in [
            ("#/definitions/none", "leads nowhere"),
            ("#none", "leads nowhere"),
            ("other.json", "is no place in the schema"),
            ("#/properties/traits", "leads in a circle"),
            ("#/properties/traits/properties/x/properties/y", "leads in a circle"),
            ("#", "leads in a circle"),
        ] {
            let found = fault_of_parts(&with(json!({"type": "object", "properties": {"y": {"$ref": bad}}})));
            assert_eq!(found, Some(format!("\"$ref\": \"{bad}\" {fault}")));
        }
    }

    /// A tree in the traits, as of groups or addresses.
    #[test]
    fn a_tree_ends_where_its_data_does() {
        for late in ["items", "additionalProperties", "additionalItems"] {
            for reference in ["#", "#/properties/traits", "#/properties/traits/properties/x"] {
                let tree = with(json!({"type": "object", "properties": {"y": {late: {"$ref": reference}}}}));
                assert_eq!(fault_of_parts(&tree), None, "{late} {reference}");
            }
        }
        let named = json!({"patternProperties": {"^a": {"$ref": "#/properties/traits"}}});
        assert_eq!(fault_of_parts(&with(named)), None);
        let list = json!({"items": [{"$ref": "#/properties/traits"}]});
        assert_eq!(fault_of_parts(&with(list)), None);
        for at_once in ["not", "contains", "if", "propertyNames"] {
            let circle = with(json!({at_once: {"$ref": "#/properties/traits"}}));
            assert!(fault_of_parts(&circle).is_some_and(|fault| fault.contains("circle")), "{at_once}");
        }
        // Behind the list there is one that has no end.
        let behind = json!({"items": {"$ref": "#/definitions/loop"}});
        let mut schema = with(behind);
        schema["definitions"]["loop"] = json!({"allOf": [{"$ref": "#/definitions/loop"}]});
        assert!(fault_of_parts(&schema).is_some_and(|fault| fault.contains("circle")));
    }

    #[test]
    fn parts_are_found_wherever_they_stand_and_only_there() {
        for (bad, fault) in [
            (json!({"pattern": "(?=a)"}), "cannot read the pattern \"(?=a)\""),
            (json!({"patternProperties": {"(?!a)": {}}}), "cannot read the pattern \"(?!a)\""),
            (json!({"enum": []}), "an enum is empty"),
            (json!({"enum": ["a", "b", "a"]}), "names a value twice"),
            (json!({"minLength": 1.0}), "minLength is not written as a whole number"),
            (json!({EXTENSION: {"credentials": {"code": {"identifier": true}}}}), "code has no \"via\""),
            (json!({EXTENSION: {"verification": {"via": "sms"}}}), "by sms has no format"),
        ] {
            for schema in [bad.clone(), json!({"items": [bad]}), json!({"anyOf": [{"then": bad}]})] {
                let found = fault_of_parts(&with(schema.clone())).unwrap_or_default();
                assert!(found.contains(fault), "{schema}: {found}");
            }
            for schema in [json!({"default": bad}), json!({"enum": [bad]}), json!({"$comment": bad})] {
                assert_eq!(fault_of_parts(&with(schema.clone())), None, "{schema}");
            }
        }
        for good in [
            json!({"properties": {"pattern": {"enum": [1]}, "enum": {"type": "string"}}}),
            json!({EXTENSION: {"verification": {"via": "sms"}}, "format": "tel"}),
            json!({EXTENSION: {"verification": {"via": "email"}}}),
            json!({EXTENSION: {"credentials": {"code": {"identifier": true, "via": "sms"}}}}),
            json!({EXTENSION: {"credentials": {"code": {"identifier": false}}}}),
        ] {
            assert_eq!(fault_of_parts(&with(good.clone())), None, "{good}");
        }
    }
}

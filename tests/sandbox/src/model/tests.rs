//! The model's rules as tables.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::json;

use super::*;

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn charm(metadata: &str) -> Charm {
    Charm::parse(&format!("name: app\n{metadata}"), None, None).unwrap()
}

fn model(charms: &[(&str, &str, u32)]) -> Model {
    let mut model = Model::new("test", 7);
    for (name, metadata, units) in charms {
        model.deploy(name, charm(metadata), Origin::default(), BTreeMap::new()).unwrap();
        for _ in 0..*units {
            model.add_unit(name, "127.1.1.1", NOW).unwrap();
        }
    }
    model
}

// Runs a unit until it has nothing to do; gives the hooks.
fn drain(model: &mut Model, unit: &str) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(event) = model.next_event(unit) {
        model.begin(unit, &event);
        names.push(event.name());
        model.finish(unit, &event, NOW);
        assert!(names.len() < 50, "{names:?}");
    }
    names
}

#[test]
fn names_are_jujus() {
    for (name, valid) in [
        ("kratos", true),
        ("a1-b2", true),
        ("postgresql-k8s", true),
        ("a-1", false),
        ("1a", false),
        ("A", false),
        ("a-", false),
        ("", false),
    ] {
        assert_eq!(is_application_name(name), valid, "{name}");
    }
    for (name, split) in [
        ("app/0", Some(("app", 0))),
        ("app/12", Some(("app", 12))),
        ("app/01", None),
        ("app/", None),
        ("app/x", None),
        ("app", None),
        ("app/99999999999", None),
    ] {
        assert_eq!(split_unit(name), split, "{name}");
    }
}

#[test]
fn a_charm_that_juju_would_refuse_is_refused() {
    for (metadata, config, actions, says) in [
        ("name: Bad", "", "", "bad charm name \"Bad\""),
        (
            "name: app\nprovides: {x: {interface: i}}\nrequires: {x: {interface: i}}",
            "",
            "",
            "duplicated relation name: \"x\"",
        ),
        ("name: app", "options: {a: {type: int, default: x}}", "", "option \"a\" expected int, got \"x\""),
        ("name: app", "options: {a: {type: bool}}", "", "unknown variant `bool`"),
        ("name: app", "", "Bad: {}", "bad action name Bad"),
        ("name: app", "", "juju-x: {}", "bad action name juju-x"),
        ("name: app", "", "a: {params: {b_c: {}}}", "bad parameter name \"b_c\""),
        ("nome: app", "", "", "missing field `name`"),
    ] {
        let error = Charm::parse(metadata, Some(config), Some(actions)).unwrap_err();
        let nested = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        assert!(format!("{error} {nested}").contains(says), "{error} {nested}");
    }
}

#[test]
fn a_joined_unit_is_told_its_first_change_at_once_and_the_application_first() {
    let mut model =
        model(&[("a", "provides: {x: {interface: i}}", 2), ("b", "requires: {x: {interface: i}}", 1)]);
    for unit in ["a/0", "a/1", "b/0"] {
        drain(&mut model, unit);
    }
    let id = model.integrate("a", "b").unwrap();
    for unit in ["a/0", "a/1"] {
        assert_eq!(drain(&mut model, unit), ["x-relation-created"]);
    }
    model.set_bag(id, "a", &BTreeMap::from([("k".into(), "v".into())])).unwrap();
    assert_eq!(
        drain(&mut model, "b/0"),
        [
            "x-relation-created",
            "x-relation-changed",
            "x-relation-joined",
            "x-relation-changed",
            "x-relation-joined",
            "x-relation-changed"
        ]
    );
    // Several changes before the next event are one.
    for value in ["1", "2", "3"] {
        model.set_bag(id, "a/1", &BTreeMap::from([("k".into(), value.into())])).unwrap();
    }
    assert_eq!(drain(&mut model, "b/0"), ["x-relation-changed"]);
    // Written and taken back is still a change that was told.
    model.set_bag(id, "a/1", &BTreeMap::from([("k".into(), String::new())])).unwrap();
    assert_eq!(model.relations[&id].unit_bags["a/1"].data.get("k"), None);
}

#[test]
fn events_are_preferred_in_jujus_order() {
    let mut model = model(&[("a", "peers: {p: {interface: i}}\ncontainers: {c: {}}", 1)]);
    drain(&mut model, "a/0");
    model.application_mut("a").unwrap().config_version += 1;
    let unit = model.unit_mut("a/0").unwrap();
    unit.requested.push_back(Event::UpdateStatus);
    unit.seen.upgrade = true;
    unit.containers.insert("c".into());
    unit.seen.leader = false;
    let id = model.add_secret(Owner::Application("a".into()), None, Content::new(), NOW);
    model.read_secret("a/0", &id, false, false, None).unwrap();
    model.revise_secret(&id, BTreeMap::from([("k".into(), "v".into())]), NOW).unwrap();
    assert_eq!(
        drain(&mut model, "a/0"),
        [
            "leader-elected",
            "c-pebble-ready",
            "secret-changed",
            "upgrade-charm",
            "config-changed",
            "update-status"
        ]
    );
}

#[test]
fn a_revision_is_obsolete_when_nobody_can_come_back_to_it() {
    let mut model = model(&[("a", "", 2)]);
    for unit in ["a/0", "a/1"] {
        drain(&mut model, unit);
    }
    let id = model.add_secret(Owner::Application("a".into()), Some("l"), Content::new(), NOW);
    model.read_secret("a/1", &id, false, false, Some("mine")).unwrap();
    model.revise_secret(&id, BTreeMap::from([("k".into(), "MQ==".into())]), NOW).unwrap();
    assert_eq!(drain(&mut model, "a/0"), [""; 0], "a/1 still tracks the first revision");
    model.read_secret("a/1", &id, false, true, None).unwrap();
    assert_eq!(drain(&mut model, "a/0"), ["secret-remove"]);
    assert_eq!(drain(&mut model, "a/1"), ["secret-changed"]);
    assert_eq!(model.secret_labelled("a/1", "mine"), Some(id.clone()));
    assert_eq!(model.secret_labelled("a/0", "mine"), None);
    for (uri, found) in [
        (format!("secret:{id}"), true),
        (format!("secret://{}/{id}", model.uuid), true),
        (id.clone(), true),
        ("secret:short".into(), false),
        (format!("secret:{}", "z".repeat(20)), false),
    ] {
        assert_eq!(Secret::parse_uri(&uri).is_some(), found, "{uri}");
    }
}

#[test]
fn a_commit_is_whole_or_nothing() {
    let mut model = model(&[("a", "peers: {p: {interface: i}}", 2)]);
    for unit in ["a/0", "a/1"] {
        drain(&mut model, unit);
    }
    let bag = |key| ((0, key), BTreeMap::from([("k".to_owned(), "v".to_owned())]));
    let changes = Changes {
        bags: BTreeMap::from([bag(BagKey::Unit), bag(BagKey::Application)]),
        state: BTreeMap::from([("s".to_owned(), Some("v".to_owned()))]),
        ..Changes::default()
    };
    assert_eq!(model.commit("a/1", &changes, NOW).unwrap_err().kind(), "not-leader");
    assert!(!model.relations[&0].unit_bags["a/1"].data.contains_key("k"));
    assert!(model.unit("a/1").unwrap().state.is_empty());
    model.commit("a/0", &changes, NOW).unwrap();
    assert_eq!(model.relations[&0].app_bags["a"].data["k"], "v");
    let icmp = Changes { ports: BTreeMap::from([("icmp".to_owned(), true)]), ..Changes::default() };
    assert_eq!(model.commit("a/0", &icmp, NOW).unwrap_err().kind(), "invalid");
    let huge = "x".repeat(1 << 16);
    let state = (0..33).map(|n| (n.to_string(), Some(huge.clone()))).collect();
    let error = model.commit("a/0", &Changes { state, ..Changes::default() }, NOW).unwrap_err();
    assert!(error.to_string().contains("max allowed charm state size"), "{error}");
}

#[test]
fn ambiguous_endpoints_are_named() {
    let mut model = model(&[
        ("a", "provides: {x: {interface: i}, y: {interface: i}}", 0),
        ("b", "requires: {z: {interface: i}}", 0),
    ]);
    let error = model.integrate("a", "b").unwrap_err();
    assert_eq!(error.to_string(), "ambiguous relation: \"a b\" could refer to \"b:z a:x\"; \"b:z a:y\"");
    let id = model.integrate("b", "a:y").unwrap();
    assert_eq!(model.relations[&id].key(), "b:z a:y");
    assert_eq!(model.relation_between("a", "b").unwrap(), id);
    assert_eq!(model.relation_between("a:x", "b").unwrap_err().kind(), "not-found");
}

#[test]
fn nested_parameters_are_checked() {
    let schema = ActionSchema {
        params: BTreeMap::from([
            ("list".into(), json!({"type": "array", "items": {"type": "string", "maxLength": 2}})),
            (
                "map".into(),
                json!({"type": "object", "required": ["a"], "properties": {"a": {"type": "boolean"}}}),
            ),
        ]),
        ..ActionSchema::default()
    };
    let resolve =
        |value: serde_json::Value| schema.resolve(value.as_object().unwrap()).map_err(|it| it.to_string());
    assert!(resolve(json!({"list": ["ab"], "map": {"a": true}})).is_ok());
    for (value, says) in [
        (json!({"list": ["abc"]}), "(root).list.0 : the string's length must be less than or equal to 2"),
        (json!({"list": "x"}), "(root).list : must be of type array"),
        (json!({"map": {}}), "(root).map : \"a\" property is missing and required"),
        (json!({"map": {"a": 1}}), "(root).map.a : must be of type boolean"),
    ] {
        let error = resolve(value).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
}

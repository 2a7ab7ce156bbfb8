//! Loki (`loki_push_api`): every unit tells where it takes logs, the leader what it thinks of the alert rules.

use serde_json::json;

use super::relation::{Answer, State, View, bag};
use super::scrape::check_rules;

pub fn answer(view: &View) -> Answer {
    let host =
        format!("{}.{}-endpoints.{}.svc.cluster.local", view.unit.replace('/', "-"), view.app, view.model);
    let url = format!("http://{host}:3100/loki/api/v1/push");
    let unit = bag([("endpoint", json!({"url": url}).to_string()), ("public_address", host)]);
    let mut app = bag([("promtail_binary_zip_url", json!("https://example.com/promtail.zip").to_string())]);
    let mut state = State::default();
    // The rules come after the relation; without any there is nothing to say about them.
    if view.remote.contains_key("alert_rules") {
        let errors = check_rules(view).err().unwrap_or_default();
        app.insert("event".into(), json!({"valid": errors.is_empty(), "errors": errors}).to_string());
        if !errors.is_empty() {
            state = State::Blocked(errors);
        }
    }
    Answer { app: Some(app), unit: Some(unit), state, ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_has_an_endpoint_of_its_own() {
        let url = |unit: &str| {
            let view = View { unit: unit.into(), app: "loki".into(), model: "m".into(), ..View::default() };
            answer(&view).unit.unwrap()["endpoint"].clone()
        };
        assert_eq!(
            url("loki/1"),
            r#"{"url":"http://loki-1.loki-endpoints.m.svc.cluster.local:3100/loki/api/v1/push"}"#
        );
        assert_ne!(url("loki/0"), url("loki/1"));
    }
}

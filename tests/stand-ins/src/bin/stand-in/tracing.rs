//! Tempo (`tracing`): offers the receivers that were asked for.

use serde_json::{Value, json};

use super::relation::{Answer, State, View, bag};

/// Protocols with their transport and port.
const RECEIVERS: [(&str, &str, u16); 5] = [
    ("zipkin", "http", 9411),
    ("otlp_grpc", "grpc", 4317),
    ("otlp_http", "http", 4318),
    ("jaeger_grpc", "grpc", 14250),
    ("jaeger_thrift_http", "http", 14268),
];

pub fn answer(view: &View) -> Answer {
    let Ok(Value::Array(asked)) = view.remote_json("receivers") else {
        let state = State::Waiting(format!("{}: no receivers are asked for", view.id));
        return Answer { state, ..Answer::default() };
    };
    let host = view.service();
    // A relay that is not connected to Tempo yet offers nothing, which is an answer too.
    let offered = RECEIVERS.iter().filter(|_| !view.flag("relay_without_tempo"));
    let receivers: Vec<Value> = offered
        .filter(|(name, ..)| asked.iter().any(|it| it == name))
        .map(|(name, kind, port)| {
            let scheme = if *kind == "http" { "http://" } else { "" };
            json!({"protocol": {"name": name, "type": kind}, "url": format!("{scheme}{host}:{port}")})
        })
        .collect();
    Answer { app: Some(bag([("receivers", json!(receivers).to_string())])), ..Answer::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_offered() {
        let mut view = View { app: "tempo".into(), model: "m".into(), ..View::default() };
        assert!(answer(&view).app.is_none());
        view.remote.insert("receivers".into(), r#"["otlp_http"]"#.into());
        let expected = r#"[{"protocol":{"name":"otlp_http","type":"http"},"url":"http://tempo.m.svc.cluster.local:4318"}]"#;
        assert_eq!(answer(&view).app.unwrap()["receivers"], expected);
        view.config.insert("relay_without_tempo".into(), true.into());
        assert_eq!(answer(&view).app.unwrap()["receivers"], "[]");
    }
}

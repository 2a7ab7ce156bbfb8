//! Traefik (`traefik_route`): takes a dynamic configuration and answers with the host under which it is served.
//!
//! Nothing is answered before there is a `config`; an empty one will do. What Traefik itself would not load is told.

use serde_json::Value;
use stand_ins::Bag;

use super::relation::{Answer, State, View, bag};

const ENTRY_POINTS: [&str; 2] = ["web", "websecure"];

pub fn answer(view: &View) -> Answer {
    let Some(text) = view.remote.get("config") else {
        return Answer { state: State::Waiting(format!("{}: no route yet", view.id)), ..Answer::default() };
    };
    let host = view.option("external_hostname");
    let scheme = if view.flag("tls") { "https" } else { "http" };
    let state = match check(text, &view.remote) {
        Err(reason) => State::Blocked(format!("{}: {reason}", view.id)),
        Ok(()) if host.is_empty() => State::Waiting("gateway address unavailable".into()),
        Ok(()) => State::default(),
    };
    Answer {
        app: Some(bag([("external_host", host.as_str()), ("scheme", scheme)])),
        state,
        ..Answer::default()
    }
}

/// Whether Traefik would load it and route as asked.
fn check(text: &str, remote: &Bag) -> Result<(), String> {
    let config: Value = serde_yaml::from_str(text).map_err(|error| format!("config is no YAML: {error}"))?;
    let root = config.as_object().ok_or("config is no map")?;
    if root.is_empty() {
        return Ok(());
    }
    if remote.get("raw").map(String::as_str) != Some("True") {
        return Err("without raw=True every router is doubled".into());
    }
    let http = config["http"].as_object().ok_or("config has no http")?;
    let known = |kind: &str, name: &Value| {
        http.get(kind).is_some_and(|all| all.get(name.as_str().unwrap_or_default()).is_some())
    };
    let routers = http.get("routers").and_then(Value::as_object).filter(|all| !all.is_empty());
    for (name, router) in routers.ok_or("config has no routers")? {
        let wrong = |what: &str| Err(format!("router {name}: {what}"));
        if router["rule"].as_str().is_none_or(str::is_empty) {
            return wrong("no rule");
        }
        if !known("services", &router["service"]) {
            return wrong("its service is not defined");
        }
        let listed = |key: &str| router[key].as_array().cloned().unwrap_or_default();
        if listed("entryPoints").iter().any(|it| !ENTRY_POINTS.iter().any(|known| it == known)) {
            return wrong("an entry point is not Traefik's");
        }
        if listed("middlewares").iter().any(|it| !known("middlewares", it)) {
            return wrong("a middleware is not defined");
        }
        let domains = router["tls"]["domains"].as_array().cloned().unwrap_or_default();
        if domains.iter().any(|domain| domain["main"].as_str().is_none_or(str::is_empty)) {
            return wrong("a domain of its TLS has no name");
        }
    }
    for (name, service) in http.get("services").and_then(Value::as_object).into_iter().flatten() {
        let servers = service["loadBalancer"]["servers"].as_array().cloned().unwrap_or_default();
        if servers.is_empty()
            || servers.iter().any(|server| !server["url"].as_str().is_some_and(|url| url.starts_with("http")))
        {
            return Err(format!("service {name}: no server with a URL"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(config: Option<&str>, host: &str) -> View {
        let mut view = View { id: "traefik-route:1".into(), ..View::default() };
        view.remote.extend(config.map(|text| ("config".to_owned(), text.to_owned())));
        view.remote.insert("raw".into(), "True".into());
        view.config.insert("external_hostname".into(), host.into());
        view
    }

    #[test]
    fn nothing_is_answered_before_there_is_a_route() {
        let answer = answer(&view(None, "id.example"));
        assert!(answer.app.is_none() && matches!(answer.state, State::Waiting(_)));
    }

    #[test]
    fn an_empty_route_is_answered() {
        let answer = answer(&view(Some("{}"), "id.example:8443"));
        let bag = answer.app.unwrap();
        assert_eq!((bag["external_host"].as_str(), bag["scheme"].as_str()), ("id.example:8443", "http"));
        assert_eq!(answer.state, State::default());
    }

    #[test]
    fn what_traefik_would_not_load_is_told() {
        for (config, says) in [
            ("[", "no YAML"),
            ("- 1", "no map"),
            (r#"{"http": {"routers": {}}}"#, "no routers"),
            (r#"{"http": {"routers": {"r": {"service": "s"}}}}"#, "no rule"),
            (
                r#"{"http": {"routers": {"r": {"rule": "PathPrefix(`/`)", "service": "s"}}}}"#,
                "service is not",
            ),
            (
                r#"{"http": {"services": {"s": {}}, "routers": {"r": {"rule": "x", "service": "s", "tls": {"domains": [{"main": ""}]}}}}}"#,
                "has no name",
            ),
            (
                r#"{"http": {"services": {"s": {}}, "routers": {"r": {"rule": "x", "service": "s", "entryPoints": ["webs"]}}}}"#,
                "entry point",
            ),
            (
                r#"{"http": {"services": {"s": {}}, "routers": {"r": {"rule": "x", "service": "s"}}}}"#,
                "no server",
            ),
        ] {
            let State::Blocked(text) = answer(&view(Some(config), "h")).state else { panic!("{config}") };
            assert!(text.contains(says), "{text}");
        }
    }
}

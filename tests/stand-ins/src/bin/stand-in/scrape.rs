//! Prometheus (`prometheus_scrape`) and Grafana (`grafana_dashboard`), which read what a charm offers and report what
//! they cannot use in the key `event`.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stand_ins::Bag;

use super::relation::{Answer, State, View};

/// The keys of a scrape job that the library lets through.
const JOB_KEYS: [&str; 16] = [
    "job_name",
    "metrics_path",
    "static_configs",
    "scrape_interval",
    "scrape_timeout",
    "proxy_url",
    "relabel_configs",
    "metric_relabel_configs",
    "sample_limit",
    "label_limit",
    "label_name_length_limit",
    "label_value_length_limit",
    "scheme",
    "basic_auth",
    "tls_config",
    "params",
];

pub fn prometheus(view: &View) -> Answer {
    if view.remote.is_empty() || view.remote_units.is_empty() {
        return Answer {
            state: State::Waiting(format!("{}: nothing to scrape", view.id)),
            ..Answer::default()
        };
    }
    let rules = check_rules(view).err().unwrap_or_default();
    let jobs = check_jobs(view).err().unwrap_or_default();
    let errors = format!("{rules}{jobs}");
    let event = if errors.is_empty() {
        String::new()
    } else {
        json!({"errors": rules, "scrape_job_errors": jobs}).to_string()
    };
    report(event, errors)
}

pub fn grafana(view: &View) -> Answer {
    if view.remote.is_empty() {
        return Answer { state: State::Waiting(format!("{}: no dashboard", view.id)), ..Answer::default() };
    }
    let errors = check_dashboards(view).err().unwrap_or_default();
    let event = if errors.is_empty() {
        String::new()
    } else {
        json!({"valid": false, "errors": [{"error": errors}]}).to_string()
    };
    report(event, errors)
}

fn report(event: String, errors: String) -> Answer {
    let app = Bag::from([("event".to_owned(), event)]);
    let state = if errors.is_empty() { State::default() } else { State::Blocked(errors) };
    Answer { app: Some(app), state, ..Answer::default() }
}

/// The topology that the library makes of `metadata` or `scrape_metadata`: without one of the keys it raises.
fn check_topology(topology: &Value) -> Result<(), String> {
    let absent = |key: &&&str| topology[**key].as_str().is_none_or(str::is_empty);
    match ["model", "model_uuid", "application"].iter().find(absent) {
        Some(key) => Err(format!("the topology has no {key}")),
        None => Ok(()),
    }
}

/// Whether the alert rules of a relation can be loaded: `{}` or groups of named rules.
pub fn check_rules(view: &View) -> Result<(), String> {
    let rules = view.remote_json("alert_rules")?;
    let root = rules.as_object().ok_or("alert_rules is no map")?;
    for group in root.get("groups").and_then(Value::as_array).into_iter().flatten() {
        let name = group["name"].as_str().filter(|name| !name.is_empty()).ok_or("a group has no name")?;
        let rules = group["rules"].as_array().filter(|rules| !rules.is_empty());
        for rule in rules.ok_or_else(|| format!("group {name} has no rules"))? {
            let text = |key: &str| rule[key].as_str().filter(|text| !text.is_empty());
            let alert = text("alert").ok_or_else(|| format!("a rule of {name} has no name"))?;
            text("expr").ok_or_else(|| format!("{alert} has no expression"))?;
            for label in ["juju_model", "juju_model_uuid", "juju_application"] {
                if rule["labels"][label].as_str().is_none_or(str::is_empty) {
                    return Err(format!("{alert} has no label {label}"));
                }
            }
            if rule.to_string().contains("%%juju_topology%%") {
                return Err(format!("{alert} still has the placeholder of the topology"));
            }
        }
    }
    Ok(())
}

fn check_jobs(view: &View) -> Result<(), String> {
    check_topology(&view.remote_json("scrape_metadata")?)?;
    let jobs = view.remote_json("scrape_jobs")?;
    for job in jobs.as_array().filter(|jobs| !jobs.is_empty()).ok_or("no scrape job")? {
        let keys = job.as_object().ok_or("a job is no map")?;
        if let Some(key) = keys.keys().find(|key| !JOB_KEYS.contains(&key.as_str())) {
            return Err(format!("{key} is not allowed in a job"));
        }
        if job["static_configs"][0]["targets"].as_array().is_none_or(Vec::is_empty) {
            return Err("a job has no targets".into());
        }
    }
    // A unit that does not tell its address is not scraped.
    let silent = |(_, bag): &(&String, &Bag)| {
        ["prometheus_scrape_unit_address", "prometheus_scrape_unit_name"]
            .iter()
            .any(|key| !bag.contains_key(*key))
    };
    match view.remote_units.iter().find(silent) {
        Some((unit, _)) => Err(format!("{unit} does not tell its address")),
        None => Ok(()),
    }
}

fn check_dashboards(view: &View) -> Result<(), String> {
    let data = view.remote_json("dashboards")?;
    let templates = data["templates"].as_object().filter(|all| !all.is_empty()).ok_or("no templates")?;
    data["uuid"].as_str().ok_or("no uuid")?;
    for (name, template) in templates {
        let wrong = |what: &str| format!("{name}: {what}");
        let packed = template["content"].as_str().ok_or_else(|| wrong("no content"))?;
        let packed = STANDARD.decode(packed).map_err(|_| wrong("content is no base64"))?;
        let mut text = String::new();
        liblzma::read::XzDecoder::new(packed.as_slice())
            .read_to_string(&mut text)
            .map_err(|_| wrong("content is no xz"))?;
        let dashboard: Value = serde_json::from_str(&text).map_err(|_| wrong("content is no JSON"))?;
        for key in ["title", "uid"] {
            if dashboard[key].as_str().is_none_or(str::is_empty) {
                return Err(wrong(&format!("the dashboard has no {key}")));
            }
        }
        check_topology(&template["juju_topology"]).map_err(|reason| wrong(&reason))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TOPOLOGY: &str = r#"{"model":"m","model_uuid":"u","application":"kratos"}"#;
    const JOBS: &str = r#"[{"metrics_path":"/metrics","static_configs":[{"targets":["*:4434"]}]}]"#;

    fn scraped(key: &str, value: &str) -> Answer {
        let mut view = View { id: "metrics-endpoint:1".into(), ..View::default() };
        let unit =
            [("prometheus_scrape_unit_address", "10.1.1.1"), ("prometheus_scrape_unit_name", "kratos/0")];
        view.remote_units.insert("kratos/0".into(), super::super::relation::bag(unit));
        view.remote = super::super::relation::bag([
            ("scrape_metadata", TOPOLOGY),
            ("scrape_jobs", JOBS),
            ("alert_rules", r#"{"groups":[]}"#),
        ]);
        view.remote.insert(key.to_owned(), value.to_owned());
        prometheus(&view)
    }

    #[test]
    fn what_prometheus_cannot_use_is_reported() {
        assert_eq!(scraped("", "").state, State::default());
        assert_eq!(scraped("", "").app.unwrap()["event"], "");
        for (key, value, says) in [
            ("scrape_metadata", "{}", "no model"),
            ("scrape_jobs", "[]", "no scrape job"),
            ("scrape_jobs", r#"[{"honor_labels":true}]"#, "honor_labels is not allowed"),
            ("scrape_jobs", r#"[{"scheme":"http"}]"#, "no targets"),
            ("alert_rules", "x", "no JSON"),
            (
                "alert_rules",
                r#"{"groups":[{"name":"g","rules":[{"alert":"A","expr":"up"}]}]}"#,
                "no label juju_model",
            ),
        ] {
            let answer = scraped(key, value);
            let (State::Blocked(text), bag) = (answer.state, answer.app.unwrap()) else { panic!("{key}") };
            assert!(text.contains(says) && bag["event"].contains("errors"), "{text} {bag:?}");
        }
    }

    #[test]
    fn what_grafana_cannot_read_is_reported() {
        let pack = |text: &str| {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 6);
            encoder.write_all(text.as_bytes()).unwrap();
            STANDARD.encode(encoder.finish().unwrap())
        };
        let state = |content: &str| {
            let topology: Value = serde_json::from_str(TOPOLOGY).unwrap();
            let data = json!({"templates": {"file:k": {"content": content, "juju_topology": topology}}, "uuid": "u"});
            let mut view = View::default();
            view.remote.insert("dashboards".into(), data.to_string());
            grafana(&view).state
        };
        assert_eq!(state(&pack(r#"{"title":"Kratos","uid":"u"}"#)), State::default());
        for (content, says) in [
            ("?", "no base64"),
            ("aGVsbG8=", "no xz"),
            (&pack("nothing"), "no JSON"),
            (&pack(r#"{"title":"Kratos"}"#), "no uid"),
        ] {
            let State::Blocked(text) = state(content) else { panic!("{content}") };
            assert!(text.contains(says), "{text}");
        }
    }
}

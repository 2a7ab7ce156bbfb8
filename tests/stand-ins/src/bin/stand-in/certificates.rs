//! A charm that hands out certificate authorities (`certificate_transfer`), with the older and the newer library.
//!
//! The newer one looks for the requirer's `version` when it writes, and falls back to the older place with JSON where
//! the older one wrote plain text.

use serde_json::{Value, json};

use super::relation::{Answer, View, bag};

pub fn answer(view: &View) -> Answer {
    let certificates = authorities(&view.option("ca"));
    let first = certificates.first().cloned().unwrap_or_default();
    let chain = json!(certificates).to_string();
    if view.library == "0" {
        let unit = [("certificate", first.clone()), ("ca", first), ("chain", chain), ("version", "0".into())];
        return Answer { unit: Some(bag(unit)), ..Answer::default() };
    }
    if view.remote_json("version").ok().as_ref().and_then(version) == Some(1) {
        let app = bag([("certificates", chain), ("version", "1".to_owned())]);
        return Answer { app: Some(app), ..Answer::default() };
    }
    let text = json!(first).to_string();
    let unit = [("certificate", text.clone()), ("ca", text), ("chain", chain), ("version", "0".into())];
    Answer { unit: Some(bag(unit)), ..Answer::default() }
}

fn version(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The PEM blocks of a text, sorted, because the library keeps a set.
fn authorities(text: &str) -> Vec<String> {
    const END: &str = "-----END CERTIFICATE-----";
    let mut blocks: Vec<String> = text.split_inclusive(END).map(|block| block.trim().to_owned()).collect();
    blocks.retain(|block| block.ends_with(END));
    blocks.sort();
    blocks.dedup();
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----";

    fn given(library: &str, version: Option<&str>) -> Answer {
        let mut view = View { library: library.into(), ..View::default() };
        view.config.insert("ca".into(), format!("{PEM}\n").into());
        view.remote.extend(version.map(|text| ("version".to_owned(), text.to_owned())));
        answer(&view)
    }

    #[test]
    fn the_newer_library_writes_for_the_application_only_who_speaks_it() {
        let answer = given("1", Some("1"));
        assert_eq!(answer.app.unwrap()["certificates"], json!([PEM]).to_string());
        let answer = given("1", None);
        assert!(answer.app.is_none());
        assert_eq!(answer.unit.unwrap()["ca"], json!(PEM).to_string());
    }

    #[test]
    fn the_older_library_writes_plain_text_for_each_unit() {
        let answer = given("0", Some("1"));
        assert!(answer.app.is_none());
        assert_eq!(answer.unit.unwrap()["ca"], PEM);
    }
}

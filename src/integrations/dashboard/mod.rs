//! `grafana-dashboard` (interface grafana_dashboard): the charm's dashboard for Grafana.
//!
//! The databag is the same each time, because Grafana reads it all anew whenever it changes
//! (docs/behaviour.md#weakness-59).

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use liblzma::write::XzEncoder;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::endpoint::Endpoint;
use super::topology::{CHARM, Topology, text};

/// Only we write, but for complaints.
pub const ENDPOINT: Endpoint = Endpoint {
    reports_errors: true,
    answer: Some(|publication, _| publication.topology.map(databag)),
    ..Endpoint::new("grafana-dashboard")
};

/// Its `uid` is the one under which the Python charm's dashboard is known, so it takes its place.
const DASHBOARD: &str = include_str!("kratos.json");
const TEMPLATE: &str = "file:kratos.json";
/// The library makes it of the charm's name and the template's.
const ALTERNATIVE_UID: &str = "00243581eeb55c29";
/// Takes a few MiB of memory; the default takes 94 MiB for a dashboard no smaller.
const LEVEL: u32 = 1;

#[derive(Serialize)]
struct Dashboards<'a> {
    templates: BTreeMap<&'a str, Template<'a>>,
    uuid: String,
}

#[derive(Serialize)]
struct Template<'a> {
    charm: &'a str,
    content: String,
    juju_topology: &'a Topology,
    inject_dropdowns: bool,
    dashboard_alt_uid: &'a str,
}

/// What the leader publishes: nothing only if there is no memory to compress.
pub fn databag(topology: &Topology) -> BTreeMap<String, Option<String>> {
    let Ok(packed) = pack(DASHBOARD) else { return BTreeMap::new() };
    let template = Template {
        charm: CHARM,
        content: BASE64_STANDARD.encode(packed),
        juju_topology: topology,
        inject_dropdowns: true,
        dashboard_alt_uid: ALTERNATIVE_UID,
    };
    let templates = BTreeMap::from([(TEMPLATE, template)]);
    let uuid = uuid(&text(&templates));
    BTreeMap::from([("dashboards".to_owned(), Some(text(&Dashboards { templates, uuid })))])
}

/// An .xz container.
fn pack(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = XzEncoder::new(Vec::new(), LEVEL);
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

/// A UUID that changes exactly when the templates do.
fn uuid(templates: &str) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(templates)[..16]);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::topology::tests::sample;
    use super::*;
    use serde_json::Value;

    fn said(topology: &Topology) -> String {
        databag(topology).remove("dashboards").flatten().unwrap()
    }

    #[test]
    fn weakness_59_the_databag_changes_only_with_its_content() {
        assert_eq!(said(&sample()), said(&sample()));
        let uuid = |text: &str| serde_json::from_str::<Value>(text).unwrap()["uuid"].clone();
        let other = Topology { unit: "kratos/1".to_owned(), ..sample() };
        assert_ne!(uuid(&said(&sample())), uuid(&said(&other)));
        assert!(uuid::Uuid::try_parse(uuid(&said(&other)).as_str().unwrap()).is_ok());
    }

    #[test]
    fn grafana_finds_the_dashboard_under_the_python_charms_identity() {
        let said: Value = serde_json::from_str(&said(&sample())).unwrap();
        let template = &said["templates"]["file:kratos.json"];
        assert_eq!(template["charm"], "kratos");
        assert_eq!(template["dashboard_alt_uid"], "00243581eeb55c29");
        assert_eq!(template["inject_dropdowns"], true);
        assert_eq!(template["juju_topology"], serde_json::to_value(sample()).unwrap());
        let content = template["content"].as_str().unwrap();
        assert!(content.starts_with("/Td6WFo"), "{}", &content[..8]);
        let mut text = String::new();
        let packed = BASE64_STANDARD.decode(content).unwrap();
        liblzma::read::XzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        assert_eq!(text, DASHBOARD);
    }

    #[test]
    fn every_panel_asks_for_this_deployment_and_knows_its_datasource() {
        let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
        assert_eq!(dashboard["uid"], "be58e096517bdc04ef005b9a4c2a25ecf0f701d1");
        assert!(dashboard["tags"].as_array().unwrap().contains(&"charm: kratos".into()));
        // Grafana's charm adds the datasources and Juju's names to choose from, and would not notice ours.
        assert_eq!(dashboard["templating"]["list"], serde_json::json!([]));
        let panels = dashboard["panels"].as_array().unwrap();
        let mut ids: Vec<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        ids.dedup();
        assert_eq!(ids.len(), panels.len());
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            let source = panel["datasource"]["uid"].as_str().unwrap();
            assert!(["${prometheusds}", "${lokids}"].contains(&source), "{panel}");
            for target in panel["targets"].as_array().unwrap() {
                let expr = target["expr"].as_str().unwrap();
                assert!(expr.contains(r#"juju_application=~"$juju_application""#), "{expr}");
                assert_eq!(expr.matches('{').count(), expr.matches("juju_unit=~").count(), "{expr}");
            }
        }
    }
}

//! `metrics-endpoint` (interface prometheus_scrape): where Prometheus finds each unit's metrics, and when to raise an alarm.
//!
//! The leader publishes the job and the rules, every unit its own address, which is a new one in every pod.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::json;

use super::endpoint::Endpoint;
use super::rules::{Group, Rule, alert_rules};
use super::topology::{Topology, pod_name};
use crate::juju::UnitName;
use crate::kratos::names::ADMIN_PORT;

/// Each unit tells where it is.
pub const ENDPOINT: Endpoint = Endpoint {
    address: true,
    reports_errors: true,
    answer: Some(|publication, _| publication.topology.map(application)),
    answer_of_unit: Some(|publication, relation| {
        Some(unit(publication.model, publication.unit, relation.address.as_deref()))
    }),
    ..Endpoint::new("metrics-endpoint")
};

/// Where Kratos answers them, on the admin port.
const PATH: &str = "/metrics/prometheus";

/// Alerts over the metrics of the scrape itself, of Kratos' HTTP servers and of its process.
pub const RULES: &[Group] = &[
    Group {
        name: "kratos_availability",
        rules: &[
            Rule {
                alert: "KratosUnitDown",
                expr: "up{TOPOLOGY} == 0",
                hold: "5m",
                severity: "critical",
                summary: "{{ $labels.juju_unit }} does not answer",
                description: "Kratos on {{ $labels.juju_unit }} has not answered for 5 minutes. See its status: juju status {{ $labels.juju_application }}. \
                              If it says that a migration is pending: juju run {{ $labels.juju_application }}/leader run-migration",
            },
            Rule {
                alert: "KratosDegraded",
                expr: "avg by (juju_model, juju_application) (up{TOPOLOGY}) < 0.7",
                hold: "1m",
                severity: "error",
                summary: "Less than 70 % of the units of {{ $labels.juju_application }} answer",
                description: "Logins become slow or fail. See: juju status {{ $labels.juju_application }}",
            },
            Rule {
                alert: "KratosDown",
                expr: "max by (juju_model, juju_application) (up{TOPOLOGY}) == 0",
                hold: "1m",
                severity: "critical",
                summary: "No unit of {{ $labels.juju_application }} answers",
                description: "Nobody can log in. After a refresh the database may wait for its migration: \
                              juju run {{ $labels.juju_application }}/leader show-migrations",
            },
            Rule {
                alert: "KratosMetricsMissing",
                expr: "absent(up{TOPOLOGY})",
                hold: "5m",
                severity: "warning",
                summary: "Nothing is scraped from {{ $labels.juju_application }}",
                description: "Prometheus has no target of {{ $labels.juju_application }}. See: juju status --relations",
            },
        ],
    },
    Group {
        name: "kratos_requests",
        rules: &[Rule {
            alert: "KratosServerErrors",
            expr: "sum by (juju_model, juju_application) (rate(http_requests_statuses_total{TOPOLOGY,status_bucket=\"5xx\"}[5m])) \
                   / sum by (juju_model, juju_application) (rate(http_requests_statuses_total{TOPOLOGY}[5m])) > 0.05",
            hold: "10m",
            severity: "error",
            summary: "{{ $labels.juju_application }} answers more than 5 % of all requests with a server error",
            description: "Most often the database is away, overloaded or read-only. See: juju debug-log --include {{ $labels.juju_application }}, and the logs of Kratos",
        }],
    },
    Group {
        name: "kratos_process",
        rules: &[
            Rule {
                alert: "KratosKeepsRestarting",
                expr: "changes(process_start_time_seconds{TOPOLOGY}[15m]) > 3",
                hold: "0m",
                severity: "error",
                summary: "Kratos on {{ $labels.juju_unit }} was started more than 3 times in 15 minutes",
                description: "See why it ends: juju ssh {{ $labels.juju_unit }} env PEBBLE_SOCKET=/charm/containers/kratos/pebble.socket /charm/bin/pebble logs",
            },
            Rule {
                alert: "KratosFileDescriptors",
                expr: "process_open_fds{TOPOLOGY} / process_max_fds{TOPOLOGY} > 0.8",
                hold: "10m",
                severity: "warning",
                summary: "Kratos on {{ $labels.juju_unit }} runs out of file descriptors",
                description: "More than 80 % are in use; beyond that no connection is taken. Add units: juju add-unit {{ $labels.juju_application }}",
            },
            Rule {
                alert: "KratosRequestsPileUp",
                expr: "go_goroutines{TOPOLOGY} > 5000",
                hold: "10m",
                severity: "warning",
                summary: "Requests pile up in Kratos on {{ $labels.juju_unit }}",
                description: "Over 5000 goroutines: requests wait for something, most often for the database",
            },
        ],
    },
];

/// What the leader publishes. The star stands for the addresses of all units.
pub fn application(topology: &Topology) -> BTreeMap<String, Option<String>> {
    let jobs = json!([{"metrics_path": PATH, "static_configs": [{"targets": [format!("*:{ADMIN_PORT}")]}]}]);
    let keys = [
        ("scrape_metadata", topology.metadata()),
        ("scrape_jobs", jobs.to_string()),
        ("alert_rules", alert_rules(RULES, topology, "rules")),
    ];
    keys.map(|(key, value)| (key.to_owned(), Some(value))).into()
}

/// What every unit publishes: its IP address or, where Juju tells none, the name of its pod.
pub fn unit(model: &str, unit: &UnitName, address: Option<&str>) -> BTreeMap<String, Option<String>> {
    let address = match address.filter(|text| text.parse::<IpAddr>().is_ok()) {
        Some(address) => address.to_owned(),
        None => pod_name(model, unit),
    };
    let keys =
        [("prometheus_scrape_unit_address", address), ("prometheus_scrape_unit_name", unit.to_string())];
    keys.map(|(key, value)| (key.to_owned(), Some(value))).into()
}

#[cfg(test)]
mod tests {
    use super::super::topology::tests::sample;
    use super::*;

    #[test]
    fn the_job_is_the_python_charms() {
        let keys = application(&sample());
        assert_eq!(
            keys["scrape_jobs"].as_deref(),
            Some(r#"[{"metrics_path":"/metrics/prometheus","static_configs":[{"targets":["*:4434"]}]}]"#)
        );
        assert!(keys["scrape_metadata"].as_deref().unwrap().contains(r#""charm_name":"kratos""#));
    }

    #[test]
    fn a_unit_is_found_by_its_address_or_its_name() {
        let unit_name = "kratos/2".parse().unwrap();
        let address =
            |address| unit("idp", &unit_name, address)["prometheus_scrape_unit_address"].clone().unwrap();
        assert_eq!(address(Some("10.1.2.3")), "10.1.2.3");
        for none in [None, Some(""), Some("kratos-2.internal")] {
            assert_eq!(address(none), "kratos-2.kratos-endpoints.idp.svc.cluster.local");
        }
        assert_eq!(unit("idp", &unit_name, None)["prometheus_scrape_unit_name"].as_deref(), Some("kratos/2"));
    }
}

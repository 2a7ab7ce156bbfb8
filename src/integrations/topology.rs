//! Which application of which model telemetry comes from, in the words that the observability charms read.

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use crate::juju::{Context, UnitName};

/// The charm's name, which labels carry and from which the dashboard's identity was made.
pub const CHARM: &str = "kratos";

/// One unit of the application. Serialized it is what databags call the topology.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Topology {
    pub model: String,
    pub model_uuid: String,
    pub application: String,
    pub unit: String,
}

impl Topology {
    /// `None` if Juju names no model by a UUID: the libraries of the other side fail on anything else.
    pub fn new(context: &Context) -> Option<Self> {
        let uuid = Uuid::try_parse(&context.model_uuid).ok()?;
        Some(Self {
            model: context.model.clone(),
            model_uuid: uuid.to_string(),
            application: context.unit.application().to_owned(),
            unit: context.unit.to_string(),
        })
    }

    /// With the charm's name, as rules and scrape jobs are accompanied by it.
    pub fn metadata(&self) -> String {
        #[derive(Serialize)]
        struct Metadata<'a> {
            #[serde(flatten)]
            topology: &'a Topology,
            charm_name: &'a str,
        }
        text(&Metadata { topology: self, charm_name: CHARM })
    }

    /// The labels of an alert rule. It concerns the application, so there is no unit among them.
    pub fn labels(&self) -> BTreeMap<&'static str, &str> {
        BTreeMap::from([
            ("juju_application", self.application.as_str()),
            ("juju_charm", CHARM),
            ("juju_model", self.model.as_str()),
            ("juju_model_uuid", self.model_uuid.as_str()),
        ])
    }

    /// Selects what comes from this application, inside the braces of a query.
    pub fn matcher(&self) -> String {
        let Self { model, model_uuid, application, .. } = self;
        format!(r#"juju_model="{model}",juju_model_uuid="{model_uuid}",juju_application="{application}""#)
    }

    /// `<model>_<first 8 of its UUID>_<application>`, of which names are made.
    pub fn identifier(&self) -> String {
        let short: String = self.model_uuid.chars().take(8).collect();
        format!("{}_{short}_{}", self.model, self.application)
    }
}

/// The name under which Kubernetes finds a unit's pod.
pub fn pod_name(model: &str, unit: &UnitName) -> String {
    let (application, number) = (unit.application(), unit.number());
    format!("{application}-{number}.{application}-endpoints.{model}.svc.cluster.local")
}

/// JSON; texts and maps of texts always encode.
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn sample() -> Topology {
        Topology {
            model: "idp".to_owned(),
            model_uuid: "6f5b1b3e-0000-4000-8000-000000000000".to_owned(),
            application: "kratos".to_owned(),
            unit: "kratos/0".to_owned(),
        }
    }

    #[test]
    fn the_texts_are_stable() {
        let topology = sample();
        assert_eq!(
            topology.metadata(),
            r#"{"model":"idp","model_uuid":"6f5b1b3e-0000-4000-8000-000000000000","application":"kratos","unit":"kratos/0","charm_name":"kratos"}"#
        );
        assert_eq!(topology.identifier(), "idp_6f5b1b3e_kratos");
        assert_eq!(
            pod_name("idp", &"kratos/3".parse().unwrap()),
            "kratos-3.kratos-endpoints.idp.svc.cluster.local"
        );
    }
}

//! deploy.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use super::{Done, Fault, Session};
use crate::juju::{Error, Found};

/// What Juju calls the base of a charm that runs here.
const BASE: &str = "ubuntu@24.04/stable";

pub(super) async fn deploy(session: &mut Session<'_>) -> Done {
    let what = session.required(0, "charm or bundle")?;
    session.at_most(2)?;
    let count = count(session.flags.get("n"), 1)?;
    let revision = revision(session)?;
    let found = session.engine.store.find(&what, session.flags.get("channel"), revision)?;
    let name = session.arg(1).unwrap_or(&found.charm.name).to_owned();
    if session.engine.state().model.applications.contains_key(&name) {
        let text = format!(
            "cannot add application \"{name}\": application already exists; deploy application using an alias name: juju deploy {what} <application-alias>"
        );
        return Err(Fault::Failed(text));
    }
    let resources = resources(session, &found, &BTreeMap::new())?;
    announce(session, &found, &name);
    if found.charm.name == "postgresql-k8s" {
        session.engine.start_postgres().await?;
    }
    let deployed = add(session, &found, &name, resources, count).await;
    if deployed.is_err() {
        // What was refused halfway leaves nothing behind.
        let mut state = session.engine.state();
        state.model.relations.retain(|_, relation| !relation.has_application(&name));
        state.model.applications.remove(&name);
    }
    session.settle().await;
    deployed
}

async fn add(
    session: &Session<'_>,
    found: &Found,
    name: &str,
    resources: BTreeMap<String, String>,
    count: u32,
) -> Done {
    {
        let mut state = session.engine.state();
        state.model.deploy(name, found.charm.clone(), found.origin.clone(), resources)?;
        let app = state.model.application_mut(name)?;
        app.trust = session.flags.has("trust");
        app.set_config(&config(session.flags.all("config"), name)?)?;
    }
    add_units(session, name, count, &found.dir).await
}

/// Adds units with their pods.
pub(super) async fn add_units(session: &Session<'_>, app: &str, count: u32, charm: &Path) -> Done {
    for _ in 0..count {
        let address = session.engine.free_address()?;
        let unit = session.engine.state().model.add_unit(app, &address, SystemTime::now())?;
        session.engine.create_pod(&unit, charm).await?;
    }
    session.engine.state().charms.insert(app.to_owned(), charm.to_owned());
    Ok(())
}

fn announce(session: &mut Session<'_>, found: &Found, name: &str) {
    let (charm, revision, channel) = (&found.charm.name, found.origin.revision, &found.origin.channel);
    if channel.is_empty() {
        session.info(&format!("Located local charm \"{charm}\", revision {revision}"));
        session.info(&format!(
            "Deploying \"{name}\" from local charm \"{charm}\", revision {revision} on {BASE}"
        ));
    } else {
        session.info(&format!("Located charm \"{charm}\" in charm-hub, revision {revision}"));
        session.info(&format!(
            "Deploying \"{name}\" from charm-hub charm \"{charm}\", revision {revision} in channel {channel} on {BASE}"
        ));
    }
}

/// A number of units.
pub(super) fn count(text: Option<&str>, default: u32) -> Result<u32, Fault> {
    let Some(text) = text else { return Ok(default) };
    text.parse()
        .map_err(|_| Fault::Usage(format!("invalid value \"{text}\" for a number of units: it is no count")))
}

pub(super) fn revision(session: &Session<'_>) -> Result<Option<u32>, Fault> {
    let parse = |text: &str| {
        text.parse().map_err(|_| Fault::Usage(format!("invalid value \"{text}\" for option --revision")))
    };
    session.flags.get("revision").map(parse).transpose()
}

/// The values of a charm's resources: what was said, else what the channel brings, else what was there
/// before.
pub(super) fn resources(
    session: &Session<'_>,
    found: &Found,
    before: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut given = BTreeMap::new();
    for text in session.flags.all("resource") {
        let (name, value) =
            text.split_once('=').filter(|(name, value)| !name.is_empty() && !value.is_empty()).ok_or_else(
                || Fault::Usage(format!("expected \"<name>=<value>\" for option --resource, got \"{text}\"")),
            )?;
        if !found.charm.resources.contains_key(name) {
            return Err(Fault::Failed(format!("unrecognized resource \"{name}\"")));
        }
        given.insert(name.to_owned(), value.to_owned());
    }
    let mut missing = Vec::new();
    for (name, resource) in &found.charm.resources {
        let brought = found.image.clone().filter(|_| resource.kind == "oci-image");
        let value = given.remove(name).or(brought).or_else(|| before.get(name).cloned());
        match value {
            Some(value) => {
                if resource.kind == "oci-image" {
                    session.engine.store.image(&value)?;
                } else if !Path::new(&value).is_file() {
                    return Err(Fault::Failed(format!("resource \"{name}\": {value}: no such file")));
                }
                given.insert(name.clone(), value);
            }
            None if resource.kind == "oci-image" => missing.push(name.clone()),
            None => {}
        }
    }
    if missing.is_empty() {
        return Ok(given);
    }
    let names = missing.join(", ");
    Err(Fault::Failed(format!(
        "local charm missing OCI images for: [{names}]; use --resource {}=kratos:VERSION",
        missing[0]
    )))
}

/// Options from `--config k=v` and `--config FILE`, later ones win.
pub(super) fn config(given: &[String], app: &str) -> Result<BTreeMap<String, String>, Fault> {
    let mut options = BTreeMap::new();
    for text in given {
        match text.split_once('=') {
            Some((key, value)) => {
                options.insert(key.to_owned(), value.to_owned());
            }
            None => options.extend(config_file(Path::new(text), app)?),
        }
    }
    Ok(options)
}

/// Options in a YAML file, either at the top or below the application's name.
pub(super) fn config_file(path: &Path, app: &str) -> Result<BTreeMap<String, String>, Fault> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let refused = |reason: String| Fault::Failed(format!("cannot read {}: {reason}", path.display()));
    let yaml: serde_yaml::Value = serde_yaml::from_str(&text).map_err(|error| refused(error.to_string()))?;
    let options = yaml.get(app).unwrap_or(&yaml);
    let map = options.as_mapping().ok_or_else(|| refused("it is no map of options".into()))?;
    let text = |value: &serde_yaml::Value| match value {
        serde_yaml::Value::String(text) => Some(text.clone()),
        serde_yaml::Value::Bool(flag) => Some(flag.to_string()),
        serde_yaml::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let pair = |(key, value): (&serde_yaml::Value, &serde_yaml::Value)| {
        let pair = text(key).zip(text(value));
        pair.ok_or_else(|| refused("an option is neither text, number nor boolean".into()))
    };
    map.iter().map(pair).collect()
}

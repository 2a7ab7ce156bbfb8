//! refresh: a new revision of a charm, rolled out as a StatefulSet does it.

use super::deploy::{config, resources, revision};
use super::{Done, Fault, Session};

pub(super) async fn refresh(session: &mut Session<'_>) -> Done {
    let name = session.required(0, "application")?;
    session.at_most(1)?;
    let (before, charm_name, origin) = {
        let state = session.engine.state();
        let app = state.model.application(&name)?;
        if app.stub {
            return Err(Fault::Failed(format!("application \"{name}\" is a stand-in and has no charm")));
        }
        (app.resources.clone(), app.charm.name.clone(), app.origin.clone())
    };
    let path = session.flags.get("path").map(str::to_owned);
    let revision = revision(session)?;
    let channel = session.flags.get("channel").map(str::to_owned);
    if path.is_some() && (revision.is_some() || channel.is_some()) {
        return Err(Fault::Usage("--path and --channel or --revision are mutually exclusive".into()));
    }
    if path.is_none() && origin.channel.is_empty() && channel.is_none() {
        return Err(Fault::Failed(format!("charm of \"{name}\" is local: refresh it with --path")));
    }
    let what = path.clone().unwrap_or(charm_name);
    let channel = channel.or_else(|| Some(origin.channel.clone()).filter(|channel| !channel.is_empty()));
    let mut found = session.engine.store.find(&what, channel.as_deref(), revision)?;
    if path.is_none() {
        if found.origin == origin && session.flags.all("resource").is_empty() {
            session.info(&format!("charm \"{}\": already up-to-date", found.charm.name));
            return Ok(());
        }
        session.info(&format!(
            "Added charm-hub charm \"{}\", revision {} in channel {}, to the model",
            found.charm.name, found.origin.revision, found.origin.channel
        ));
    } else {
        found.origin.revision = origin.revision + 1;
        session.info(&format!(
            "Added local charm \"{}\", revision {}, to the model",
            found.charm.name, found.origin.revision
        ));
    }
    let resources = resources(session, &found, &before)?;
    let options = config(session.flags.all("config"), &name)?;
    let units: Vec<u32> = {
        let mut state = session.engine.state();
        state.model.refresh(&name, found.charm.clone(), found.origin.clone())?;
        state.charms.insert(name.clone(), found.dir.clone());
        let app = state.model.application_mut(&name)?;
        app.resources = resources;
        app.trust |= session.flags.has("trust");
        app.set_config(&options)?;
        app.units.keys().rev().copied().collect()
    };
    for number in units {
        session.engine.replace_pod(&format!("{name}/{number}"), &found.dir).await?;
        session.engine.settle().await;
    }
    session.settle().await;
    Ok(())
}

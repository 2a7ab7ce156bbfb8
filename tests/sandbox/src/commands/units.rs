//! scale-application, add-unit, remove-unit, resolved.

use super::deploy::{add_units, count};
use super::{Done, Fault, Session};
use crate::model::{Life, ModelError};

pub(super) async fn scale(session: &mut Session<'_>) -> Done {
    let name = session.required(0, "application")?;
    let wanted = count(Some(&session.required(1, "scale")?), 0)?;
    session.at_most(2)?;
    scale_to(session, &name, wanted).await?;
    session.info(&format!("{name} scaled to {wanted} units"));
    Ok(())
}

pub(super) async fn add(session: &mut Session<'_>) -> Done {
    let name = session.required(0, "application")?;
    session.at_most(1)?;
    let more = count(session.flags.get("n"), 1)?;
    let wanted = alive(session, &name)?.len() + more as usize;
    scale_to(session, &name, u32::try_from(wanted).unwrap_or(u32::MAX)).await
}

pub(super) async fn remove(session: &mut Session<'_>) -> Done {
    let name = session.required(0, "application")?;
    session.at_most(1)?;
    if name.contains('/') {
        return Err(Fault::Usage("k8s models only support --num-units".into()));
    }
    let fewer = count(session.flags.get("num-units"), 1)?;
    let now = alive(session, &name)?.len();
    let wanted = now.checked_sub(fewer as usize).ok_or_else(|| {
        Fault::Failed(format!("cannot remove {fewer} units: application \"{name}\" has {now}"))
    })?;
    session.info(&format!("scaling down to {wanted} units"));
    scale_to(session, &name, u32::try_from(wanted).unwrap_or(0)).await
}

fn alive(session: &Session<'_>, name: &str) -> Result<Vec<u32>, Fault> {
    let state = session.engine.state();
    let app = state.model.application(name)?;
    if app.stub {
        return Err(Fault::Failed(format!("application \"{name}\" is a stand-in and cannot be scaled")));
    }
    Ok(app.units.values().filter(|unit| unit.life == Life::Alive).map(|unit| unit.number).collect())
}

// A StatefulSet adds at the top and removes from the top; a number that comes back is a new unit.
async fn scale_to(session: &mut Session<'_>, name: &str, wanted: u32) -> Done {
    let units = alive(session, name)?;
    let wanted = wanted as usize;
    if wanted > units.len() {
        let charm = session.engine.state().charms.get(name).cloned();
        let charm = charm.ok_or(ModelError::NotFound { what: "application", name: name.to_owned() })?;
        let more = u32::try_from(wanted - units.len()).unwrap_or(u32::MAX);
        session.engine.state().model.reuse_numbers(name)?;
        add_units(session, name, more, &charm).await?;
    }
    for number in units.iter().skip(wanted) {
        session.engine.state().model.remove_unit(&format!("{name}/{number}"))?;
    }
    session.settle().await;
    Ok(())
}

pub(super) async fn resolved(session: &mut Session<'_>) -> Done {
    let mut units = session.args.clone();
    if session.flags.has("all") {
        let state = session.engine.state();
        let failed = |name: &String| state.model.unit(name).is_ok_and(|unit| unit.error.is_some());
        units = state.model.unit_names().into_iter().filter(failed).collect();
    } else if units.is_empty() {
        return Err(Fault::Usage("no unit specified".into()));
    }
    for unit in &units {
        session.engine.resolve(unit, !session.flags.has("no-retry"))?;
    }
    session.engine.settle().await;
    Ok(())
}

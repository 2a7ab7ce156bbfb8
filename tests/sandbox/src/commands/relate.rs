//! integrate (also `relate`) and remove-relation.

use super::{Done, Fault, Session};

pub(super) async fn integrate(session: &mut Session<'_>) -> Done {
    let (one, other) = pair(session)?;
    session.engine.state().model.integrate(&one, &other)?;
    session.settle().await;
    Ok(())
}

pub(super) async fn remove(session: &mut Session<'_>) -> Done {
    let id = match (session.args.len(), session.arg(0).and_then(|text| text.parse::<u32>().ok())) {
        (1, Some(id)) => id,
        _ => {
            let (one, other) = pair(session)?;
            session.engine.state().model.relation_between(&one, &other)?
        }
    };
    session.engine.state().model.remove_relation(id)?;
    session.settle().await;
    Ok(())
}

fn pair(session: &Session<'_>) -> Result<(String, String), Fault> {
    match session.args.as_slice() {
        [one, other] => Ok((one.clone(), other.clone())),
        _ => Err(Fault::Usage("a relation must involve two applications".into())),
    }
}

//! `migrate repair`: the two states in which every run fails, and the way out.

use serde_json::json;

use super::show::print;
use super::stop::Stop;
use super::target::CommandTarget;
use crate::migration::lift_leftover_fence;
use crate::migration::repair::{Diagnosis, Repaired, diagnose_now, repair_now};

/// Shows what is wrong and what a repair would do; tells whether all is well or a repair is known.
pub async fn look(target: &CommandTarget, json: bool) -> Result<bool, Stop> {
    let found = diagnose(target).await?;
    show(target, json, &found, None, false);
    Ok(!matches!(found, Diagnosis::Unknown { .. }))
}

/// Repairs, and lifts a fence that a killed run left; tells whether nothing is wrong then.
pub async fn apply(target: &CommandTarget, json: bool) -> Result<bool, Stop> {
    let found = diagnose(target).await?;
    let who = CommandTarget::who();
    if found.sql().is_none() {
        let is_well = found == Diagnosis::None;
        let is_lifted =
            is_well && lift_leftover_fence(&target.dsn, &who).await.map_err(Stop::at("repair"))?;
        show(target, json, &found, None, is_lifted);
        return Ok(is_well);
    }
    let repaired = repair_now(&target.kratos, &target.version, &target.dsn, None, &who);
    let Repaired { sql, now } = repaired.await.map_err(Stop::at("repair"))?;
    show(target, json, &now, Some(&sql), false);
    Ok(now == Diagnosis::None)
}

async fn diagnose(target: &CommandTarget) -> Result<Diagnosis, Stop> {
    diagnose_now(&target.kratos, &target.version, &target.dsn, None).await.map_err(Stop::at("repair"))
}

/// Shows what is found now, after `done` was done and perhaps a fence was lifted.
fn show(target: &CommandTarget, json: bool, found: &Diagnosis, done: Option<&str>, is_lifted: bool) {
    let next = match found {
        Diagnosis::WedgeA { .. } | Diagnosis::WedgeB { .. } => {
            Some(format!("{} --apply", target.command("repair")))
        }
        Diagnosis::None if done.is_some() => Some(target.command("run")),
        Diagnosis::None | Diagnosis::Unknown { .. } => None,
    };
    if json {
        print(
            &json!({
                "found": found.kind(), "text": found.to_string(), "sql": found.sql(), "done": done,
                "lifted-fence": is_lifted, "next": next,
            })
            .to_string(),
        );
        return;
    }
    if let Some(sql) = done {
        print(&format!("Repaired: {sql}"));
    }
    if is_lifted {
        print("Lifted the write fence that an earlier run left");
    }
    print(&found.to_string());
    if let Some(next) = next {
        print(&format!("Next: {next}"));
    }
}

//! `migrate repair`: the two states in which every run fails, and the way out.

use std::borrow::Cow;

use serde_json::json;

use super::show::print;
use super::stop::Stop;
use super::target::CommandTarget;
use crate::migration::repair::{Diagnosis, FoundFence, Repaired, diagnose_now, find_fence, repair_now};
use crate::migration::{Failure, FenceLift, ProgramMigrations, lift_leftover_fence};

/// Shows what is wrong and what a repair would do; tells whether all is well or a repair is known.
pub async fn look(target: &CommandTarget, json: bool) -> Result<bool, Stop> {
    let (found, _) = diagnose(target).await?;
    let fence = match found {
        Diagnosis::None => find_fence(&target.dsn).await.map_err(Stop::at("repair"))?.map(Fence::Up),
        _ => None,
    };
    show(target, json, &found, None, fence.as_ref());
    Ok(!matches!(found, Diagnosis::Unknown { .. }))
}

/// Repairs, and lifts a fence that a killed run left; tells whether nothing is wrong then.
pub async fn apply(target: &CommandTarget, json: bool) -> Result<bool, Stop> {
    let (found, program) = diagnose(target).await?;
    let who = CommandTarget::who();
    if found.sql().is_none() {
        let is_well = found == Diagnosis::None;
        let lift = match is_well {
            true => lift_leftover_fence(&target.dsn, &who).await.map_err(Stop::at("repair"))?,
            false => FenceLift::NotUp,
        };
        let fence = match lift {
            FenceLift::Held(holder) => return Err(Stop::at("repair")(Failure::Locked { holder })),
            FenceLift::Lifted => Some(Fence::Lifted),
            FenceLift::NotUp => None,
        };
        show(target, json, &found, None, fence.as_ref());
        return Ok(is_well);
    }
    let repaired = repair_now(&target.kratos, &target.version, &target.dsn, Some(&program), &who);
    let Repaired { sql, now } = repaired.await.map_err(Stop::at("repair"))?;
    show(target, json, &now, Some(&sql), None);
    Ok(now == Diagnosis::None)
}

async fn diagnose(target: &CommandTarget) -> Result<(Diagnosis, Cow<'static, ProgramMigrations>), Stop> {
    diagnose_now(&target.kratos, &target.version, &target.dsn, None).await.map_err(Stop::at("repair"))
}

/// The write fence that was found.
enum Fence {
    Up(FoundFence),
    Lifted,
}

/// Shows what is found now, after `done` was done.
fn show(target: &CommandTarget, json: bool, found: &Diagnosis, done: Option<&str>, fence: Option<&Fence>) {
    let next = match found {
        Diagnosis::WedgeA { .. } | Diagnosis::WedgeB { .. } => {
            Some(format!("{} --apply", target.command("repair")))
        }
        Diagnosis::None if matches!(fence, Some(Fence::Up(FoundFence { holder: None, .. }))) => {
            Some(format!("{} --apply", target.command("repair")))
        }
        Diagnosis::None if done.is_some() => Some(target.command("run")),
        Diagnosis::None | Diagnosis::Unknown { .. } => None,
    };
    if json {
        print(
            &json!({
                "found": found.kind(), "text": found.to_string(), "sql": found.sql(), "done": done,
                "lifted-fence": matches!(fence, Some(Fence::Lifted)),
                "fence": match fence { Some(Fence::Up(fence)) => Some(&fence.who), _ => None },
                "next": next,
            })
            .to_string(),
        );
        return;
    }
    if let Some(sql) = done {
        print(&format!("Repaired: {sql}"));
    }
    match fence {
        Some(Fence::Lifted) => print("Lifted the write fence that an earlier run left"),
        Some(Fence::Up(fence)) => print(&fence.to_string()),
        None => {}
    }
    print(&found.to_string());
    if let Some(next) = next {
        print(&format!("Next: {next}"));
    }
}

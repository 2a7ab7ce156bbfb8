//! `migrate plan`: what is pending, what it locks, and for how long at most.

use super::show::print;
use super::stop::Stop;
use super::target::CommandTarget;
use crate::migration::{self, Failure, plan};

/// Stands for the application, which there is none of, in the text of a plan.
const APPLICATION: &str = "kratos";

/// Makes the plan and shows it.
pub async fn plan(target: &CommandTarget, json: bool) -> Result<bool, Stop> {
    let plan =
        plan::plan(&target.kratos, &target.version, &target.dsn, None).await.map_err(Stop::at("plan"))?;
    if json {
        let text = serde_json::to_string(&plan).map_err(|error| Failure::Program(error.to_string()));
        print(&text.map_err(Stop::at("plan"))?);
    } else {
        let run = format!("{} timeout=", migration::command(APPLICATION));
        let text = plan.render(APPLICATION).replace(&run, &format!("{} --timeout ", target.command("run")));
        print(&text.replace(&migration::repair_command(APPLICATION), &target.command("repair")));
    }
    Ok(true)
}

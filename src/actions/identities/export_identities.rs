//! `export-identities`: writes all identities into one file of the workload, one JSON object a line.
//!
//! They are read page by page, each page becomes a part file beside the target, and after each part is noted how far
//! it has come. So memory holds one page, and a run that was killed or ran out of time goes on with the next page. At
//! the end the parts become the file, at once. It is no snapshot: what changes meanwhile is seen or not.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::record;
use super::workload_file::{passing, path};
use crate::actions::parameters::{boolean, number};
use crate::actions::text::note;
use crate::kratos::{admin, pebble_by_hand};
use crate::pebble::Content;

/// Identities in one part.
const PART: usize = 250;
/// So many requests are on their way at a time.
const AT_ONCE: usize = 8;
/// Seconds that a run may take unless told otherwise.
pub const TIMEOUT: u64 = 1800;
/// A week.
pub const LONGEST: u64 = 7 * 24 * 3600;

/// How far an export has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    parts: u64,
    identities: u64,
    bytes: u64,
    /// Identities with a credential that cannot be exported.
    second_factors: u64,
    /// Where the next page begins.
    next: Option<String>,
    /// All pages were read.
    is_read: bool,
}

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let path = path(action, parameters)?;
    let timeout = number(parameters, "timeout", TIMEOUT, 1..=LONGEST)?;
    if boolean(parameters, "dry-run")? {
        return count(action).await;
    }
    let parts = format!("{path}.parts");
    let kept = format!("{parts}/progress.json");
    if boolean(parameters, "restart")? {
        action.forget(&parts).await?;
    }
    let mut progress = match action.kept::<Progress>(&kept).await? {
        Some(progress) => {
            let line =
                format!("going on after {} identities that an earlier run exported", progress.identities);
            note(action.agent, &line).await?;
            progress
        }
        None => Progress::default(),
    };
    let deadline = Instant::now() + Duration::from_secs(timeout);
    while !progress.is_read {
        part(action, &parts, &mut progress).await?;
        action.keep(&kept, &progress).await?;
        if !progress.is_read {
            note(action.agent, &format!("{} identities exported", progress.identities)).await?;
        }
        if Instant::now() > deadline && !progress.is_read {
            return Err(format!(
                "The time is over after {} identities; to go on from there: {}",
                progress.identities,
                action.again(&format!("path={path} timeout={timeout}"))
            )
            .into());
        }
    }
    join(action, &path, &parts, &progress).await?;
    action.forget(&parts).await?;
    Ok(ActionOutput::line(format!("{} identities exported to {path}", progress.identities))
        .with("path", path.as_str())
        .with("identities", progress.identities.to_string())
        .with("bytes", progress.bytes.to_string())
        .with("second-factors-left-out", progress.second_factors.to_string())
        .with("next", fetch(action, &path))
        .with("remove", remove(action, &path)))
}

/// How the file is fetched; `juju scp` ends in the charm's container, which has the program that it needs.
fn fetch(action: &IdentityAction<'_>, path: &str) -> String {
    let (pull, here) = (format!("pull {path} {}", passing(path)), passing(path));
    format!("{} && juju scp {}:{here} .", pebble_by_hand(&action.unit, &pull), action.unit)
}

/// How both copies of the file are removed, the one in the workload also if the other was never made.
fn remove(action: &IdentityAction<'_>, path: &str) -> String {
    let unit = &action.unit;
    format!("juju ssh {unit} rm -f {} && {}", passing(path), pebble_by_hand(unit, &format!("rm {path}")))
}

/// Counts, and writes nothing.
async fn count(action: &IdentityAction<'_>) -> Result<ActionOutput, ActionError> {
    let mut identities = 0;
    let mut token: Option<String> = None;
    loop {
        let page = action.admin.page(PART, token.as_deref()).await;
        let page = page.map_err(|error| action.trouble("Failed to list the identities", &error))?;
        identities += page.identities.len();
        token = page.next;
        if token.is_none() {
            break;
        }
    }
    Ok(ActionOutput::line(format!("{identities} identities would be exported"))
        .with("identities", identities.to_string())
        .with("dry-run", "true"))
}

fn file(parts: &str, number: u64) -> String {
    format!("{parts}/{number:08}.jsonl")
}

/// Exports one page.
async fn part(action: &IdentityAction<'_>, parts: &str, progress: &mut Progress) -> Result<(), ActionError> {
    let trouble = |error: admin::Error| {
        let ActionError::Failed { text, results } = action.trouble("Failed to read the identities", &error)
        else {
            return ActionError::from(error.to_string());
        };
        ActionError::Failed {
            text: format!("{text}; it goes on after {} identities", progress.identities),
            results,
        }
    };
    let page = action.admin.page(PART, progress.next.as_deref()).await.map_err(trouble)?;
    let ids: Vec<&str> = page.identities.iter().filter_map(|identity| identity["id"].as_str()).collect();
    // The list has no credentials: each identity is asked for.
    let mut whole =
        stream::iter(ids).map(|id| action.admin.exact_identity(id, &record::CREDENTIALS)).buffered(AT_ONCE);
    let mut text = String::new();
    let (mut identities, mut second_factors) = (0, 0);
    while let Some(identity) = whole.next().await {
        let identity = match identity {
            Ok(identity) => identity,
            // It was deleted meanwhile.
            Err(admin::Error::NotFound { .. }) => continue,
            Err(error) => return Err(trouble(error)),
        };
        let (line, lost) = record::line(&identity);
        text += &serde_json::to_string(&line).map_err(|error| error.to_string())?;
        text.push('\n');
        identities += 1;
        second_factors += u64::from(lost);
    }
    let bytes = text.len() as u64;
    let name = file(parts, progress.parts + 1);
    let written = action.write(&name, Content::from(text.into_bytes())).await;
    written.map_err(|error| action.file_trouble(&name, &error))?;
    progress.parts += 1;
    progress.identities += identities;
    progress.second_factors += second_factors;
    progress.bytes += bytes;
    progress.is_read = page.next.is_none();
    progress.next = page.next;
    Ok(())
}

/// Makes one file of the parts, holding one of them at a time.
async fn join(
    action: &IdentityAction<'_>,
    path: &str,
    parts: &str,
    progress: &Progress,
) -> Result<(), ActionError> {
    let (mut writer, reader) = tokio::io::duplex(64 * 1024);
    let feed = async move {
        for number in 1..=progress.parts {
            let name = file(parts, number);
            let part = action.pebble.pull(&action.place.path(&name)).await;
            let part = part.map_err(|error| action.file_trouble(&name, &error))?;
            // Fails only if the other end has failed, which tells why.
            if writer.write_all(&part).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let push = async {
        let written = action.write(path, Content::reader(reader)).await;
        written.map_err(|error| action.file_trouble(path, &error))
    };
    // A part that cannot be read ends the writing too, and Pebble keeps nothing of an unfinished file.
    tokio::try_join!(feed, push).map(|_| ())
}

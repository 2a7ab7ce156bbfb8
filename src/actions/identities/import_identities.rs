//! `import-identities`: creates the identities of a file in the workload, as `export-identities` writes it.
//!
//! The file is streamed and its lines are created some at a time; after each batch is noted how many lines are done.
//! A run that was killed leaves one batch of which nobody knows how much Kratos has taken: an identity that is there
//! already, with the same schema and traits, counts as there and is not made twice. Importing a file again is harmless
//! but for identities without any identifier or address: Kratos makes a second one of each.

mod create;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, DuplexStream};
use tokio::time::Instant;

use self::create::{Fate, ImportedLines};
use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::export_identities::{LONGEST, TIMEOUT};
use super::workload_file::{passing, path};
use crate::actions::parameters::{boolean, number};
use crate::actions::text::note;
use crate::kratos::pebble_by_hand;

/// Lines that are created between two notes.
const BATCH: usize = 100;
/// Progress is shown after so many lines.
const SHOWN_EVERY: u64 = 200;
/// A longer line is no identity, in bytes.
const LONGEST_LINE: u64 = 8 * 1024 * 1024;
/// So many lines that were not imported are told, the others counted.
const MOST_TOLD: usize = 50;

/// How far an import has come.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Progress {
    /// What the file was, to notice another one of the same name.
    size: Option<u64>,
    modified: String,
    lines: u64,
    imported: u64,
    there: u64,
    refused: u64,
    told: Vec<String>,
}

struct Import<'a> {
    action: &'a IdentityAction<'a>,
    path: &'a str,
    kept: String,
    schemas: BTreeSet<String>,
    dry: bool,
    deadline: Instant,
    timeout: u64,
}

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let path = path(action, parameters)?;
    let timeout = number(parameters, "timeout", TIMEOUT, 1..=LONGEST)?;
    let dry = boolean(parameters, "dry-run")?;
    let kept = format!("{path}.import");
    // A dry run begins at the first line anyway, and forgets nothing of a real one.
    if boolean(parameters, "restart")? && !dry {
        action.forget(&kept).await?;
    }
    let stat = action.pebble.stat(&action.place.path(&path)).await;
    let Some(file) = stat.map_err(|error| action.file_trouble(&path, &error))? else {
        let (unit, here) = (&action.unit, passing(&path));
        let push = pebble_by_hand(unit, &format!("push -p -m 600 {here} {path}"));
        return Err(format!(
            "There is no file {path} in the workload: juju scp FILE {unit}:{here} && {push}"
        )
        .into());
    };
    let begun = if dry { None } else { action.kept::<Progress>(&kept).await? };
    let is_resumed = begun.is_some();
    let is_other = |begun: &Progress| (begun.size, &begun.modified) != (file.size, &file.last_modified);
    let progress = match begun {
        Some(progress) if is_other(&progress) && progress.lines > 0 => {
            return Err(format!(
                "The file {path} is not the one that an earlier run has imported {} lines of; to begin anew: {}",
                progress.lines,
                action.again(&format!("path={path} restart=true"))
            )
            .into());
        }
        Some(progress) if !is_other(&progress) => progress,
        _ => Progress { size: file.size, modified: file.last_modified, ..Progress::default() },
    };
    if progress.lines > 0 {
        let line = format!("going on after {} lines that an earlier run imported", progress.lines);
        note(action.agent, &line).await?;
    }
    let schemas = action.admin.schemas().await;
    let schemas = schemas.map_err(|error| action.trouble("Failed to read the identity schemas", &error))?;
    if !dry {
        // Should this run be killed in the first batch, the next one knows that there was one.
        action.keep(&kept, &progress).await?;
    }
    let import = Import {
        action,
        path: &path,
        kept,
        schemas: schemas.into_iter().map(|schema| schema.id).collect(),
        dry,
        deadline: Instant::now() + Duration::from_secs(timeout),
        timeout,
    };
    let (mut writer, reader) = tokio::io::duplex(64 * 1024);
    let place = action.place.path(&path);
    let pull = async {
        let pulled = action.pebble.pull_to(&place, &mut writer).await;
        drop(writer);
        pulled.map(drop).map_err(|error| action.file_trouble(&path, &error))
    };
    let (progress, ()) = tokio::try_join!(import.all(reader, progress, is_resumed), pull)?;
    import.report(progress).await
}

impl Import<'_> {
    /// Imports what comes out of `reader`, but for the lines that are done.
    async fn all(
        &self,
        reader: DuplexStream,
        mut progress: Progress,
        is_resumed: bool,
    ) -> Result<Progress, ActionError> {
        let mut reader = BufReader::new(reader);
        let mut doubtful = is_resumed;
        let mut number = 0;
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let line = line(&mut reader).await?;
            let is_end = line.is_none();
            number += u64::from(!is_end);
            batch.extend(line.filter(|_| number > progress.lines).map(|line| (number, line)));
            if batch.len() == BATCH || is_end {
                self.batch(std::mem::take(&mut batch), &mut progress, doubtful).await?;
                doubtful = false;
            }
            if is_end {
                return Ok(progress);
            }
        }
    }

    async fn batch(
        &self,
        lines: Vec<(u64, Vec<u8>)>,
        progress: &mut Progress,
        doubtful: bool,
    ) -> Result<(), ActionError> {
        let Some(last) = lines.last().map(|(number, _)| *number) else { return Ok(()) };
        if Instant::now() > self.deadline {
            let again = self.again(&format!("timeout={}", self.timeout));
            return Err(format!(
                "The time is over after {} lines; to go on from there: {again}",
                progress.lines
            )
            .into());
        }
        let task = ImportedLines { action: self.action, schemas: &self.schemas, dry: self.dry, doubtful };
        for (number, fate) in task.lines(lines).await {
            match fate {
                Fate::Imported => progress.imported += 1,
                Fate::There => progress.there += 1,
                Fate::Refused(reason) => {
                    progress.refused += 1;
                    if progress.told.len() < MOST_TOLD {
                        progress.told.push(format!("line {number}: {reason}"));
                    }
                }
                Fate::Empty => {}
                Fate::Trouble(text) => {
                    return Err(format!(
                        "The import stopped at line {number}: {text}; look at juju status {}, then go on: {}",
                        self.action.application,
                        self.again("")
                    )
                    .into());
                }
            }
        }
        progress.lines = last;
        if !self.dry {
            self.action.keep(&self.kept, progress).await?;
        }
        if last.is_multiple_of(SHOWN_EVERY) {
            note(self.action.agent, &format!("{last} lines done")).await?;
        }
        Ok(())
    }

    fn again(&self, more: &str) -> String {
        self.action.again(format!("path={} {more}", self.path).trim_end())
    }

    async fn report(&self, progress: Progress) -> Result<ActionOutput, ActionError> {
        if !self.dry {
            self.action.forget(&self.kept).await?;
        }
        let Progress { lines, imported, there, refused, told, .. } = progress;
        let word = if self.dry { "would be imported" } else { "imported" };
        let mut report =
            ActionOutput::line(format!("{imported} identities {word}, {there} are there already"))
                .with("lines", lines.to_string())
                .with("imported", imported.to_string())
                .with("already-there", there.to_string())
                .with("refused", refused.to_string());
        if self.dry {
            report = report.with("dry-run", "true");
        }
        if refused == 0 {
            return Ok(report);
        }
        let left = refused.saturating_sub(told.len() as u64);
        let rest = if left > 0 { format!("\nand {left} more") } else { String::new() };
        report = report.with("not-imported", told.join("\n") + &rest);
        let text = format!(
            "{refused} of {lines} lines were not taken, see not-imported; correct them in the file and import it \
             again, what is there stays: {}",
            self.again("")
        );
        Err(ActionError::Failed { text, results: report.results })
    }
}

/// The next line, as it is; `None`: there is none.
async fn line(reader: &mut BufReader<DuplexStream>) -> Result<Option<Vec<u8>>, ActionError> {
    let mut line = Vec::new();
    let unreadable = |error: std::io::Error| ActionError::from(format!("The file cannot be read: {error}"));
    let length = reader.take(LONGEST_LINE).read_until(b'\n', &mut line).await.map_err(unreadable)?;
    if length == 0 {
        return Ok(None);
    }
    if length as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
        return Err(
            format!("A line of the file has more than {LONGEST_LINE} bytes: this is no export").into()
        );
    }
    Ok(Some(line))
}

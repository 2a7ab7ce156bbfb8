//! Follows the configuration files: a valid change takes effect within a second, an invalid one is only logged.
//!
//! As in the original, listeners, log and database stay as they were at the start.

use super::super::config;
use super::super::log::{Level, err};
use super::app::App;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Watches until the process ends.
pub async fn watch(app: Arc<App>, files: Vec<String>) {
    let mut known = read(&files);
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = read(&files);
        let changed = files.iter().zip(known.iter().zip(&now)).find(|(_, (old, new))| old != new);
        let Some((file, _)) = changed else { continue };
        let fields = json!({ "event_type": "*watcherx.ChangeEvent", "file": file });
        match config::read(&files, app.release) {
            Ok(config) => {
                app.log.info("A change to a configuration file was detected.", fields.clone());
                // The original looks at the schemas afterwards, and goes on with them whatever it says.
                let fault = config::fault_of_schemas(&config);
                app.set_config(config);
                app.log.info("Configuration change processed successfully.", fields);
                if let Some(fault) = fault {
                    app.log.log(
                        Level::Error,
                        "The changed identity schema configuration is invalid and could not be loaded. Rolling back to the last working configuration revision. Please address the validation errors before restarting the process.",
                        json!({ "error": { "message": fault } }),
                    );
                }
            }
            Err(invalid) => {
                err(&invalid.block);
                app.log.info("A change to a configuration file was detected.", fields);
                app.log.log(
                    Level::Error,
                    "The changed configuration is invalid and could not be loaded. Rolling back to the last working configuration revision. Please address the validation errors before restarting the process.",
                    json!({ "event": invalid.message }),
                );
            }
        }
        known = now;
    }
}

fn read(files: &[String]) -> Vec<Option<Vec<u8>>> {
    files.iter().map(|file| std::fs::read(file).ok()).collect()
}

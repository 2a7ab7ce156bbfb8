//! `cleanup sql`: deletes one batch of what expired from each table, with a rest between two tables that is a minute
//! long unless a flag says otherwise. How many it deletes it does not tell.

use super::cli::{Invocation, fail};
use super::database::connect_patiently;
use super::dsn::Dsn;
use super::log::{Logger, out};
use super::migrate;
use serde_json::json;
use std::time::Duration;

/// What the log calls it, the table, and the column that says when a record is over.
const TABLES: [(&str, &str, &str); 8] = [
    ("expired sessions", "sessions", "expires_at"),
    ("expired continuity containers", "continuity_containers", "expires_at"),
    ("expired login flows", "selfservice_login_flows", "expires_at"),
    ("expired recovery flows", "selfservice_recovery_flows", "expires_at"),
    ("expired registration flows", "selfservice_registration_flows", "expires_at"),
    ("expired settings flows", "selfservice_settings_flows", "expires_at"),
    ("expired verification flows", "selfservice_verification_flows", "expires_at"),
    ("expired session token exchangers", "session_token_exchanges", "created_at"),
];

/// Runs the command.
pub async fn run(invocation: &Invocation, log: &Logger) -> u8 {
    let refused = |message: String| fail(log.release, invocation.command, &message);
    let duration = |name: &str, default: &str| {
        let text = invocation.value(name).unwrap_or(default).to_owned();
        duration(&text).ok_or_else(|| {
            format!("invalid argument {text:?} for \"--{name}\" flag: time: invalid duration {text:?}")
        })
    };
    let (keep, rest) = match duration("keep-last", "0s")
        .and_then(|keep| Ok((keep, duration("database.cleanup.sleep.tables", "1m")?)))
    {
        Ok(durations) => durations,
        Err(message) => return refused(message),
    };
    let Ok(batch) = invocation.value("database.cleanup.batch_size").unwrap_or("100").parse::<i64>() else {
        return refused("invalid argument for \"-b, --database.cleanup.batch_size\" flag".to_owned());
    };
    let url = match migrate::url(invocation, log) {
        Ok(url) => url,
        Err(code) => return code,
    };
    let client = match Dsn::parse(&url) {
        Ok(dsn) => connect_patiently(&dsn, log).await,
        Err(error) => Err(error.to_string()),
    };
    let client = match client {
        Ok(client) => client,
        Err(message) => return refused(message),
    };
    for (index, (words, table, column)) in TABLES.into_iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(rest).await;
        }
        log.info(&format!("Cleaning up {words}"), json!({}));
        let delete = format!(
            "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE {column} <= (now() AT TIME ZONE 'utc') - \
             make_interval(secs => $1) ORDER BY {column} LIMIT $2)"
        );
        if let Err(error) = client.execute(&delete, &[&keep.as_secs_f64(), &batch]).await {
            // The original tells it here and nowhere else.
            out(&format!("{}\n", super::database::sql_error(&error)));
            return 1;
        }
    }
    let done = "Successfully cleaned up the latest batch of the SQL database! This should be re-run periodically, to be \
        sure that all expired data is purged.";
    log.info(done, json!({}));
    0
}

/// A duration of one unit.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number * 60)),
        "h" => Some(Duration::from_secs(number * 3600)),
        _ => None,
    }
}

//! `migrate sql status`: which migrations are applied, in every format, and the waiting of `--block`.

use super::cli::Invocation;
use super::log::{Logger, err, out};
use super::migrations::{Migration, runner};
use super::{stack, table};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_postgres::Client;

/// The table of versions, names and states.
pub fn table(all: &[Migration], state: impl Fn(&Migration) -> &'static str) -> String {
    let mut rows = vec![["Version", "Name", "Status"]];
    rows.extend(all.iter().map(|migration| [migration.version, migration.name, state(migration)]));
    table::render(&rows)
}

/// Prints the state; the exit code is 0 however much is pending.
pub async fn run(client: &Client, all: &[Migration], invocation: &Invocation, log: &Logger) -> u8 {
    let pending = loop {
        let pending = match runner::pending(client, all).await {
            Ok(pending) => pending,
            Err(error) => {
                err(&format!("Could not get the migration status:\n{error}\n{}", stack::LINES));
                return 1;
            }
        };
        if !invocation.is_set("block") || pending.is_empty() {
            break pending;
        }
        let waiting = all.iter().filter(|migration| pending.contains(migration.version));
        let names: Vec<_> = waiting.map(|migration| format!(" - {}\n", migration.name)).collect();
        out(&format!("Waiting for migrations to finish...\n{}", names.concat()));
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    let state =
        |migration: &Migration| if pending.contains(migration.version) { "Pending" } else { "Applied" };
    if invocation.is_set("quiet") {
        out(&all.iter().map(|migration| format!("{}\n", migration.version)).collect::<String>());
        return 0;
    }
    let list: Vec<Value> = all
        .iter()
        .map(|migration| {
            json!({
                "state": state(migration),
                "version": migration.version,
                "name": migration.name,
                "content": migration.content(),
                "content_down": migration.down,
            })
        })
        .collect();
    let list = Value::Array(list);
    let format = invocation.value("format").unwrap_or("table");
    let text = match format {
        "table" => table(all, state),
        "json" => format!("{list}\n"),
        "json-pretty" => format!("{list:#}\n"),
        "yaml" => serde_yaml::to_string(&list).unwrap_or_default(),
        _ => match format.strip_prefix("jsonpath=").and_then(|path| select(&list, path)) {
            Some(found) => format!("{found}\n"),
            None => {
                let why = format!("unsupported output format {format:?}");
                return super::cli::fail(log.release, invocation.command, &why);
            }
        },
    };
    out(&text);
    0
}

/// The one form of path that is of use here: `#(FIELD=="VALUE")#.FIELD`, `#.FIELD`, and `#` for the number.
fn select(list: &Value, path: &str) -> Option<Value> {
    let items = list.as_array()?;
    if path == "#" {
        return Some(items.len().into());
    }
    let (condition, field) = match path.strip_prefix("#(") {
        Some(rest) => {
            let (condition, field) = rest.split_once(")#.")?;
            let (key, value) = condition.split_once("==")?;
            (Some((key, value.strip_prefix('"')?.strip_suffix('"')?)), field)
        }
        None => (None, path.strip_prefix("#.")?),
    };
    let chosen = items.iter().filter(|item| condition.is_none_or(|(key, value)| item[key] == value));
    Some(chosen.filter_map(|item| item.get(field).cloned()).collect())
}

#[cfg(test)]
mod tests {
    use super::select;
    use serde_json::json;

    #[test]
    fn paths_select_fields() {
        let list = json!([{"state": "Applied", "version": "1"}, {"state": "Pending", "version": "2"}]);
        assert_eq!(select(&list, r#"#(state=="Pending")#.version"#), Some(json!(["2"])));
        assert_eq!(select(&list, r#"#(state=="None")#.version"#), Some(json!([])));
        assert_eq!(select(&list, "#.version"), Some(json!(["1", "2"])));
        assert_eq!(select(&list, "#"), Some(json!(2)));
        assert_eq!(select(&list, "$.foo"), None);
    }
}

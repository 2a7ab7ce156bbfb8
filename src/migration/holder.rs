//! The session that holds the migration lock, in words.

use crate::postgres::{Connection, Holder, LockKey, holder};

/// Who holds the migration lock, for people: how long ago its client was heard, and how to end one that is gone.
pub(super) async fn name_holder(side: &Connection) -> String {
    match holder(side, LockKey::MIGRATION).await {
        Ok(Some(Holder { pid, application_name, since, heard, .. })) => {
            let since = since.map_or_else(String::new, |since| format!(", since {since}"));
            let heard = heard.map_or_else(String::new, |heard| format!(", heard {heard} s ago"));
            format!(
                "{application_name} (pid {pid}{since}{heard}; if its process is gone: SELECT pg_terminate_backend({pid}))"
            )
        }
        Ok(None) | Err(_) => "it has just ended".to_owned(),
    }
}

//! Who holds the lock that a question of ours did not get.
//!
//! A question waits for a second or three. Given its failure, this names the sessions that keep everybody off a table: a
//! person cannot find them otherwise, and without an answer nothing goes on.

use super::failure::Failure;
use super::sessions::PREFIX;
use crate::postgres::transactions::{self, OpenTransaction};
use crate::postgres::{Connection, Error};

/// The same failure, with the holders of locks where it is one of waiting for them. Nothing was changed then.
pub(super) async fn name_lockers(connection: &Connection, failure: Failure) -> Failure {
    let Failure::Database(Error::LockTimeout { .. }) = failure else { return failure };
    match transactions::exclusive(connection).await {
        Ok(lockers) if !lockers.is_empty() => {
            let texts: Vec<String> = lockers.iter().map(text).collect();
            Failure::Refused(texts.join(" | "))
        }
        Ok(_) | Err(_) => failure,
    }
}

fn text(locker: &OpenTransaction) -> String {
    let OpenTransaction { pid, application_name, user, since, tables, .. } = locker;
    // Of other roles' sessions an ordinary role is not told that.
    let since = since.as_ref().map_or_else(String::new, |since| format!(", open since {since}"));
    let remedy = match application_name.starts_with(PREFIX) {
        true => "wait until that migration has ended".to_owned(),
        false => format!("SELECT pg_terminate_backend({pid})"),
    };
    format!(
        "nobody can read {}, locked by the transaction of {application_name:?}, user {user} (pid {pid}){since}; \
         remedy: {remedy}",
        tables.join(", ")
    )
}

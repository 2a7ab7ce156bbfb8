//! The mark of a fence that is ours: a text that says who raised it and since when.

use crate::postgres::connect::Connection;
use crate::postgres::error::Result;

/// What every mark begins with.
const PREFIX: &str = "fenced by ";
const SINCE: &str = " since ";
const WAS: &str = " was ";
/// Stands for the time while sessions that began before the fence may still be there.
const NOT_YET: &str = "-";
/// The form of a time, with zeros for digits.
const TIME: &str = "0000-00-00T00:00:00.000000Z";
/// The longest name that a mark gives, so that the whole of it shows in `pg_stat_activity` (63 bytes).
const LONGEST_WHO: usize = 19;

/// Who raised a fence, since when, and what stood in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub who: String,
    /// `None` while sessions that began before the fence may still be there.
    pub since: Option<String>,
    /// The default application name that was there before.
    pub was: Option<String>,
}

impl Mark {
    /// A mark in the name of `who`, shortened and cleaned so that the server keeps it as it is.
    pub fn new(who: &str, since: Option<String>, was: Option<String>) -> Self {
        let clean = |character: char| match character {
            ' '..='~' => character,
            _ => '?',
        };
        let who: String = who.chars().map(clean).take(LONGEST_WHO).collect();
        Self { who: who.replace(SINCE, "_since_"), since, was }
    }

    /// The mark as a default application name.
    pub fn text(&self) -> String {
        let since = self.since.as_deref().unwrap_or(NOT_YET);
        let was = self.was.as_ref().map_or_else(String::new, |was| format!("{WAS}{was}"));
        format!("{PREFIX}{}{SINCE}{since}{was}", self.who)
    }

    /// Reads a default application name; `None`: it is no mark.
    pub fn parse(text: &str) -> Option<Self> {
        let (who, rest) = text.strip_prefix(PREFIX)?.split_once(SINCE)?;
        let (since, was) = match rest.split_once(WAS) {
            Some((since, was)) => (since, Some(was.to_owned())),
            None => (rest, None),
        };
        let is_time = since.len() == TIME.len()
            && since.bytes().zip(TIME.bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                sign => byte == sign,
            });
        let since = match since {
            NOT_YET => None,
            since if is_time => Some(since.to_owned()),
            _ => return None,
        };
        Some(Self { who: who.to_owned(), since, was })
    }
}

/// The server's time, as a mark gives it.
pub async fn now(connection: &Connection) -> Result<String> {
    let sql = r#"SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#;
    let row = connection.query_one(sql, &[]).await?;
    connection.get(&row, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_back() {
        for (since, was) in [(None, None), (Some("2026-11-23T09:20:00.123456Z"), Some("it was since"))] {
            let mark = Mark::new("kratos/0 task 12", since.map(str::to_owned), was.map(str::to_owned));
            assert_eq!(Mark::parse(&mark.text()), Some(mark));
        }
        let odd = Mark::new("é since \n and much too long to be shown", None, None);
        assert_eq!(odd.text(), "fenced by ?_since_? and much  since -");
        for text in ["kratos", "fenced by me since yesterday", "fenced by me"] {
            assert_eq!(Mark::parse(text), None);
        }
    }

    #[test]
    fn the_whole_mark_shows_in_pg_stat_activity() {
        let since = Some("2026-11-23T09:20:00.123456Z".to_owned());
        let mark = Mark::new(&"x".repeat(80), since, None);
        assert_eq!(mark.text().len(), 63);
    }
}

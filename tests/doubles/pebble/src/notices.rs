//! Custom notices: what a workload tells the charm with `pebble notify`.
//!
//! It is given notices and gives them back filtered, at once or after a wait; the same key is the same notice, counted.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    body::Fields,
    clock::Stamp,
    duration::GoDuration,
    lock,
    query::Query,
    respond::{Answer, Failure, bad, sync},
};

struct Notice {
    user: u32,
    key: String,
    first: Stamp,
    last: Stamp,
    repeated: Stamp,
    occurrences: u64,
    data: BTreeMap<String, String>,
    repeat_after: Option<GoDuration>,
}

/// All notices by id; ids count from one.
pub struct Notices {
    notices: Mutex<Vec<Notice>>,
    version: watch::Sender<u64>,
}

impl Default for Notices {
    fn default() -> Self {
        Self { notices: Mutex::default(), version: watch::Sender::new(0) }
    }
}

impl Notice {
    fn json(&self, index: usize) -> Value {
        let mut item = json!({
            "id": (index + 1).to_string(),
            "user-id": self.user,
            "type": "custom",
            "key": self.key,
            "first-occurred": self.first.to_string(),
            "last-occurred": self.last.to_string(),
            "last-repeated": self.repeated.to_string(),
            "occurrences": self.occurrences,
        });
        if !self.data.is_empty() {
            item["last-data"] = json!(self.data);
        }
        if let Some(repeat_after) = self.repeat_after {
            item["repeat-after"] = repeat_after.to_string().into();
        }
        item["expire-after"] = "168h0m0s".into();
        item
    }
}

/// Whether a key has the form `domain.tld/path`, in lower case.
fn good_key(key: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let Some((domain, path)) = key.split_once('/') else { return false };
    let labels: Vec<&str> = domain.split('.').collect();
    labels.len() >= 2
        && labels.iter().all(|label| word(label) && label.starts_with(|c: char| c.is_ascii_lowercase()))
        && !path.is_empty()
        && path.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-./".contains(&b))
}

impl Notices {
    /// `POST /v1/notices` by a user.
    ///
    /// # Errors
    /// 400 for anything but a good custom notice.
    pub fn post(&self, user: u32, body: &[u8]) -> Answer {
        let fields = Fields::read(body, "cannot decode request body", "")?;
        let (action, kind, key) = (fields.text("action")?, fields.text("type")?, fields.text("key")?);
        if action != "add" {
            return Err(bad(format!("invalid action {action:?}")));
        }
        if kind != "custom" {
            return Err(bad(format!("invalid type {kind:?} (can only add \"custom\" notices)")));
        }
        if key.len() > 256 {
            return Err(bad("key must be 256 bytes or less"));
        }
        if !good_key(&key) {
            return Err(bad(format!("invalid key {key:?} (must be in \"example.com/path\" format)")));
        }
        let repeat_after = fields.duration("repeat-after", "repeat-after")?;
        let data = fields.raw("data").cloned().unwrap_or_default();
        let data = Fields::of(&json!({"": data}), "cannot decode notice data", "");
        let data = data.map("").map_err(|failure| bad(failure.message.replacen("field ..", "field .", 1)));
        let data = data.map_err(|failure| bad(named_field(&failure, fields.raw("data"))))?;
        if data.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > 4096 {
            return Err(bad("total size of data must be 4096 bytes or less"));
        }
        let mut notices = lock(&self.notices);
        let now = Stamp::now();
        let index = match notices.iter().position(|notice| notice.key == key && notice.user == user) {
            Some(index) => {
                let notice = &mut notices[index];
                (notice.last, notice.data, notice.repeat_after) = (now, data, repeat_after);
                notice.occurrences += 1;
                if repeat_after.is_none_or(|after| now.0 >= notice.repeated.0 + after.0) {
                    notice.repeated = now;
                }
                index
            }
            None => {
                let (first, last, repeated, occurrences) = (now, now, now, 1);
                notices.push(Notice { user, key, first, last, repeated, occurrences, data, repeat_after });
                notices.len() - 1
            }
        };
        drop(notices);
        self.version.send_modify(|version| *version += 1);
        sync(json!({"id": (index + 1).to_string()}))
    }

    /// `GET /v1/notices/<id>`.
    ///
    /// # Errors
    /// 404 for an unknown id.
    pub fn one(&self, id: &str) -> Answer {
        let index = id.parse::<usize>().ok().and_then(|id| id.checked_sub(1));
        let notices = lock(&self.notices);
        match index.and_then(|index| notices.get(index).map(|notice| notice.json(index))) {
            Some(notice) => sync(notice),
            None => Err(Failure::new(404, format!("cannot find notice with ID {id:?}"))),
        }
    }

    /// `GET /v1/notices`; with a timeout it waits for the first that fits.
    ///
    /// # Errors
    /// 400 for bad filters.
    pub async fn get(&self, user: u32, query: &Query) -> Answer {
        let user = match (query.text("users"), query.text("user-id")) {
            ("all", _) => None,
            ("", "") => Some(user),
            ("", id) => Some(id.parse().map_err(|_| bad(format!("invalid \"user-id\" filter: {id:?}")))?),
            _ => return Err(bad("invalid \"users\" filter: must be \"all\"")),
        };
        let after = match query.text("after") {
            "" => None,
            text => Some(Stamp::parse(text).ok_or_else(|| {
                let layout = "2006-01-02T15:04:05Z07:00";
                bad(format!(
                    "invalid \"after\" timestamp: parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""
                ))
            })?),
        };
        let (types, keys) = (query.list("types"), query.list("keys"));
        let timeout = query.duration("timeout")?;
        if !types.is_empty() && !types.iter().any(|kind| kind == "custom") {
            return sync(json!([]));
        }
        let fitting = || -> Vec<Value> {
            let notices = lock(&self.notices);
            let mut found: Vec<(Stamp, Value)> = notices
                .iter()
                .enumerate()
                .filter(|(_, notice)| user.is_none_or(|user| notice.user == user))
                .filter(|(_, notice)| keys.is_empty() || keys.contains(&notice.key))
                .filter(|(_, notice)| after.is_none_or(|after| notice.repeated > after))
                .map(|(index, notice)| (notice.repeated, notice.json(index)))
                .collect();
            found.sort_by_key(|(repeated, _)| *repeated);
            found.into_iter().map(|(_, notice)| notice).collect()
        };
        let mut version = self.version.subscribe();
        let first = async {
            loop {
                version.borrow_and_update();
                let found = fitting();
                if !found.is_empty() || version.changed().await.is_err() {
                    return found;
                }
            }
        };
        let limit = timeout.map_or(Duration::ZERO, GoDuration::to_std);
        let found = if limit.is_zero() {
            fitting()
        } else {
            tokio::time::timeout(limit, first).await.unwrap_or_default()
        };
        sync(Value::Array(found))
    }
}

/// Go names the key of the datum that is no string.
fn named_field(failure: &Failure, data: Option<&Value>) -> String {
    let wrong = data.and_then(Value::as_object).and_then(|fields| {
        fields.iter().find(|(_, value)| !value.is_string() && !value.is_null()).map(|(name, _)| name)
    });
    match wrong {
        Some(name) => failure.message.replacen("field . ", &format!("field .{name} "), 1),
        None => failure.message.clone(),
    }
}

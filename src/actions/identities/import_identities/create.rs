//! What becomes of one line of an import: created, there already, or refused.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::context::IdentityAction;
use super::super::record::{self, Body};
use crate::kratos::tables::addresses;
use crate::kratos::{Secret, admin};

/// So many lines are created at a time.
const AT_ONCE: usize = 8;

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Imported,
    /// An identity with the same schema and traits is there.
    There,
    /// The line cannot be imported: the reason.
    Refused(String),
    /// There is nothing on the line.
    Empty,
    /// Kratos or the database has a fault; nobody knows whether the identity was made.
    Trouble(String),
}

/// What lines are created with.
pub struct ImportedLines<'a> {
    pub action: &'a IdentityAction<'a>,
    /// The identity schemas that there are.
    pub schemas: &'a BTreeSet<String>,
    /// Nothing is created.
    pub dry: bool,
    /// An earlier run may have created some of the lines.
    pub doubtful: bool,
}

impl ImportedLines<'_> {
    /// Creates lines, some at a time; their fates in their order.
    pub async fn lines(&self, lines: Vec<(u64, Vec<u8>)>) -> Vec<(u64, Fate)> {
        let fates = lines.into_iter().map(async |(number, line)| (number, self.line(&line).await));
        stream::iter(fates).buffered(AT_ONCE).collect().await
    }

    async fn line(&self, line: &[u8]) -> Fate {
        if line.trim_ascii().is_empty() {
            return Fate::Empty;
        }
        let body = match record::body(line) {
            Ok(body) => body,
            Err(reason) => return Fate::Refused(reason),
        };
        let schema = body.value["schema_id"].as_str().unwrap_or_default();
        if !self.schemas.contains(schema) {
            let shown: String = schema.chars().take(60).collect();
            return Fate::Refused(format!("there is no identity schema {shown:?}"));
        }
        if self.dry {
            return match self.is_there(&body).await {
                Ok(true) => Fate::There,
                Ok(false) => Fate::Imported,
                Err(admin::Error::Refused { reason, .. }) => Fate::Refused(reason),
                Err(error) => Fate::Trouble(error.to_string()),
            };
        }
        // Kratos makes two of an identity that nothing tells from another.
        if self.doubtful
            && !record::is_unique(&body.value)
            && let Some(dsn) = &self.action.dsn
        {
            let traits = body.request.plain.traits.as_deref().map(RawValue::get).unwrap_or_default();
            match addresses::is_there(dsn, schema, traits).await {
                Ok(true) => return Fate::There,
                Ok(false) => {}
                Err(error) => return Fate::Trouble(error.to_string()),
            }
        }
        self.create(&body).await
    }

    async fn create(&self, body: &Body) -> Fate {
        let password = &body.value["credentials"]["password"]["config"];
        let secret = password["hashed_password"].as_str().or_else(|| password["password"].as_str());
        let secret = secret.map(|secret| Secret(secret.to_owned()));
        match self.action.admin.create(&body.request, secret.as_ref()).await {
            Ok(_) => Fate::Imported,
            Err(admin::Error::Conflict { reason }) => match self.is_there(body).await {
                Ok(true) => Fate::There,
                // Nobody has an identifier that cannot even be looked up.
                Ok(false) | Err(admin::Error::Refused { .. }) => Fate::Refused(reason),
                Err(error) => Fate::Trouble(error.to_string()),
            },
            Err(admin::Error::Refused { reason, .. }) => Fate::Refused(reason),
            Err(error) => Fate::Trouble(error.to_string()),
        }
    }

    /// Whether an identity with the same schema and traits is found under one of its identifiers.
    async fn is_there(&self, body: &Body) -> admin::Result<bool> {
        let body = &body.value;
        for identifier in record::identifiers(body) {
            let found = self.action.admin.with_identifier(&identifier).await?;
            let same = |identity: &Value| {
                identity["schema_id"] == body["schema_id"] && identity["traits"] == body["traits"]
            };
            if found.iter().any(same) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

//! `create-admin-account`: makes an identity for an administrator (docs/behaviour.md#row-97), under whichever schema of
//! the running Kratos has the traits: `admin_v0` if it is there, else the first that fits.

use serde_json::{Map, Value, json};

use super::context::{ActionError, ActionOutput, IdentityAction, Parameters};
use super::password::password;
use super::reset_password::{recovery_code, with_code};
use crate::actions::parameters::text;
use crate::kratos::admin::{self, PublishedSchema};

/// The schema that the charm ships for administrators.
const ADMIN_SCHEMA: &str = "admin_v0";
/// Parameters and the traits that they become.
const TRAITS: [(&str, &str); 4] =
    [("username", "username"), ("email", "email"), ("name", "name"), ("phone-number", "phone_number")];

/// Runs the action.
pub async fn run(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<ActionOutput, ActionError> {
    let traits = traits(action, parameters)?;
    let password = password(action, parameters).await?;
    let what = "Failed to create the admin account";
    let schemas = action.admin.schemas().await.map_err(|error| action.trouble(what, &error))?;
    let Some(schema) = choose(&schemas, &traits) else {
        return Err(no_schema(action, &schemas, &traits).into());
    };
    let mut body = json!({"schema_id": schema, "traits": traits});
    if let Some(password) = &password {
        body["credentials"] = json!({"password": {"config": {"password": password.secret.0}}});
    }
    let identity = match action.admin.create(&body, password.as_ref().map(|password| &password.secret)).await
    {
        Ok(identity) => identity,
        Err(admin::Error::Conflict { .. }) => {
            return Err(format!(
                "The account already exists, or another has its username or email; see: juju run {} get-identity email={}",
                action.unit,
                traits["email"].as_str().unwrap_or_default()
            )
            .into());
        }
        Err(error) => {
            let refused = password.and_then(|password| password.refused(what, &error));
            return Err(refused.unwrap_or_else(|| action.trouble(what, &error)));
        }
    };
    let Some(id) = identity["id"].as_str() else {
        let error = admin::Error::Unexpected { what: "an identity without an id".to_owned() };
        return Err(action.trouble(what, &error));
    };
    let report = ActionOutput::line(format!("Successfully created the admin account: {id}"))
        .with("identity-id", id)
        .with("schema-id", schema);
    if password.is_some() {
        return Ok(report);
    }
    match recovery_code(action, id).await {
        Ok(code) => Ok(with_code(action, report, id, code)),
        Err(ActionError::Failed { text, .. }) => Err(ActionError::Failed {
            text: format!("The admin account {id} was created, but nobody can sign in yet. {text}"),
            results: report.results,
        }),
        Err(stop) => Err(stop),
    }
}

fn traits(action: &IdentityAction<'_>, parameters: &Parameters) -> Result<Map<String, Value>, ActionError> {
    let mut traits = Map::new();
    for (parameter, name) in TRAITS {
        if let Some(value) = text(parameters, parameter)? {
            traits.insert(name.to_owned(), value.into());
        }
    }
    match ["username", "email"].into_iter().find(|name| !traits.contains_key(*name)) {
        Some(missing) => {
            Err(format!("Missing {missing}: {}", action.again("username=NAME email=ADDRESS")).into())
        }
        None => Ok(traits),
    }
}

/// The schema for these traits.
fn choose<'a>(schemas: &'a [PublishedSchema], traits: &Map<String, Value>) -> Option<&'a str> {
    let own = schemas.iter().filter(|schema| schema.id == ADMIN_SCHEMA);
    own.chain(schemas).find(|schema| fits(schema, traits)).map(|schema| schema.id.as_str())
}

/// Whether a schema names all the traits and asks for no others.
fn fits(schema: &PublishedSchema, traits: &Map<String, Value>) -> bool {
    let known = &schema.schema["properties"]["traits"];
    let required = known["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    traits.keys().all(|name| known["properties"][name].is_object())
        && required.into_iter().all(|name| traits.contains_key(name))
}

fn no_schema(
    action: &IdentityAction<'_>,
    schemas: &[PublishedSchema],
    traits: &Map<String, Value>,
) -> String {
    let names: Vec<&str> = traits.keys().map(String::as_str).collect();
    let ids: Vec<&str> = schemas.iter().map(|schema| schema.id.as_str()).collect();
    format!(
        "No identity schema has the traits {} and asks for no others (there are: {}); add {ADMIN_SCHEMA} or another that \
         does to the option identity_schemas: juju config {} identity_schemas=@FILE",
        names.join(", "),
        ids.join(", "),
        action.application
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(id: &str, names: &[&str], required: &[&str]) -> PublishedSchema {
        let properties: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
        let schema = json!({"properties": {"traits": {"type": "object", "properties": properties, "required": required}}});
        PublishedSchema { id: id.to_owned(), schema }
    }

    #[test]
    fn the_schema_follows_from_the_traits() {
        let traits = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), json!("x"))).collect();
        let both: Map<String, Value> = traits(&["username", "email"]);
        let user = schema("user", &["email", "name"], &["email"]);
        let staff = schema("staff", &["username", "email", "badge"], &["username", "badge"]);
        let team = schema("team", &["username", "email"], &["email"]);
        let own = schema(ADMIN_SCHEMA, &["username", "email", "name"], &[]);
        assert_eq!(choose(&[user.clone(), team.clone(), own.clone()], &both), Some(ADMIN_SCHEMA));
        assert_eq!(choose(&[user.clone(), staff.clone(), team.clone()], &both), Some("team"));
        assert_eq!(choose(&[user.clone(), staff], &both), None, "badge is required and not given");
        assert_eq!(choose(&[team, own], &traits(&["username", "email", "name"])), Some(ADMIN_SCHEMA));
        assert_eq!(choose(&[user], &both), None);
        assert_eq!(choose(&[], &both), None);
    }
}

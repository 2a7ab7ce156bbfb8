//! Whether the role may change what the migrations change.

use super::report::Finding;
use crate::migration::schema::Migration;
use crate::postgres::catalog::{RoleFacts, extensions, role_facts};
use crate::postgres::{Connection, Result};

/// The migration that creates the extensions, and those that it creates.
const EXTENSIONS_BY: &str = "20230920171028000000";
const EXTENSIONS: [&str; 2] = ["pg_trgm", "btree_gin"];

/// Whether the role owns Kratos' tables (`own`; empty: any).
pub(super) async fn ownership(connection: &Connection, own: &[String]) -> Vec<Finding> {
    let role = role_facts(connection).await;
    Finding::answered(role.map(|role| tables_of_others(&role, own).into_iter().collect()))
}

/// Whether it may create in the schema and, if they are still missing, the extensions.
pub(super) async fn create(
    connection: &Connection,
    database: &str,
    pending: Option<&[Migration]>,
) -> Vec<Finding> {
    Finding::answered(look(connection, database, pending).await)
}

async fn look(
    connection: &Connection,
    database: &str,
    pending: Option<&[Migration]>,
) -> Result<Vec<Finding>> {
    let role = role_facts(connection).await?;
    let mut create = Vec::new();
    if let Some(finding) = in_schema(&role) {
        create.push(finding);
    }
    let creates_them = |migration: &Migration| migration.version.to_string() == EXTENSIONS_BY;
    let are_pending = pending.is_none_or(|pending| pending.iter().any(creates_them));
    if are_pending && !role.can_create_in_database {
        let installed = extensions(connection).await?;
        let missing: Vec<_> = EXTENSIONS.into_iter().filter(|name| !installed.contains(*name)).collect();
        if !missing.is_empty() {
            let sql: Vec<_> = missing.iter().map(|name| format!("CREATE EXTENSION {name}")).collect();
            create.push(Finding::refusal(
                format!("{} may not create the missing extensions {}", role.name, missing.join(" and ")),
                format!(
                    "as an administrator: {}; or GRANT CREATE ON DATABASE {} TO {}",
                    sql.join("; "),
                    database,
                    role.name
                ),
            ));
        }
    }
    Ok(create)
}

fn tables_of_others(role: &RoleFacts, own: &[String]) -> Option<Finding> {
    let is_kratos = |table: &&String| own.is_empty() || own.contains(table);
    let tables: Vec<&String> = role.tables_of_others.iter().filter(is_kratos).collect();
    let first = tables.first()?;
    let more = if tables.len() > 1 { format!(" and {} more", tables.len() - 1) } else { String::new() };
    Some(Finding::refusal(
        format!("{} does not own {first}{more}, and is no member of the role that does", role.name),
        format!("as an administrator: GRANT (the owner of {first}) TO {}", role.name),
    ))
}

fn in_schema(role: &RoleFacts) -> Option<Finding> {
    match &role.schema {
        None => Some(Finding::refusal(
            format!("no schema of the search path of {} exists", role.name),
            "CREATE SCHEMA, or ALTER ROLE ... SET search_path",
        )),
        Some(schema) if !role.can_create_in_schema => Some(Finding::refusal(
            format!("{} may not create tables in the schema {schema}", role.name),
            format!("as an administrator: GRANT CREATE ON SCHEMA {schema} TO {}", role.name),
        )),
        Some(_) => None,
    }
}

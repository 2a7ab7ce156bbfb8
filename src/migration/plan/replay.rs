//! The pending migrations on an empty copy of the schema, with a note of every lock that they take.
//!
//! Given the program and a connection to the production server, it makes a scratch database there, brings it to the
//! old state with the new program (everything up, then what is pending down), and lets the program migrate under a
//! trigger on the bookkeeping table. The trigger fires inside each migration's own transaction, where all its locks
//! are still held: nothing has to be guessed from SQL, and Go migrations are seen as well. An autocommit migration has
//! let go of its locks by then; of those only new files (rewrites) and new indexes are seen.
//!
//! Locks weaker than SHARE that only rows cause (of foreign key checks) cannot be seen on empty tables; they block
//! neither readers nor writers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::lock::LockMode;
use crate::kratos::WorkloadVersion;
use crate::kratos::program::command::Kratos;
use crate::migration::schema::MigrationVersion;
use crate::postgres::scratch::{self, Scratch};
use crate::postgres::{Connection, Dsn, Error};

/// For the whole replay, which takes a second or two; then the migrations are classified instead.
const LIMIT: Duration = Duration::from_secs(90);
const CONNECT: Duration = Duration::from_secs(5);
const NAME: &str = "kratos-operator plan";

/// What a migration was seen to do to the tables that were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The strongest lock on each, at the end of the transaction.
    pub locks: BTreeMap<String, LockMode>,
    pub rewritten: BTreeSet<String>,
    /// How many indexes were built on each.
    pub built: BTreeMap<String, usize>,
}

/// What the replay showed.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// How long the program took for the pending migrations on empty tables.
    pub seconds: f64,
    /// By migration; those that could not be replayed are absent.
    pub traces: BTreeMap<MigrationVersion, Trace>,
    /// The migrations that the program said to run outside of a transaction.
    pub autocommit: BTreeSet<MigrationVersion>,
}

/// Who migrates what.
pub struct Subject<'a> {
    pub kratos: &'a Kratos,
    pub version: &'a WorkloadVersion,
    pub dsn: &'a Dsn,
    /// All migrations that the program knows, oldest first.
    pub known: &'a [MigrationVersion],
    pub pending: &'a BTreeSet<MigrationVersion>,
}

/// Replays; an error says in words why that is not possible. `production` is a connection with the same role.
pub async fn replay(subject: &Subject<'_>, production: &Connection) -> Result<Replay, String> {
    // Only the newest can be reverted; a pending one below an applied one stays on the scratch database.
    let steps = subject.known.iter().rev().take_while(|version| subject.pending.contains(version)).count();
    if steps == 0 {
        return Err("what is pending is older than what is applied".to_owned());
    }
    if let Err(error) = scratch::sweep(production).await {
        tracing::warn!("cannot remove scratch databases that were left over: {error}");
    }
    let scratch = Scratch::create(production, subject.dsn).await.map_err(|error| match error {
        Error::Permission { user, .. } => {
            format!("the role {user} may not create a scratch database (CREATEDB)")
        }
        other => format!("no scratch database could be created: {other}"),
    })?;
    let dsn = scratch.dsn().clone().with_param("application_name", NAME);
    let replayed = timeout(LIMIT, on_scratch(subject, production, &dsn, steps)).await;
    if let Err(error) = scratch.remove(production).await {
        tracing::warn!("cannot remove a scratch database, the next plan will: {error}");
    }
    replayed
        .unwrap_or_else(|_| Err(format!("it was not done within {} s", LIMIT.as_secs())))
        .map_err(|reason| format!("the replay on a scratch database failed: {reason}"))
}

async fn on_scratch(
    subject: &Subject<'_>,
    production: &Connection,
    dsn: &Dsn,
    steps: usize,
) -> Result<Replay, String> {
    let Subject { kratos, version, known, .. } = subject;
    let connection = Connection::open(dsn, NAME, CONNECT).await.map_err(text)?;
    // A proxy may lead every name to one database: nothing is made, and no program started, before this is known.
    check_apart(&connection, dsn, UNUSED).await?;
    execute(
        &connection,
        &format!("CREATE SCHEMA kratos_plan; CREATE TABLE kratos_plan.{} ()", dsn.database()),
    )
    .await?;
    check_again(dsn, &format!("{OURS} AND {UNUSED}")).await?;
    let schema = row_text(production, "SELECT quote_ident(current_schema())").await?;
    if let Some(schema) = schema {
        execute(&connection, &format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
    }
    let replayed = &known[known.len() - steps..];
    if steps == known.len() {
        // Every table is made by the migrations themselves.
        let (seconds, log) = timed_up(subject, dsn).await?;
        let traces = replayed.iter().map(|version| (version.clone(), Trace::default())).collect();
        return Ok(Replay { seconds, traces, autocommit: outside_of_transactions(&log) });
    }
    kratos.up(version, dsn, LIMIT).await.map_err(text)?;
    check_again(dsn, OURS).await?;
    kratos.down(dsn, steps, LIMIT).await.map_err(text)?;
    execute(&connection, TRACER).await?;
    let before = relations(&connection, "SELECT '', * FROM kratos_plan.relations").await?;
    let (seconds, log) = timed_up(subject, dsn).await?;
    let traces = traces(&connection, &before, replayed).await?;
    connection.close().await;
    Ok(Replay { seconds, traces, autocommit: outside_of_transactions(&log) })
}

/// No program ever migrated the database.
const UNUSED: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'schema_migration')";
/// Our token, a table with the random name of the database, is there: it is the same database of the same server.
const OURS: &str = "pg_catalog.to_regclass('kratos_plan.' || $1) IS NOT NULL";

/// Asks whether `connection` led to the database that `dsn` names, and whether `condition` holds in it.
async fn check_apart(connection: &Connection, dsn: &Dsn, condition: &str) -> Result<(), String> {
    let sql = format!("SELECT pg_catalog.current_database() = $1::text AND {condition}");
    let row = connection.query_one(&sql, &[&dsn.database()]).await.map_err(text)?;
    if connection.get(&row, 0).map_err(text)? {
        return Ok(());
    }
    Err("a connection to it leads to another database, as through a proxy that maps names".to_owned())
}

/// The same on a connection of its own, opened as the program opens its own.
async fn check_again(dsn: &Dsn, condition: &str) -> Result<(), String> {
    let connection = Connection::open(dsn, NAME, CONNECT).await.map_err(text)?;
    check_apart(&connection, dsn, condition).await?;
    connection.close().await;
    Ok(())
}

/// Migrates; returns the seconds that it took, and the log.
async fn timed_up(subject: &Subject<'_>, dsn: &Dsn) -> Result<(f64, String), String> {
    let begun = Instant::now();
    let log = subject.kratos.up(subject.version, dsn, LIMIT).await.map_err(text)?;
    Ok((begun.elapsed().as_secs_f64(), log))
}

/// Kept in a schema of its own, which is left out of what it looks at.
const TRACER: &str = "
CREATE VIEW kratos_plan.relations AS
    SELECT c.oid AS relation, CASE WHEN c.relkind IN ('r', 'p', 'm') THEN c.relname::text END AS name,
           coalesce(i.indrelid, c.oid) AS on_table, c.relfilenode AS file
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I') AND c.relname NOT LIKE 'schema\\_migration%'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'kratos_plan');
CREATE TABLE kratos_plan.locks (version text, relation oid, mode text);
CREATE TABLE kratos_plan.files (version text, relation oid, name text, on_table oid, file oid);
CREATE FUNCTION kratos_plan.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO kratos_plan.locks
        SELECT NEW.version, l.relation, l.mode FROM pg_catalog.pg_locks l
        WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted
          AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database());
    INSERT INTO kratos_plan.files SELECT NEW.version, r.* FROM kratos_plan.relations r;
    RETURN NULL;
END $$;
CREATE TRIGGER kratos_plan AFTER INSERT ON schema_migration FOR EACH ROW EXECUTE FUNCTION kratos_plan.note();
";

/// A table or index at one moment.
struct SeenRelation {
    oid: u32,
    /// Of a table.
    name: Option<String>,
    on_table: u32,
    file: u32,
}

/// Reads relations by migration: its version, then what the view has.
async fn relations(connection: &Connection, sql: &str) -> Result<HashMap<String, Vec<SeenRelation>>, String> {
    let ask = async {
        let mut relations: HashMap<String, Vec<SeenRelation>> = HashMap::new();
        for row in connection.client().query(sql, &[]).await? {
            let (oid, name) = (row.try_get(1)?, row.try_get(2)?);
            let relation = SeenRelation { oid, name, on_table: row.try_get(3)?, file: row.try_get(4)? };
            relations.entry(row.try_get(0)?).or_default().push(relation);
        }
        Ok(relations)
    };
    ask.await.map_err(|error: tokio_postgres::Error| text(connection.explain(&error)))
}

async fn traces(
    connection: &Connection,
    before: &HashMap<String, Vec<SeenRelation>>,
    replayed: &[MigrationVersion],
) -> Result<BTreeMap<MigrationVersion, Trace>, String> {
    let before: Vec<&SeenRelation> = before.values().flatten().collect();
    let names: HashMap<u32, &str> =
        before.iter().filter_map(|relation| Some((relation.oid, relation.name.as_deref()?))).collect();
    let mut files: HashMap<u32, u32> = before.iter().map(|relation| (relation.oid, relation.file)).collect();
    let mut seen = relations(connection, "SELECT * FROM kratos_plan.files").await?;
    let mut locks = locks(connection).await?;
    let mut traces = BTreeMap::new();
    for version in replayed {
        let key = version.to_string();
        let Some(relations) = seen.remove(&key) else {
            return Err(format!("migration {key} left no trace"));
        };
        let mut trace = Trace::default();
        for (oid, mode) in locks.remove(&key).unwrap_or_default() {
            let (Some(name), Some(mode)) = (names.get(&oid), LockMode::from_catalog(&mode)) else { continue };
            let lock = trace.locks.entry((*name).to_owned()).or_insert(mode);
            *lock = mode.max(*lock);
        }
        let is_changed = |relation: &&SeenRelation| files.get(&relation.oid) != Some(&relation.file);
        let changed: Vec<_> = relations.iter().filter(is_changed).collect();
        for relation in &changed {
            let Some(table) = names.get(&relation.on_table) else { continue };
            // The old indexes of a rewritten table belong to the rewrite.
            let is_old = files.contains_key(&relation.oid);
            if relation.name.is_some() {
                trace.rewritten.insert((*table).to_owned());
            } else if !is_old || !changed.iter().any(|other| other.oid == relation.on_table) {
                *trace.built.entry((*table).to_owned()).or_default() += 1;
            }
        }
        files = relations.iter().map(|relation| (relation.oid, relation.file)).collect();
        traces.insert(version.clone(), trace);
    }
    Ok(traces)
}

/// The locks of each migration: relation and mode.
async fn locks(connection: &Connection) -> Result<HashMap<String, Vec<(u32, String)>>, String> {
    let ask = async {
        let mut locks: HashMap<String, Vec<_>> = HashMap::new();
        let sql = "SELECT version, relation, mode FROM kratos_plan.locks";
        for row in connection.client().query(sql, &[]).await? {
            locks.entry(row.try_get(0)?).or_default().push((row.try_get(1)?, row.try_get(2)?));
        }
        Ok(locks)
    };
    ask.await.map_err(|error: tokio_postgres::Error| text(connection.explain(&error)))
}

/// What the log says of migrations outside of a transaction: `… version=20241029153900000001`.
fn outside_of_transactions(log: &str) -> BTreeSet<MigrationVersion> {
    let lines = log.lines().filter(|line| line.contains("NOT running migrations inside a transaction"));
    let version = |line: &str| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix("version="))?;
        MigrationVersion::parse(value)
    };
    lines.filter_map(version).collect()
}

async fn row_text(connection: &Connection, sql: &str) -> Result<Option<String>, String> {
    let ask = async { connection.client().query_one(sql, &[]).await?.try_get(0) };
    ask.await.map_err(|error: tokio_postgres::Error| text(connection.explain(&error)))
}

async fn execute(connection: &Connection, sql: &str) -> Result<(), String> {
    connection.client().batch_execute(sql).await.map_err(|error| text(connection.explain(&error)))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_migrations_outside_of_transactions() {
        let log = "time=2026-11-22T10:58:25Z level=info msg=NOT running migrations inside a transaction \
                   migration_name=identities service_version=v26.2.0 version=20241029153900000001\n\
                   level=info msg=> x applied successfully autocommit=false version=20241203105600000000\n";
        let found: Vec<_> = outside_of_transactions(log).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["20241029153900000001"]);
    }
}

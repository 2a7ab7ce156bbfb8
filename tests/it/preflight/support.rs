//! The parts of the charm that are tested, opened on a database of the world.

use std::time::Duration;

use kratos_operator::kratos::program::command::{Kratos, ListedMigration};
use kratos_operator::migration::OUR_SESSIONS;
use kratos_operator::postgres::fence::{self, FenceState};
use kratos_operator::postgres::{AdvisoryLock, Connection, Dsn, LockKey};

use sandbox::programs;

use crate::described::describe_schema;
use crate::world::{Database, NEW, World, double};

pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn dsn(database: &Database) -> Dsn {
    Dsn::parse(&database.dsn).unwrap()
}

/// The side connection of a run, which overrides the fence.
pub async fn side(database: &Database) -> Connection {
    open(&dsn(database).with_param("default_transaction_read_only", "off"), "kratos-operator test/0").await
}

pub async fn open(dsn: &Dsn, name: &str) -> Connection {
    Connection::open(dsn, name, PATIENCE).await.unwrap()
}

pub async fn sql(connection: &Connection, statement: &str) {
    connection.client().batch_execute(statement).await.unwrap();
}

/// The migrations that the newest release lists, as the charm asks it.
pub async fn listed(world: &World, database: &Database) -> Vec<ListedMigration> {
    let program = world.dir.path().join("kratos");
    let double = double();
    let double = double.display();
    if !program.exists() {
        let script = format!("#!/bin/sh\nKRATOS_DOUBLE_VERSION={NEW} exec {double} \"$@\"\n");
        programs::write(&program, &script).unwrap();
    }
    Kratos::Local(program).migrations(&dsn(database)).await.unwrap()
}

/// Holds lock and fence while `work` is done, as a run does.
pub async fn guarded<T>(side: &Connection, work: impl AsyncFnOnce() -> T) -> T {
    let lock = AdvisoryLock::try_acquire(side, LockKey::MIGRATION).await.unwrap().unwrap();
    raise(side).await;
    let done = work().await;
    assert!(fence::lift(side, &OUR_SESSIONS).await.unwrap());
    lock.release().await.unwrap();
    done
}

pub async fn raise(side: &Connection) -> FenceState {
    fence::raise(side, "test/0", &OUR_SESSIONS, &[]).await.unwrap()
}

/// The digest of a database that nobody disturbed.
pub async fn undisturbed(world: &World) -> String {
    let database = world.database("undisturbed").await;
    database.migrate(NEW);
    describe_schema(&side(&database).await).await
}

//! Databases that are used, runs of the engine on them, and what must hold after each.

use std::path::PathBuf;
use std::time::Duration;

use kratos_operator::kratos::WorkloadVersion;
use kratos_operator::kratos::program::command::Kratos;
use kratos_operator::migration::OUR_SESSIONS;
use kratos_operator::migration::repair::{apply, diagnose};
use kratos_operator::migration::{Job, Outcome, Timeout, run};
use kratos_operator::postgres::{AdvisoryLock, Connection, Dsn, LockKey, activity, fence, holder};
use serde_json::json;
use tokio::sync::mpsc;

use sandbox::programs;

use crate::described::describe_schema;
use crate::world::*;

/// The file into which the program writes its process id.
pub const PID: &str = "kratos.pid";
/// The file that is there once it has migrated, if it lingers.
pub const DONE: &str = "kratos.done";
pub const WHO: &str = "test/0 task 1";

/// The newest release as a program on this machine. `slow` (`VERSION=SECONDS`) makes a migration of a real database
/// last longer, not that of the plan's scratch database.
pub fn kratos(world: &World, slow: &str) -> Kratos {
    let name = format!("kratos-{}", slow.replace('=', "-"));
    program(world, &name, &format!("KRATOS_DOUBLE_SLOW={slow}; export KRATOS_DOUBLE_SLOW"))
}

/// The newest release, which does not end for a minute after it has migrated a real database, and says when it is so far.
pub fn lingering_kratos(world: &World) -> Kratos {
    let done = world.dir.path().join(DONE);
    let up = format!(
        "KRATOS_DOUBLE_VERSION={NEW} {} \"$@\" && touch {} && exec sleep 60",
        double().display(),
        done.display()
    );
    program(world, "kratos-lingering", &up)
}

/// A program that is the double, and runs `up` first when it migrates a real database.
fn program(world: &World, name: &str, up: &str) -> Kratos {
    let program: PathBuf = world.dir.path().join(name);
    let pid = world.dir.path().join(PID);
    let script = format!(
        "#!/bin/sh\n\
         case \"$*\" in \"migrate sql up\"*) case \"$DSN\" in *kratos_plan_*) ;; *)\n\
         echo $$ > {}\n{up};; esac;; esac\n\
         KRATOS_DOUBLE_VERSION={NEW} exec {} \"$@\"\n",
        pid.display(),
        double().display()
    );
    if !program.exists() {
        programs::write(&program, &script).unwrap();
    }
    Kratos::Local(program)
}

/// A database of a release from which Kratos served.
pub async fn used(world: &World, name: &str, release: &str) -> Database {
    let database = world.database(name).await;
    database.migrate(release);
    let row = "INSERT INTO networks (id, created_at, updated_at) VALUES (gen_random_uuid(), now(), now())";
    database.client().await.batch_execute(row).await.unwrap();
    database
}

pub fn job(database: &Database, seconds: u32) -> Job {
    Job {
        version: WorkloadVersion::parse(NEW).unwrap(),
        dsn: Dsn::parse(&database.dsn).unwrap(),
        timeout: Timeout::parse(Some(&json!(seconds))).unwrap(),
        who: WHO.to_owned(),
        force: true,
        cancel: None,
    }
}

/// Runs the engine; what it says is not looked at.
pub async fn migrate(kratos: &Kratos, job: &Job) -> Outcome {
    let (progress, _lines) = mpsc::unbounded_channel();
    run(kratos, job, None, &progress, async {}).await
}

/// A connection that the fence does not hold up.
pub async fn side(database: &Database) -> Connection {
    let dsn = Dsn::parse(&database.dsn).unwrap().with_param("default_transaction_read_only", "off");
    Connection::open(&dsn, "kratos-operator look", Duration::from_secs(20)).await.unwrap()
}

/// Runs until nothing is pending, with a repair between where the run says that one is needed.
pub async fn finish(world: &World, database: &Database) {
    let kratos = kratos(world, "0=0");
    for _ in 0..3 {
        match migrate(&kratos, &job(database, 60)).await {
            Ok(_) => return,
            Err(failure) if failure.to_string().contains("repair") || failure.kind() == "refused" => {
                repair(&kratos, database).await;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    panic!("three runs were not enough");
}

async fn repair(kratos: &Kratos, database: &Database) {
    let side = side(database).await;
    let listed = kratos.migrations(&Dsn::parse(&database.dsn).unwrap()).await.unwrap();
    let lock = AdvisoryLock::try_acquire(&side, LockKey::MIGRATION).await.unwrap().unwrap();
    fence::raise(&side, WHO, &OUR_SESSIONS, &[]).await.unwrap();
    let diagnosis = diagnose(&side, &listed).await.unwrap();
    let repaired = apply(&side, &listed, &diagnosis).await;
    fence::lift(&side, &OUR_SESSIONS).await.unwrap();
    lock.release().await.unwrap();
    repaired.unwrap_or_else(|error| panic!("{error}"));
}

/// Nothing of a run is left: no session, no lock, no fence.
pub async fn assert_clean(database: &Database) {
    let side = side(database).await;
    let name = format!("kratos-migrate {WHO}");
    assert_eq!(activity::backends(&side, &name).await.unwrap(), []);
    assert_eq!(holder(&side, LockKey::MIGRATION).await.unwrap(), None);
    assert_eq!(fence::state(&side).await.unwrap(), None);
}

pub async fn digest(database: &Database) -> String {
    describe_schema(&side(database).await).await
}

//! Migrations that are repeated, killed, doubled, blocked and cancelled.

use nix::sys::signal::Signal;

use super::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_release_applies_its_own_and_repeats_without_effect() {
    let world = World::new();
    for (release, count) in [(OLD, 315), (MIDDLE, 331), (NEW, 338)] {
        let database = world.database(&format!("db_{count}")).await;
        let first = database.run(release, "migrate sql -e --yes");
        assert_eq!((first.code, database.booked().await), (Some(0), count), "{}", first.err);
        let again = database.run(release, "migrate sql -e --yes");
        assert_eq!((again.code, database.booked().await), (Some(0), count));
        assert_eq!(database.pending().len(), usize::try_from(338 - count).unwrap());
    }
    let client = world.known("db_338").client().await;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), 26);
    let rows = client.query("SELECT 1 FROM networks", &[]).await.unwrap();
    assert!(rows.is_empty(), "the network is made by the first start of a server");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_nothing_is_applied() {
    let world = World::new();
    let database = world.database("db").await;
    let asked = database.run(NEW, "migrate sql up -e");
    assert_eq!(asked.code, Some(1));
    assert!(asked.err.ends_with("Unable to confirm: unable to read from stdin: EOF\n"), "{}", asked.err);
    // The oldest release takes the word `status` for nothing and asks as well.
    let asked = database.run(OLD, "migrate sql status -e");
    assert_eq!((asked.code, asked.err.ends_with("\nEOF\n")), (Some(1), true), "{}", asked.err);
    assert_eq!(database.pending().len(), 338);
    let client = database.client().await;
    assert!(client.query("SELECT 1 FROM schema_migration", &[]).await.is_err(), "status makes no table");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_depth_it_resumes() {
    let world = World::new();
    let depths = [
        ("20191100000001000003", Signal::SIGKILL),
        ("20210410175418000035", Signal::SIGTERM),
        ("20230920171028000000", Signal::SIGINT),
        ("20251104000000000000", Signal::SIGKILL),
    ];
    for (index, (version, signal)) in depths.into_iter().enumerate() {
        let database = world.database(&format!("db{index}")).await;
        let mut command = database.command(NEW, "migrate sql up -e --yes");
        command.env("KRATOS_DOUBLE_SLOW", format!("{version}=600"));
        let mut run = Background::start(&world, "up", command);
        let operator = world.operator("postgres").await;
        let sleeping =
            "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()";
        let pid: i32 = eventually("the sleep", async || {
            operator.query_opt(sleeping, &[]).await.unwrap().map(|row| row.get(0))
        })
        .await;
        run.signal(signal);
        assert_eq!(run.end().await, -(signal as i32), "{version}");
        // The server goes on with the statement of a client that is gone.
        assert_eq!(operator.query(sleeping, &[]).await.unwrap().len(), 1);
        operator.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
        eventually("the end of the session", async || {
            operator.query(sleeping, &[]).await.unwrap().is_empty().then_some(())
        })
        .await;
        let again = database.run(NEW, "migrate sql up -e --yes");
        assert_eq!((again.code, database.booked().await), (Some(0), 338), "{version}: {}", again.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runs_at_once_one_fails_and_the_state_is_whole() {
    let world = World::new();
    let database = world.database("db").await;
    // An open transaction holds both up at the same migration, so that they are certain to meet.
    database.run(NEW, "migrate sql up -e --yes");
    let down = database.run(NEW, "migrate sql down -e --yes --steps 1");
    assert_eq!(down.code, Some(0), "{}", down.err);
    let mut holder = database.client().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE identity_credentials").await.unwrap();
    let start = |name| Background::start(&world, name, database.command(NEW, "migrate sql up -e --yes"));
    let mut runs = [start("a"), start("b")];
    let operator = world.operator("postgres").await;
    eventually("two waiting runs", async || {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '%identity_credentials_nid_idx%'";
        (operator.query(waiting, &[]).await.unwrap().len() == 2).then_some(())
    })
    .await;
    lock.rollback().await.unwrap();
    let mut codes = [runs[0].end().await, runs[1].end().await];
    codes.sort_unstable();
    let logs = format!("{}\n{}", runs[0].output(), runs[1].output());
    assert_eq!(codes, [0, 1], "{logs}");
    assert!(logs.contains("(SQLSTATE 23505)") || logs.contains("(SQLSTATE 42"), "{logs}");
    assert_eq!(database.booked().await, 338);
    assert_eq!(database.run(NEW, "migrate sql up -e --yes").code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_on_an_empty_database_end_whole() {
    let world = World::new();
    for (index, program) in programs().iter().enumerate() {
        let database = world.database(&format!("db{index}")).await;
        let migrate = || command(program, NEW, &database.dsn, "migrate sql -e --yes");
        let mut runs = [Background::start(&world, "a", migrate()), Background::start(&world, "b", migrate())];
        let codes = [runs[0].end().await, runs[1].end().await];
        assert!(codes.contains(&0), "{}{}", runs[0].output(), runs[1].output());
        assert_eq!(Run::of(migrate()).code, Some(0));
        // As many as one run alone; the program may be of any release.
        let alone = world.database(&format!("alone{index}")).await;
        assert_eq!(Run::of(command(program, NEW, &alone.dsn, "migrate sql -e --yes")).code, Some(0));
        assert_eq!(database.booked().await, alone.booked().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_autocommit_migration_wedges_for_good() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let version = "20250708190000000000";
    assert_eq!(database.run(MIDDLE, "migrate sql down -e --yes --steps 3").code, Some(0));
    assert_eq!(database.pending()[0], version);
    let (operator, watch) = (world.operator("db").await, database.client().await);
    let mut holder = database.client().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE identities IN ACCESS SHARE MODE").await.unwrap();
    let mut run = Background::start(&world, "up", database.command(NEW, "migrate sql up -e --yes"));
    blocked(&operator, "ADD COLUMN external_id").await;
    run.signal(Signal::SIGKILL);
    assert_eq!(run.end().await, -9);
    lock.rollback().await.unwrap();
    let column = "SELECT 1 FROM information_schema.columns WHERE table_name = 'identities' AND column_name = 'external_id'";
    eventually("the orphan's commit", async || operator.query_opt(column, &[]).await.unwrap()).await;
    for _ in 0..2 {
        let again = database.run(NEW, "migrate sql up -e --yes");
        assert_eq!(again.code, Some(1));
        let reason =
            "ERROR: column \"external_id\" of relation \"identities\" already exists (SQLSTATE 42701)\n";
        assert!(again.err.contains(reason), "{}", again.err);
        assert!(!again.err.trim_end().ends_with(reason.trim_end()), "the reason is followed by noise");
    }
    let repair = "INSERT INTO schema_migration (version) VALUES ($1)";
    watch.execute(repair, &[&version]).await.unwrap();
    let again = database.run(NEW, "migrate sql up -e --yes");
    assert_eq!((again.code, database.booked().await), (Some(0), 338), "{}", again.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bounded_or_cancelled_wait_for_a_lock_leaves_nothing_behind() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let mut holder = database.client().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE session_devices").await.unwrap();

    let bounded = Database { dsn: format!("{}&lock_timeout=300", database.dsn) };
    let run = bounded.run(NEW, "migrate sql up -e --yes");
    assert_eq!(run.code, Some(1));
    assert!(run.err.contains("canceling statement due to lock timeout (SQLSTATE 55P03)"), "{}", run.err);
    assert!(run.out.ends_with("------------ ERROR ------------\n"), "{}", run.out);
    assert_eq!(database.booked().await, 331);

    let mut run = Background::start(&world, "up", database.command(NEW, "migrate sql up -e --yes"));
    let operator = world.operator("postgres").await;
    let pid = blocked(&operator, "ALTER TABLE").await;
    operator.execute("SELECT pg_cancel_backend($1)", &[&pid]).await.unwrap();
    assert_eq!(run.end().await, 1);
    let reason = "ERROR: canceling statement due to user request (SQLSTATE 57014)\nerror executing migrations/sql/20251104000000000000_identifiers_devices_identity_id.up.sql, sql: ";
    assert!(run.output().contains(reason), "{}", run.output());
    assert_eq!(database.booked().await, 331);

    lock.rollback().await.unwrap();
    assert_eq!(database.run(NEW, "migrate sql up -e --yes").code, Some(0));
    assert_eq!(database.pending(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_not_blocked_and_can_wait() {
    let world = World::new();
    let database = world.database("db").await;
    database.migrate(MIDDLE);
    let mut holder = database.client().await;
    let lock = holder.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE session_devices").await.unwrap();
    let mut up = Background::start(&world, "up", database.command(NEW, "migrate sql up -e --yes"));
    blocked(&world.operator("postgres").await, "ALTER TABLE").await;
    assert_eq!(database.pending().len(), 7);
    let mut waiting =
        Background::start(&world, "block", database.command(NEW, "migrate sql status -e --block"));
    let line = "Waiting for migrations to finish...\n - identifiers_devices_identity_id\n";
    eventually("waiting", async || waiting.output().contains(line).then_some(())).await;
    lock.rollback().await.unwrap();
    assert_eq!((up.end().await, waiting.end().await), (0, 0));
    assert!(waiting.output().ends_with("Applied\t\n"), "{}", waiting.output());
}

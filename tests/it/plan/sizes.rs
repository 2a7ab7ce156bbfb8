//! How big the tables of a plan are said to be.

use std::time::Instant;

use kratos_operator::migration::Failure;
use kratos_operator::migration::plan::plan;
use kratos_operator::postgres::tables;

use super::support::{PATIENCE, block_on, open, shared, sql, version};

#[test]
fn rows_are_known_before_anybody_counted_them() {
    block_on(async {
        let server = shared();
        let database = server.database(None).await;
        let connection = open(&database.dsn).await;
        sql(
            &connection,
            r#"CREATE TABLE "Odd ""Name" (id INT PRIMARY KEY, parent INT CONSTRAINT k REFERENCES "Odd ""Name", text TEXT);
               ALTER TABLE "Odd ""Name" SET (autovacuum_enabled = off);
               CREATE TABLE empty (id INT);
               INSERT INTO "Odd ""Name" SELECT g, NULL, repeat('x', 100) FROM generate_series(1, 20000) g"#,
        )
        .await;
        let found = tables::tables(&connection).await.unwrap();
        let odd = &found["Odd \"Name"];
        assert!((18_000..=22_000).contains(&odd.rows.unwrap()), "{odd:?}");
        assert!(odd.heap_bytes > 2_000_000 && odd.total_bytes > odd.heap_bytes, "{odd:?}");
        assert_eq!(
            (odd.indexes.as_slice(), found["empty"].rows),
            (&["Odd \"Name_pkey".to_owned()][..], Some(0))
        );
        sql(&connection, "ANALYZE").await;
        assert_eq!(tables::tables(&connection).await.unwrap()["Odd \"Name"].rows, Some(20_000));
        let keys = tables::foreign_keys(&connection).await.unwrap();
        let [key] = keys.as_slice() else { panic!("{keys:?}") };
        assert_eq!((key.name.as_str(), key.table.as_str(), &key.referenced), ("k", "Odd \"Name", &key.table));
        assert_eq!(key.columns, ["parent"]);
    });
}

#[test]
fn a_locked_table_holds_no_plan_up() {
    block_on(async {
        let server = shared();
        let served = server.served(1).await;
        let holder = open(&served.dsn).await;
        sql(&holder, "SET application_name = 'report'; BEGIN; LOCK TABLE sessions").await;
        let pid: i32 = holder.client().query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let begun = Instant::now();
        let error =
            plan(&server.kratos("v26.2.0"), &version("v26.2.0"), &served.dsn, None).await.unwrap_err();
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        let Failure::Refused(text) = error else { panic!("{error}") };
        let who =
            format!("locked by the transaction of \"report\", user {} (pid {pid})", served.dsn.username());
        assert!(text.contains("read sessions, ") && text.contains(&who), "{text}");
        assert!(text.ends_with(&format!("remedy: SELECT pg_terminate_backend({pid})")), "{text}");
        assert_eq!(server.scratch_databases(&served.dsn).await, [""; 0]);
        sql(&holder, "ROLLBACK").await;

        // One that reads holds up nobody but the one that wants the table alone, and that one holds up all others.
        let reader = open(&served.dsn).await;
        sql(&reader, "BEGIN; SELECT count(*) FROM sessions").await;
        let waiting =
            tokio::spawn(
                async move { sql(&holder, "SET lock_timeout = 0; BEGIN; LOCK TABLE sessions").await },
            );
        let waits = format!("SELECT 1 FROM pg_locks WHERE pid = {pid} AND NOT granted");
        while reader.client().query_opt(&waits, &[]).await.unwrap().is_none() {}
        let error =
            plan(&server.kratos("v26.2.0"), &version("v26.2.0"), &served.dsn, None).await.unwrap_err();
        let Failure::Refused(text) = error else { panic!("{error}") };
        assert!(text.contains("read sessions, ") && text.contains(&format!("(pid {pid})")), "{text}");
        waiting.abort();
    });
}

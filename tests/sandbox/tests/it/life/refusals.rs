//! A database that cannot be migrated: the action says so within seconds, with the remedy, and changes nothing.

use std::time::{Duration, Instant};

use super::support::*;

const QUICK: Duration = Duration::from_secs(10);

#[test]
fn what_cannot_be_migrated_is_refused_in_time() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 1).await;
        register(&sandbox, 0, "ada@example.com").await;
        juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
        let admin = session(&sandbox).await;
        let text = |sql: &'static str| async { admin.query_one(sql, &[]).await.unwrap().get::<_, String>(0) };
        let owner =
            text("SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'identities'").await;
        let password = text(
            "SELECT rolpassword FROM pg_authid WHERE rolname = (SELECT tableowner FROM pg_tables WHERE tablename = 'identities')",
        )
        .await;
        let database = text("SELECT quote_ident(current_database())").await;
        let read_only = format!("ALTER ROLE {owner} IN DATABASE {database}");
        let before = digest(&sandbox).await;
        for (harm, mend, remedy) in [
            (
                format!("ALTER ROLE {owner} PASSWORD 'another'"),
                format!("ALTER ROLE {owner} PASSWORD '{password}'"),
                "refused the password of",
            ),
            (
                format!("ALTER ROLE {owner} NOLOGIN"),
                format!("ALTER ROLE {owner} LOGIN"),
                "allow it there and try again",
            ),
            (
                "ALTER TABLE identities OWNER TO CURRENT_USER".to_owned(),
                format!("ALTER TABLE identities OWNER TO {owner}"),
                "does not own identities",
            ),
            (
                format!("{read_only} SET default_transaction_read_only = on"),
                format!("{read_only} RESET default_transaction_read_only"),
                "RESET default_transaction_read_only",
            ),
        ] {
            admin.batch_execute(&harm).await.unwrap();
            let harmed = digest(&sandbox).await;
            let begun = Instant::now();
            let output = action_fails(&sandbox, "run kratos/leader run-migration timeout=300").await;
            assert!(begun.elapsed() < QUICK, "{:?}: {output}", begun.elapsed());
            assert!(output.contains(remedy) && output.contains("run-migration"), "{remedy} in {output}");
            assert_eq!(digest(&sandbox).await, harmed, "{remedy}");
            admin.batch_execute(&mend).await.unwrap();
        }
        assert_eq!(digest(&sandbox).await, before);
        juju(&sandbox, "run kratos/leader run-migration timeout=300").await;
        assert_eq!(status(&sandbox, 0), "active ");
        assert_eq!(people(&sandbox, 0).await, ["ada@example.com"]);
    });
}

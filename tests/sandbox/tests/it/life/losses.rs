//! What was lost in the database stays said, on every unit, until a person decides.

use super::support::*;

#[test]
fn a_database_that_was_emptied_is_not_begun_anew_unasked() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        register(&sandbox, 0, "ada@example.com").await;
        let admin = session(&sandbox).await;
        let owner = "SELECT quote_ident(tableowner) FROM pg_tables WHERE tablename = 'identities'";
        let owner: String = admin.query_one(owner, &[]).await.unwrap().get(0);
        for unit in [0, 1] {
            pebble(&sandbox, unit).stop(&["kratos"]).await.unwrap();
        }
        let empty = format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION {owner}");
        admin.batch_execute(&empty).await.unwrap();
        let tables = async || {
            let count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
            admin.query_one(count, &[]).await.unwrap().get::<_, i64>(0)
        };
        for unit in [0, 1] {
            sandbox.fire(&format!("kratos/{unit}"), "update-status").await.unwrap();
            let text = status(&sandbox, unit);
            assert!(text.starts_with("blocked The database was migrated to v"), "{text}");
            assert!(text.ends_with("juju run kratos/leader run-migration accept-empty=true"), "{text}");
            assert!(!is_active(&sandbox, unit, "kratos").await);
        }
        let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
        assert!(output.contains("is empty now"), "{output}");
        assert_eq!(tables().await, 0, "nothing is made in it");

        let output = juju(&sandbox, "run kratos/leader run-migration accept-empty=true").await;
        assert!(output.contains("result: completed"), "{output}");
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
        }
    });
}

#[test]
fn a_loss_of_rows_keeps_kratos_down_on_every_unit_until_a_person_accepts_it() {
    let (older, newest) = upgrade();
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &older, 2).await;
        register(&sandbox, 0, "ada@example.com").await;
        register(&sandbox, 0, "eve@example.com").await;
        juju(&sandbox, &format!("refresh kratos --channel {newest}")).await;
        let admin = session(&sandbox).await;
        let loses = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                         DELETE FROM identities WHERE traits->>'email' = 'eve@example.com'; RETURN NEW; END $$; \
                     CREATE TRIGGER lose AFTER INSERT ON schema_migration FOR EACH ROW EXECUTE FUNCTION lose()";
        admin.batch_execute(loses).await.unwrap();
        let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
        assert!(output.contains("result: lost-rows"), "{output}");
        admin.batch_execute("DROP TRIGGER lose ON schema_migration; DROP FUNCTION lose()").await.unwrap();

        juju(&sandbox, "config kratos log_level=debug").await;
        for unit in [0, 1] {
            let text = status(&sandbox, unit);
            assert!(
                text.contains("nothing is pending, but identities holds 1 rows, and held 2 before"),
                "{text}"
            );
            assert!(text.ends_with("juju run kratos/leader run-migration accept-lost-rows=true"), "{text}");
            assert!(!is_active(&sandbox, unit, "kratos").await);
        }
        let output = action_fails(&sandbox, "run kratos/leader run-migration").await;
        assert!(output.contains("identities holds 1 rows") && !output.contains("completed"), "{output}");

        let output = juju(&sandbox, "run kratos/leader run-migration accept-lost-rows=true").await;
        assert!(output.contains("result: accepted"), "{output}");
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
            assert_eq!(people(&sandbox, unit).await, ["ada@example.com"]);
        }
    });
}

//! From deploy to serving, scaling, configuration, and the loss of the database.

use super::support::*;

#[test]
fn a_fresh_database_is_migrated_and_every_unit_serves() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, &format!("deploy kratos --channel {} -n 2 --trust", newest())).await;
        assert!(
            status(&sandbox, 0)
                .starts_with("blocked Missing integration pg-database: juju integrate kratos:")
        );
        assert!(
            pebble(&sandbox, 0).plan().await.unwrap().checks.is_empty(),
            "nothing runs, so nothing is checked"
        );

        juju(&sandbox, "deploy postgresql-k8s --channel 14/stable").await;
        juju(&sandbox, &format!("integrate {} {}", DATABASE.0, DATABASE.1)).await;
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
            assert!(is_active(&sandbox, unit, "kratos").await);
            assert!(!is_active(&sandbox, unit, "courier").await, "there is no mail server");
            let ports = sandbox.model().unit(&format!("kratos/{unit}")).unwrap().ports.clone();
            assert_eq!(Vec::from_iter(ports), ["4433/tcp", "4434/tcp"]);
        }
        register(&sandbox, 0, "ada@example.com").await;
        assert_eq!(people(&sandbox, 1).await, ["ada@example.com"]);

        let relation = sandbox.relation(DATABASE.0, DATABASE.1).unwrap();
        let request = sandbox.databag(relation, "kratos");
        assert!(request["database"].ends_with("_kratos"), "{request:?}");
        assert_eq!(Vec::from_iter(request.keys()), ["database", "requested-secrets"]);
        give_mail(&sandbox).await;
        for unit in [0, 1] {
            assert_eq!(is_active(&sandbox, unit, "courier").await, unit == 0, "mails are sent by the leader");
        }
        sandbox.set_leader("kratos/1").await.unwrap();
        assert!(is_active(&sandbox, 1, "courier").await);
        assert!(!is_active(&sandbox, 0, "courier").await, "the former leader stops sending");
    });
}

#[test]
fn options_reach_kratos_and_bad_ones_do_not() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        juju(&sandbox, "config kratos log_level=warn http_proxy=http://proxy:3128").await;
        assert_eq!(environment(&sandbox, 0, "LOG_LEVEL").await, "warning");
        assert_eq!(environment(&sandbox, 0, "HTTP_PROXY").await, "http://proxy:3128");
        assert_eq!(status(&sandbox, 0), "active ");

        juju(&sandbox, "config kratos log_level=loud").await;
        let text = status(&sandbox, 0);
        assert!(
            text.starts_with("blocked Invalid option log_level=loud") && text.contains("juju config kratos"),
            "{text}"
        );
        assert!(is_active(&sandbox, 0, "kratos").await);
        assert_eq!(environment(&sandbox, 0, "LOG_LEVEL").await, "warning", "the last good value stays");
        juju(&sandbox, "config kratos --reset log_level").await;
        assert_eq!(status(&sandbox, 0), "active ");
    });
}

#[test]
fn a_lost_database_stops_the_services_and_a_new_one_starts_them() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        give_mail(&sandbox).await;
        juju(&sandbox, "remove-relation kratos postgresql-k8s").await;
        for unit in [0, 1] {
            assert!(status(&sandbox, unit).starts_with("blocked Missing integration pg-database"));
            assert!(
                !is_active(&sandbox, unit, "kratos").await && !is_active(&sandbox, unit, "courier").await
            );
            let health = pebble_says(&sandbox, unit, "health").await;
            assert_eq!(health["healthy"], true, "no check may call that a failure");
        }
        juju(&sandbox, &format!("integrate {} {}", DATABASE.0, DATABASE.1)).await;
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
        }
        assert!(is_active(&sandbox, 0, "courier").await);
    });
}

#[test]
fn a_database_that_does_not_answer_yet_is_no_reason_to_go_on_with_a_lost_one() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 2).await;
        let other = relate(&sandbox, "other", "pg-database", "postgresql_client").await;
        for unit in [0, 1] {
            assert!(is_active(&sandbox, unit, "kratos").await, "the one in use is still there");
        }
        juju(&sandbox, "remove-relation kratos postgresql-k8s").await;
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "waiting Waiting for database creation");
            assert!(!is_active(&sandbox, unit, "kratos").await, "relation {other} is no database yet");
        }
    });
}

#[test]
fn a_new_container_gets_everything_again() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        register(&sandbox, 0, "ada@example.com").await;
        let container = sandbox.container("kratos/0").unwrap();
        tokio::task::spawn_blocking(move || {
            let mut container = container.lock().unwrap();
            let image = container.image().clone();
            container.kill();
            container.restart(image).unwrap();
        })
        .await
        .unwrap();
        sandbox.fire("kratos/0", "kratos-pebble-ready").await.unwrap();
        assert_eq!(status(&sandbox, 0), "active ");
        assert_eq!(people(&sandbox, 0).await, ["ada@example.com"]);
    });
}

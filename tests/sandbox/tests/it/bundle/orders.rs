//! Relations come and go in any order, and the end is always the same.
//!
//! `KRATOS_OPERATOR_SEEDS`, numbers with commas between them, says in which orders, instead of one.

use super::world::*;
use crate::life::support::*;

/// Each gives an order of removal and one of return; it is printed, so that a failure can be run again.
fn seeds() -> Vec<u64> {
    let seeds = std::env::var("KRATOS_OPERATOR_SEEDS").unwrap_or_else(|_| "1".to_owned());
    seeds.split(',').map(|seed| seed.parse().expect("a seed is a number")).collect()
}

#[test]
fn the_end_is_the_same_in_whatever_order_relations_come_and_go() {
    with_sandbox(async |sandbox| {
        deploy_all(&sandbox, 2).await;
        integrate(&sandbox, place("postgresql-k8s")).await;
        assert_eq!((status(&sandbox, 0), status(&sandbox, 1)), ("active ".into(), "active ".into()));
        let bare = snapshot(&sandbox).await;
        for at in 1..RELATIONS.len() {
            integrate(&sandbox, at).await;
        }
        assert_eq!(troubled(&sandbox), [""; 0]);
        let whole = snapshot(&sandbox).await;
        let config = "etc/config/kratos/kratos.yaml on kratos/0";
        assert!(whole[config] != bare[config], "the relations reach Kratos");
        for (unit, loki) in [(0, "loki/0"), (0, "loki/1"), (1, "loki/0"), (1, "loki/1")] {
            let plan = &whole[&format!("plan of kratos/{unit}")];
            assert!(plan.contains(loki), "{loki} takes the logs of unit {unit}: {plan}");
        }

        for seed in seeds() {
            println!("seed {seed}");
            for at in order(seed) {
                remove(&sandbox, at).await;
            }
            assert!(status(&sandbox, 0).starts_with("blocked Missing integration pg-database"));
            integrate(&sandbox, place("postgresql-k8s")).await;
            assert_same(&snapshot(&sandbox).await, &bare, &format!("seed {seed}, all removed"));
            let targets = pebble(&sandbox, 0).plan().await.unwrap().log_targets;
            assert!(targets.len() == 2 && targets.values().all(|it| it.services == ["-all"]), "{targets:?}");
            remove(&sandbox, place("postgresql-k8s")).await;
            for at in order(seed + 1) {
                integrate(&sandbox, at).await;
            }
            assert_eq!(troubled(&sandbox), [""; 0], "seed {seed}");
            assert_same(&snapshot(&sandbox).await, &whole, &format!("seed {seed}, all back"));
        }
    });
}

#[test]
fn one_relation_comes_and_goes_and_leaves_nothing() {
    with_sandbox(async |sandbox| {
        deploy_all(&sandbox, 1).await;
        for at in 0..RELATIONS.len() {
            integrate(&sandbox, at).await;
        }
        assert_eq!(troubled(&sandbox), [""; 0]);
        let whole = snapshot(&sandbox).await;
        let seed = seeds()[0];
        println!("seed {seed}");
        for at in order(seed) {
            let (endpoint, other) = RELATIONS[at];
            remove(&sandbox, at).await;
            let failed: Vec<_> =
                troubled(&sandbox).into_iter().filter(|text| text.contains(": error")).collect();
            assert_eq!(failed, [""; 0], "after the removal of {endpoint} {other}");
            integrate(&sandbox, at).await;
            assert_eq!(troubled(&sandbox), [""; 0], "{endpoint} {other}");
            assert_same(&snapshot(&sandbox).await, &whole, &format!("{endpoint} {other} removed and back"));
        }
    });
}

//! What a database leads to that is too new or lost.

use super::*;

#[test]
fn a_database_that_is_too_new_is_told_with_the_kratos_that_migrated_it() {
    for (recorded, back) in [
        ("v27.1.0", "a charm with Kratos v27.1.0 or newer"),
        // Another application migrated it.
        ("v26.2.0", "the newer charm, with a Kratos from after 2027-01-01"),
        ("nonsense", "the newer charm, with a Kratos from after 2027-01-01"),
    ] {
        let mut observed = ready();
        observed.schema = schema(&[APPLIED, PENDING, "20270101000000000000"], false);
        observed.peers.as_mut().unwrap().application = bag(&[("migration_version_3", recorded)]);
        // A run that was refused for it says no more.
        observed.migration = Some(Err(Failure::Newer { unknown: 1, version: "v26.2.0".into() }));
        let expected = format!(
            "blocked The database was migrated by a newer Kratos (1 migrations are unknown to v26.2.0); go back to {back}: \
             juju refresh kratos"
        );
        assert_eq!(status(&observed), expected);
    }
    // Another one migrated it while this one wanted to.
    let mut observed = pending();
    observed.migration = Some(Err(Failure::Newer { unknown: 2, version: "v26.2.0".into() }));
    assert_eq!(
        status(&observed),
        "blocked Database migration failed: the database was migrated by a newer Kratos: 2 of its migrations are unknown \
         to v26.2.0; go back to the newer charm: juju refresh kratos"
    );
}

#[test]
fn a_database_that_is_too_new_is_told_with_the_charm_that_migrated_it() {
    let run = |to: &str, charm: &str| json!({"who": "kratos/0", "to": to, "charm": charm, "seconds": 1, "outcome": "completed"});
    let runs = json!([
        run("v27.1.0", "ch:amd64/noble/kratos-40"),
        run("v27.1.0", "ch:amd64/noble/kratos-41"),
        run("v26.2.0", "ch:amd64/noble/kratos-39"),
    ]);
    for (running, runs, back) in [
        (
            "ch:amd64/noble/kratos-39",
            &runs,
            "charm revision 41, with Kratos v27.1.0: juju refresh kratos --revision 41",
        ),
        (
            "ch:amd64/noble/kratos-41",
            &runs,
            "an image with Kratos v27.1.0 or newer: juju refresh kratos --resource oci-image=IMAGE",
        ),
        (
            "ch:amd64/noble/kratos-39",
            &json!([run("v27.1.0", "local:kratos-3")]),
            "local charm revision 3, with Kratos v27.1.0: juju refresh kratos --path FILE.charm",
        ),
        (
            "local:kratos-3",
            &json!([run("v27.1.0", "nonsense"), run("v28.0.0", "local:kratos-5")]),
            "a charm with Kratos v27.1.0 or newer: juju refresh kratos",
        ),
    ] {
        let mut observed = ready();
        observed.charm = Some(running.parse().unwrap());
        observed.schema = schema(&[APPLIED, PENDING, "20270101000000000000"], false);
        observed.peers.as_mut().unwrap().application =
            bag(&[("migration_version_3", "v27.1.0"), ("migration_runs", &runs.to_string())]);
        let text = status(&observed);
        assert!(text.ends_with(&format!("; go back to {back}")), "{text}");
    }
}

#[test]
fn weaknesses_38_and_39_only_a_lost_database_stops_what_runs_with_its_checks() {
    let mut observed = started(ready());
    observed.config.insert("log_level".into(), json!("loud"));
    assert!(matches!(desired(&observed).service, DesiredService::AsItIs));
    observed.databases.clear();
    let DesiredService::Stopped(layer) = desired(&observed).service else { panic!() };
    assert!(layer.services.is_empty() && layer.checks.len() == 2, "{layer:?}");
    assert!(layer.checks.values().all(|check| check.startup == Some(Startup::Disabled)), "{layer:?}");
}

#[test]
fn the_loss_of_the_database_in_use_stops_what_runs_although_another_one_is_there() {
    let service = |broken: &str, next: &str, is_leader: bool| {
        let mut observed = started(ready());
        let environment = Environment::from([
            ("JUJU_DISPATCH_PATH", "hooks/pg-database-relation-broken"),
            ("JUJU_UNIT_NAME", "kratos/0"),
            ("JUJU_MODEL_NAME", "idp"),
            ("JUJU_RELATION_ID", broken),
        ]);
        observed.context = Context::from_environment(&environment).unwrap();
        observed.is_leader = is_leader;
        observed.databases[0].id = next.parse().unwrap();
        observed
    };
    for is_leader in [true, false] {
        let mut unanswered = service("pg-database:3", "pg-database:9", is_leader);
        unanswered.databases[0].remote.clear();
        assert!(matches!(desired(&unanswered).service, DesiredService::Stopped(_)), "no answer");
        let mut pending = service("pg-database:3", "pg-database:9", is_leader);
        pending.schema = schema(&[APPLIED], false);
        assert!(matches!(desired(&pending).service, DesiredService::Stopped(_)), "not migrated");
        container(&mut pending).plan.services.clear();
        assert!(matches!(desired(&pending).service, DesiredService::AsItIs), "nothing of ours runs");

        let mut other = service("pg-database:9", "pg-database:3", is_leader);
        other.databases[0].remote.clear();
        assert!(matches!(desired(&other).service, DesiredService::AsItIs), "it was not in use");
        let mut other = service("smtp:1", "pg-database:3", is_leader);
        other.databases[0].remote.clear();
        assert!(matches!(desired(&other).service, DesiredService::AsItIs), "it was no database");
    }
    let mut migrated = service("pg-database:3", "pg-database:9", true);
    container(&mut migrated).version = Version::Known(WorkloadVersion::parse("v26.2.0").unwrap());
    migrated.schema = schema(&[APPLIED, PENDING], false);
    assert!(
        matches!(desired(&migrated).service, DesiredService::Running(_)),
        "it goes on with the other one"
    );
}

#[test]
fn weakness_32_a_failed_first_migration_is_told_and_tried_again() {
    let mut observed = ready();
    observed.schema = schema(&[], true);
    observed.migration = Some(Err(Failure::Program("no such program".to_owned())));
    assert_eq!(
        status(&observed),
        "blocked Database migration failed: no such program; then run again: juju run kratos/leader run-migration"
    );
    let DesiredService::AsItIs = desired(&observed).service else { panic!("nothing starts") };
    observed.migration = None;
    assert!(automatic_job(&observed).is_some(), "the next dispatch tries it again by itself");
}

#[test]
fn a_database_that_was_migrated_and_is_empty_is_a_loss_and_no_beginning() {
    let runs = json!([
        { "who": "kratos/1", "begun": "2026-08-01T10:00:00Z", "to": "v26.2.0", "seconds": 1.0, "outcome": "completed" },
        { "who": "kratos/0", "begun": "2026-09-01T10:00:00Z", "to": "v27.0.0", "seconds": 1.0, "outcome": "failed" },
    ]);
    let mut observed = ready();
    let record = [("migration_version_3", "\"v26.2.0\""), ("migration_runs", &runs.to_string())];
    observed.peers.as_mut().unwrap().application = bag(&record);
    for rows in [&[][..], &[APPLIED]] {
        observed.schema = schema(rows, true);
        assert!(automatic_job(&observed).is_none(), "nothing is made in it: {rows:?}");
    }
    observed.schema = schema(&[], true);
    let expected =
        "blocked The database was migrated to v26.2.0 on 2026-08-01T10:00:00Z by kratos/1, and is empty now";
    assert!(status(&observed).starts_with(expected), "{}", status(&observed));
    // A Kratos that cannot list its migrations takes the record's word only for a database with something in it.
    let v1 = WorkloadVersion::parse("v1.1.0").unwrap();
    let untold = Schema::compare(&BTreeSet::new(), &Known::without_status(&v1), true);
    container(&mut observed).version = Version::Known(v1);
    observed.schema = SchemaKnowledge::Known(untold);
    observed.peers.as_mut().unwrap().application = bag(&[("migration_version_3", "\"v1.1.0\"")]);
    assert!(status(&observed).contains("is empty now"), "{}", status(&observed));
    // Another relation's record says nothing of this database.
    observed.peers.as_mut().unwrap().application = bag(&[("migration_version_2", "\"v1.1.0\"")]);
    assert!(automatic_job(&observed).is_some());
}

#[test]
fn a_verdict_holds_on_every_unit_until_it_is_accepted() {
    let lost = Failure::Lost { table: "identities".to_owned(), before: 2, after: 1 };
    let invalid = Failure::InvalidIndexes(vec!["public.idx".to_owned()]);
    for (failure, kind) in [(lost, "lost-rows"), (invalid, "invalid-indexes")] {
        let mut run = Observed { schema: migrated(), ..pending() };
        run.migration = Some(Err(failure.clone()));
        let expected = format!("blocked {}", failure.with_command("kratos"));
        assert!(expected.ends_with(&format!("run-migration accept-{kind}=true")), "{expected}");
        assert_eq!(status(&run), expected);
        let keys = |observed: &Observed| {
            let bags = desired(observed).databags.into_iter();
            let key = bags.flat_map(|bag| bag.keys).find(|(key, _)| key == "migration_verdict_3");
            key.map(|(_, value)| value)
        };
        let recorded = keys(&run).unwrap().unwrap();
        for is_leader in [true, false] {
            let mut later = Observed { is_leader, ..ready() };
            later.peers.as_mut().unwrap().application = bag(&[("migration_verdict_3", &recorded)]);
            assert_eq!(status(&later), expected, "the same words as on the day");
            assert!(matches!(desired(&later).service, DesiredService::AsItIs));
            assert_eq!(keys(&later), None, "what stands there is not written again");
            later.migration = Some(Err(Failure::Program("no answer".into())));
            assert!(status(&later).contains(kind), "a run that failed otherwise takes nothing back");
            later.migration = None;
            later.is_verdict_accepted = true;
            assert!(matches!(desired(&later).service, DesiredService::Running(_)));
            assert_eq!(keys(&later), is_leader.then_some(None), "taken away by the leader");
        }
    }
}

#[test]
fn the_leader_looks_for_a_fence_at_update_status_and_names_one_that_stays() {
    let is_asked = |observed: &Observed| needs::fence(observed, &Parsed::new(observed));
    let mut quiet = started(ready());
    assert!(!is_asked(&quiet));
    quiet.context = context("hooks/update-status");
    assert!(is_asked(&quiet) && !needs::schema(&quiet, &Parsed::new(&quiet)), "without the program");
    assert!(!is_asked(&Observed { is_leader: false, ..quiet.clone() }));
    let unknown = SchemaKnowledge::Unknown("no such program".into());
    assert!(is_asked(&Observed {
        schema: unknown,
        context: context("hooks/config-changed"),
        ..quiet.clone()
    }));
    quiet.fence = Some("green/0 task 7".to_owned());
    assert_eq!(
        status(&quiet),
        "waiting Writes are refused by the write fence of green/0 task 7: it goes when that run ends; \
         see: juju run kratos/0 show-migrations"
    );
    quiet.databases.clear();
    assert!(!is_asked(&quiet), "no database, nobody to ask");
}

#[test]
fn the_units_that_a_run_was_forced_to_leave_behind_stand_in_its_record() {
    let mut observed = ready();
    let SchemaKnowledge::Known(schema) = migrated() else { panic!() };
    let (elapsed, counts, trail) = (Duration::ZERO, Counts::new(), Trail::default());
    observed.migration = Some(Ok(MigrationReport { applied: 1, elapsed, schema, counts, trail }));
    observed.waived_units = vec!["kratos/1 (v25.4.0)".to_owned()];
    let keys = desired(&observed).databags.into_iter().flat_map(|bag| bag.keys);
    let (_, text) = keys.into_iter().find(|(key, _)| key == "migration_runs").unwrap();
    let runs: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
    assert_eq!(runs[0]["waived"], json!(["kratos/1 (v25.4.0)"]));
}

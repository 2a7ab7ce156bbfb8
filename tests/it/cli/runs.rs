//! Status, plan and run, undisturbed.

use serde_json::json;

use super::support::*;

#[test]
fn a_fresh_database_is_migrated_and_the_status_tells_it() {
    block_on(async {
        let database = Database::fresh().await;
        let before = database.run("status");
        assert_eq!(before.code, Some(1), "{before:?}");
        assert!(before.out.contains("Kratos:   v26.2.0\nApplied:  0\nPending:  "), "{}", before.out);
        assert!(
            before.out.contains("(--json lists all)") && before.out.contains("Lock:     free"),
            "{}",
            before.out
        );
        let all = database.run("status --json").json()["pending"].as_array().unwrap().len();

        let run = database.run("run");
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.out.starts_with(&format!("Done: {all} migrations applied in ")), "{}", run.out);
        assert!(run.err.starts_with("a fresh database for v26.2.0; timeout 120 s\n"), "{}", run.err);
        assert!(!run.err.contains('\x1b'), "there is no terminal, so no bar");
        assert_eq!(database.digest().await, undisturbed().await);

        let after = database.run("status --json");
        assert_eq!(after.code, Some(0), "{after:?}");
        let expected = json!({
            "version": "v26.2.0", "applied": all, "pending": [], "newer": [], "foreign": [], "unused": true,
            "fence": null, "lock-holder": null, "next": null,
        });
        assert_eq!(after.json(), expected);
        let again = database.run("run");
        assert_eq!(again.code, Some(0));
        assert!(again.out.starts_with("Done: 0 migrations applied"), "{}", again.out);
    });
}

#[test]
fn a_plan_ends_with_the_command_line_that_runs_it() {
    block_on(async {
        let database = Database::served(OLD).await;
        let before = database.digest().await;
        let mut command = database.operator("plan --dsn-env COPY_DSN");
        let plan = Run::of({
            command.env_remove("DSN").env("COPY_DSN", &database.dsn);
            command
        });
        assert_eq!((plan.code, plan.err.as_str()), (Some(0), ""), "{plan:?}");
        let kratos = shown(&database.server.kratos(NEW));
        let command = format!(
            "\nRun it with: kratos-operator migrate run --dsn-env COPY_DSN --kratos-bin {kratos} --timeout "
        );
        let (_, timeout) = plan.out.split_once(&command).unwrap_or_else(|| panic!("{}", plan.out));
        assert!(timeout.trim().parse::<u64>().is_ok() && !plan.out.contains("juju"), "{}", plan.out);

        let json = database.run("plan --json").json();
        // Measured anew, so the number may differ.
        assert!(json["suggested-timeout"].as_u64().is_some_and(|seconds| seconds > 0), "{json}");
        let versions = |list: &serde_json::Value| {
            list.as_array().unwrap().iter().map(|item| item["version"].clone()).collect::<Vec<_>>()
        };
        let status = database.run("status --json").json();
        assert!(!versions(&json["migrations"]).is_empty());
        assert_eq!(versions(&json["migrations"]), versions(&status["pending"]));
        assert_eq!(database.digest().await, before);
        database.check_nothing_left().await;
    });
}

#[test]
fn a_command_asks_the_program_once_for_its_migrations() {
    block_on(async {
        let (fresh, served) = (Database::fresh().await, Database::served(MIDDLE).await);
        for (database, words) in
            [(&fresh, "run"), (&served, "plan"), (&served, "run --timeout 300"), (&served, "run")]
        {
            assert_eq!(database.count_listings(words).1, 1, "{words}");
        }
    });
}

#[test]
fn events_are_lines_of_json() {
    block_on(async {
        let database = Database::served(OLD).await;
        let run = database.run("run --json --timeout 300");
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
        let events = run.events();
        let (result, told) = events.split_last().unwrap();
        for kind in ["step", "line"] {
            assert!(told.iter().any(|event| event["event"] == kind), "{run:?}");
        }
        assert!(told.iter().all(|event| event["text"].is_string()), "{run:?}");
        assert!(told.iter().any(|event| event["text"].as_str().unwrap().starts_with("write fence raised")));
        assert_eq!((&result["event"], &result["kind"]), (&json!("result"), &json!("completed")));
        assert!(result["applied"].as_u64().unwrap() > 0 && result["seconds"].is_number(), "{result}");
        assert_eq!(result["pending"], 0);
        assert!(result["next"].as_str().unwrap().starts_with("kratos-operator migrate status"), "{result}");
        assert_eq!(database.digest().await, undisturbed().await);
        database.check_nothing_left().await;
    });
}

#[test]
fn an_older_program_refuses_a_newer_database() {
    block_on(async {
        let database = Database::served(NEW).await;
        for (words, code) in [("run", Some(1)), ("status", Some(1)), ("plan", Some(1)), ("repair", Some(1))] {
            let mut command = database.server.operator(&["migrate", words, "--json", "--kratos-bin"]);
            command.arg(database.server.kratos(MIDDLE)).env("DSN", &database.dsn);
            let run = Run::of(command);
            assert_eq!(run.code, code, "{run:?}");
            let json = run.json();
            match words {
                "status" => assert_eq!(json["newer"].as_array().unwrap().len(), 7, "{json}"),
                _ => assert_eq!(json["kind"], "newer", "{json}"),
            }
        }
    });
}

#[test]
fn of_two_runs_one_reports_the_other() {
    block_on(async {
        let database = Database::served(MIDDLE).await;
        let mut first = Background::start(database.slow(LATE, 4, "run --json --timeout 100"));
        database.until_slow().await;
        let status = database.run("status --json").json();
        let name = format!("kratos-operator pid {} of ", first.pid());
        assert!(status["lock-holder"]["application-name"].as_str().unwrap().starts_with(&name), "{status}");
        assert!(status["fence"].as_str().unwrap().starts_with(&format!("pid {}", first.pid())), "{status}");

        let second = database.run("run --json");
        assert_eq!(second.code, Some(1));
        let result = second.json();
        assert_eq!(result["kind"], "locked");
        assert!(result["error"].as_str().unwrap().contains(&name), "{result}");
        assert!(
            result["next"]
                .as_str()
                .unwrap()
                .starts_with("when it has ended, run: kratos-operator migrate run")
        );
        assert_eq!(database.migrating().await, 1);
        first.until("write fence lifted");
        let (code, result) = first.end();
        assert_eq!((code, &result["kind"]), (Some(0), &json!("completed")));
        assert_eq!(database.digest().await, undisturbed().await);
    });
}

//! Export, import, list and clean-up, by the real binary: equal identities, bounded memory, and kills in the middle.
//!
//! `KRATOS_OPERATOR_IDENTITIES` says how many identities are moved, 550 unless it is set.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sandbox::{KillAtCall, Moment, Sandbox};
use serde_json::{Value, json};

use super::support::*;

const FILE: &str = "/tmp/identities.jsonl";

/// Where a file of the workload lies on this machine.
fn place(sandbox: &Sandbox, path: &str) -> PathBuf {
    sandbox.container_root("kratos/0").unwrap().join(path.trim_start_matches('/'))
}

/// One line of a file for the import; some have neither an identifier nor an address.
fn person(number: usize) -> Value {
    let email = format!("person{number}@example.com");
    let mut line = json!({
        "schema_id": "social_user_v0",
        "traits": {"email": email, "name": "x".repeat(number % 700)},
        "state": if number.is_multiple_of(7) { "inactive" } else { "active" },
        "verifiable_addresses": [{"value": email, "via": "email", "verified": true, "status": "completed"}],
        "credentials": {"password": {"config": {"hashed_password": format!("$2a$12$hash-of-{number}")}}},
    });
    if number.is_multiple_of(3) {
        line["metadata_admin"] = json!({"number": number, "text": "ü😀"});
        line["metadata_public"] = json!([number, null]);
        line["external_id"] = format!("external-{number}").into();
        let accounts = json!([{"subject": format!("{number}"), "provider": "google"}]);
        line["credentials"]["oidc"] = json!({"config": {"providers": accounts}});
    }
    if number.is_multiple_of(11) {
        line = json!({"schema_id": "admin_v0", "traits": {"name": format!("nobody {number}")}, "state": "active"});
    }
    line
}

fn write(sandbox: &Sandbox, people: impl Iterator<Item = Value>) {
    let text: String = people.map(|person| format!("{person}\n")).collect();
    fs::create_dir_all(place(sandbox, "/tmp")).unwrap();
    fs::write(place(sandbox, FILE), text).unwrap();
}

/// What tells the people of a file apart.
fn name(person: &Value) -> String {
    let traits = &person["traits"];
    traits["email"].as_str().or(traits["name"].as_str()).unwrap().to_owned()
}

/// What an exported file holds: each identity once, by its name, without the ids and times that are given anew.
fn exported(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let path = place(sandbox, FILE);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut all = BTreeMap::new();
    for line in fs::read_to_string(path).unwrap().lines() {
        let mut identity: Value = serde_json::from_str(line).unwrap();
        identity.as_object_mut().unwrap().remove("id");
        for address in identity["verifiable_addresses"].as_array_mut().into_iter().flatten() {
            address.as_object_mut().unwrap().remove("verified_at");
        }
        if identity["verifiable_addresses"].is_null() {
            identity.as_object_mut().unwrap().remove("verifiable_addresses");
        }
        let twin = all.insert(name(&identity), identity);
        assert!(twin.is_none(), "twice in the file: {line}");
    }
    all
}

/// Runs an action and kills the charm at one of its hook commands; whether it was killed.
async fn killed_at(sandbox: &Sandbox, n: u64, action: &str) -> bool {
    sandbox.inject(KillAtCall { unit: Some("kratos/0".to_owned()), n, moment: Moment::Before });
    sandbox.juju(&format!("run kratos/0 {action} --wait 30m")).await;
    !sandbox.disarm()
}

/// The number of the `action-log` call, counted in the calls of this action, at which to kill.
async fn call_of_log(sandbox: &Sandbox, action: &str, log: usize) -> u64 {
    sandbox.clear_trace();
    juju(sandbox, &format!("run kratos/0 {action} --wait 30m")).await;
    let calls: Vec<_> = sandbox.trace().into_iter().filter(|call| call.unit == "kratos/0").collect();
    let logs = calls.iter().enumerate().filter(|(_, call)| call.command == "action-log");
    let (index, _) = logs.into_iter().nth(log).expect("the action shows its progress");
    u64::try_from(index + 1).unwrap()
}

#[test]
fn identities_move_to_an_empty_database_whole_though_the_charm_is_killed() {
    let count = identities(550);
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let memory = Memory::watch();

        // An import that is killed at its second progress line, then goes on.
        write(&sandbox, (0..count).map(person));
        let dry = juju(&sandbox, "run kratos/0 import-identities dry-run=true --wait 30m").await;
        assert!(dry.contains(&format!("imported: \"{count}\"")), "{dry}");
        assert_eq!(people_count(&sandbox).await, 0, "a dry run creates nothing");
        let n = call_of_log(&sandbox, "import-identities dry-run=true", 1).await;
        assert!(killed_at(&sandbox, n, "import-identities").await, "the import is not killed");
        let half = people_count(&sandbox).await;
        assert!(half >= 400 && half < i64::try_from(count).unwrap(), "{half} when it was killed");
        // The batch that was on its way: Kratos has it, the charm does not know.
        let kept = place(&sandbox, &format!("{FILE}.import"));
        let mut progress: Value = serde_json::from_str(&fs::read_to_string(&kept).unwrap()).unwrap();
        let lines = progress["lines"].as_u64().unwrap() - 100;
        progress["lines"] = lines.into();
        fs::write(&kept, progress.to_string()).unwrap();
        let text = juju(&sandbox, "run kratos/0 import-identities --wait 30m").await;
        assert!(text.contains(&format!("going on after {lines} lines")), "{text}");
        assert!(text.contains("already-there: \"100\""), "{text}");
        assert_eq!(people_count(&sandbox).await, i64::try_from(count).unwrap());
        assert!(!kept.exists());

        // An export that is killed, then goes on.
        let n = call_of_log(&sandbox, "export-identities", 1).await;
        let first = exported(&sandbox);
        assert_eq!(first.len(), count);
        fs::remove_file(place(&sandbox, FILE)).unwrap();
        assert!(killed_at(&sandbox, n, "export-identities").await, "the export is not killed");
        assert!(!place(&sandbox, FILE).exists(), "there is no half file");
        let text = juju(&sandbox, "run kratos/0 export-identities --wait 30m").await;
        assert!(text.contains("going on after 500 identities"), "{text}");
        assert!(text.contains(&format!("identities: \"{count}\"")), "{text}");
        assert_eq!(exported(&sandbox), first);
        for number in [0, 3, 21, 1] {
            let person = person(number);
            let found = &first[&name(&person)];
            for part in
                ["schema_id", "state", "metadata_admin", "metadata_public", "external_id", "credentials"]
            {
                assert_eq!(found[part], person[part], "{part} of {number}");
            }
        }

        // The file, imported into the emptied database, gives equal identities.
        session(&sandbox).await.batch_execute("TRUNCATE identities CASCADE").await.unwrap();
        let text = juju(&sandbox, "run kratos/0 import-identities --wait 30m").await;
        assert!(text.contains(&format!("imported: \"{count}\"")), "{text}");
        fs::remove_file(place(&sandbox, FILE)).unwrap();
        let text = juju(&sandbox, "run kratos/0 export-identities --wait 30m").await;
        assert!(text.contains(&format!("identities: \"{count}\"")), "{text}");
        assert_eq!(exported(&sandbox), first);

        memory.assert_small(count);
        let mut shown = juju(&sandbox, "debug-log --limit 100000").await;
        for call in sandbox.trace() {
            shown += &call.args.join(" ");
        }
        assert!(!shown.contains("hash-of-"), "a hash is shown");
    });
}

async fn people_count(sandbox: &Sandbox) -> i64 {
    session(sandbox).await.query_one("SELECT count(*) FROM identities", &[]).await.unwrap().get(0)
}

#[test]
fn lines_that_cannot_be_imported_are_named_and_the_others_taken() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let text = action_fails(&sandbox, "run kratos/0 import-identities").await;
        assert!(
            text.contains("There is no file")
                && text.contains("juju scp FILE kratos/0:/tmp/identities.jsonl && juju ssh kratos/0 env"),
            "{text}"
        );
        for path in ["relative.jsonl", "/etc/passwd", "/tmp/../x.jsonl"] {
            let text = action_fails(&sandbox, &format!("run kratos/0 export-identities path={path}")).await;
            assert!(text.contains("The path must be absolute"), "{text}");
        }
        // Lines are created some at a time, so the one that is there first must be.
        write(&sandbox, [person(1)].into_iter());
        juju(&sandbox, "run kratos/0 import-identities").await;
        let stranger = json!({"schema_id": "none", "traits": {}});
        let mut thief = person(1);
        thief["traits"]["name"] = "another".into();
        // What only PostgreSQL refuses, Kratos reports as its own fault.
        let mut unstorable = person(3);
        unstorable["traits"]["name"] = "a\0b".into();
        write(&sandbox, [person(1), stranger, json!({}), thief, unstorable, person(2)].into_iter());
        let text = action_fails(&sandbox, "run kratos/0 import-identities").await;
        for expected in [
            "4 of 6 lines were not taken",
            "imported: \"1\"",
            "already-there: \"1\"",
            "line 2: there is no identity schema \"none\"",
            "line 3: it has no schema_id",
            "line 4: This identity conflicts",
            "line 5: ",
            "SQLSTATE 22P05",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        assert_eq!(people(&sandbox, 0).await, ["person1@example.com", "person2@example.com"]);
    });
}

#[test]
fn a_run_that_ends_in_its_first_batch_leads_to_nobody_twice() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        let unstorable = json!({"schema_id": "admin_v0", "traits": {"name": "a\0b"}});
        write(&sandbox, (1..=50).map(person).chain([unstorable]));
        let session = session(&sandbox).await;
        let stop = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$; \
            CREATE TRIGGER t BEFORE INSERT ON identities FOR EACH ROW \
            WHEN (NEW.traits ->> 'email' = 'person40@example.com') EXECUTE FUNCTION no_room()";
        session.batch_execute(stop).await.unwrap();
        let text = action_fails(&sandbox, "run kratos/0 import-identities").await;
        assert!(text.contains("The import stopped at line 40") && text.contains("no room"), "{text}");
        assert!(people_count(&sandbox).await >= 39, "most of the batch was created");
        session.batch_execute("DROP FUNCTION no_room CASCADE").await.unwrap();
        let text = action_fails(&sandbox, "run kratos/0 import-identities").await;
        assert!(text.contains("1 of 51 lines were not taken") && text.contains("line 51: "), "{text}");
        assert_eq!(
            people_count(&sandbox).await,
            50,
            "also of those without any identifier there is one each"
        );
    });
}

#[test]
fn pages_are_listed_and_what_expired_is_removed() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        write(&sandbox, (1..=160).map(person));
        juju(&sandbox, "run kratos/0 import-identities").await;
        let mut seen = Vec::new();
        let mut line = "run kratos/0 list-identities page-size=3 state=inactive --format json".to_owned();
        loop {
            let output: Value = serde_json::from_str(&sandbox.juju(&line).await.stdout).unwrap();
            let results = &output["kratos/0"]["results"];
            let page: Vec<Value> = serde_json::from_str(results["json"].as_str().unwrap()).unwrap();
            assert!(page.len() <= 3 && page.iter().all(|identity| identity["state"] == "inactive"));
            seen.extend(page.iter().map(|identity| identity["id"].as_str().unwrap().to_owned()));
            let Some(next) = results["next"].as_str() else { break };
            line = format!("{} --format json", next.trim_start_matches("juju "));
        }
        let expected = (1..=160).filter(|number| number % 7 == 0 && number % 11 != 0).count();
        let before = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), before), (expected, expected), "each once");

        let session = session(&sandbox).await;
        let flows = "INSERT INTO selfservice_recovery_flows (id, nid, request_url, csrf_token, state, issued_at, expires_at, \
            created_at, updated_at) SELECT gen_random_uuid(), n.id, '', '', 'choose_method', m.at, m.at, m.at, m.at \
            FROM networks n, generate_series(1, 40) s, \
            (VALUES (now() AT TIME ZONE 'utc' - interval '9 days'), (now() AT TIME ZONE 'utc' - interval '1 day')) AS m (at)";
        session.execute(flows, &[]).await.unwrap();
        // Its last run is cut off by the end of the time, which is no failure.
        session.batch_execute("BEGIN; LOCK selfservice_recovery_flows IN EXCLUSIVE MODE").await.unwrap();
        let text = juju(&sandbox, "run kratos/0 cleanup-database timeout=1").await;
        assert!(text.contains("left: \"40\"") && text.contains("next: juju run kratos/0 cleanup"), "{text}");
        session.batch_execute("ROLLBACK").await.unwrap();
        let stop = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no room'; END $$; \
            CREATE TRIGGER t BEFORE DELETE ON selfservice_recovery_flows FOR EACH ROW EXECUTE FUNCTION no_room()";
        session.batch_execute(stop).await.unwrap();
        let text = action_fails(&sandbox, "run kratos/0 cleanup-database").await;
        assert!(text.contains("no room (SQLSTATE P0001)"), "{text}");
        session.batch_execute("DROP FUNCTION no_room CASCADE").await.unwrap();
        let text = juju(&sandbox, "run kratos/0 cleanup-database batch-size=15").await;
        assert!(
            text.contains("removed: \"40\"") && text.contains("left: \"0\"") && text.contains("runs: \"3\""),
            "{text}"
        );
        let left = "SELECT count(*) FROM selfservice_recovery_flows";
        assert_eq!(session.query_one(left, &[]).await.unwrap().get::<_, i64>(0), 40, "what is younger stays");
        let text = action_fails(&sandbox, "run kratos/0 cleanup-database keep-last=1d").await;
        assert!(text.contains("keep-last"), "{text}");
    });
}

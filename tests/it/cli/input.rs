//! Arguments and input that cannot be used.

use std::os::unix::ffi::OsStrExt;

use super::support::*;

fn refused(arguments: &[&str], variables: &[(&str, &std::ffi::OsStr)]) -> String {
    let server = shared();
    let mut command = server.operator(arguments);
    command.envs(variables.iter().copied());
    let run = Run::of(command);
    assert_eq!((run.code, run.out.as_str()), (Some(64), ""), "{run:?}");
    run.err
}

#[test]
fn usage_is_told_with_64() {
    assert!(refused(&[], &[]).contains("Usage: kratos-operator"));
    assert!(refused(&["migrate"], &[]).contains("Usage: kratos-operator migrate"));
    assert!(refused(&["migrate", "verify"], &[]).contains("verify"));
    assert!(refused(&["migrate", "status", "--force"], &[]).contains("--force"));
    for timeout in ["0", "nan", "604801", "soon"] {
        let text = refused(&["migrate", "run", "--timeout", timeout], &[]);
        assert!(text.contains(timeout) && text.contains("e.g. 900"), "{text}");
    }
    // Arguments go before a hook environment.
    let hook = [("JUJU_DISPATCH_PATH", "hooks/start".as_ref())];
    assert!(refused(&["migrate", "verify"], &hook).contains("verify"));
    assert!(refused(&[], &hook).contains("run by Juju"));
}

#[test]
fn help_has_an_example() {
    let server = shared();
    for verb in ["plan", "run", "status", "repair"] {
        let run = Run::of(server.operator(&["migrate", verb, "--help"]));
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run:?}");
        let example =
            format!("Example:\n  DSN=postgres://kratos:secret@db/kratos kratos-operator migrate {verb}");
        assert!(run.out.contains(&example), "{}", run.out);
    }
    assert_eq!(Run::of(server.operator(&["--version"])).code, Some(0));
}

#[test]
fn a_dsn_that_cannot_be_used_is_not_shown() {
    for verb in ["plan", "run", "status", "repair"] {
        let text = refused(&["migrate", verb, "--dsn-env", "COPY_DSN"], &[]);
        assert!(text.contains("COPY_DSN is not set") && text.contains("--dsn-env"), "{text}");
    }
    for dsn in
        ["postgres://u:hunter2@@h/d", "mysql://u:hunter2@h/d", "hunter2", "", "postgres://u:hunter2%@h/d"]
    {
        let text = refused(&["migrate", "run"], &[("DSN", dsn.as_ref())]);
        assert!(text.contains("variable DSN: ") && !text.contains("hunter2"), "{text}");
    }
    let bytes = std::ffi::OsStr::from_bytes(b"postgres://u:hunter2\xff@h/d");
    let text = refused(&["migrate", "run"], &[("DSN", bytes)]);
    assert!(text.contains("DSN is not UTF-8") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_program_that_is_none_is_named() {
    let dsn = [("DSN", "postgres://u:hunter2@127.0.0.1:9/d".as_ref())];
    for path in ["/nowhere/kratos", "/", "/bin/false", "/bin/true"] {
        let text = refused(&["migrate", "run", "--kratos-bin", path], &dsn);
        assert!(text.contains(path) && text.contains("--kratos-bin") && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn dsns_that_kratos_takes_are_taken() {
    block_on(async {
        let database = Database::fresh().await;
        let (name, place) = (&database.name, database.server.place());
        let password = format!("{PASSWORD}-{name}");
        let whole = format!("postgres://{name}:{password}@{place}/{name}?");
        let bare = format!("postgres://{name}@{place}/{name}?sslmode=disable");
        let (host, port) = place.split_once(':').unwrap();
        let parts =
            format!("host={host}&port={port}&user={name}&password={password}&dbname={name}&sslmode=disable");
        for dsn in [
            format!("{whole}sslmode=allow"),
            format!(
                "{whole}sslmode=prefer&max_conns=5&max_idle_conns=2&max_conn_lifetime=5s&max_conn_idle_time=5s"
            ),
            format!("{whole}sslmode=disable&options=-csearch_path%3Dpublic"),
            format!("{whole}sslmode=disable&options=-c%20search_path%3Dpublic&lock_timeout=5s"),
            format!("{whole}sslmode=disable&default_query_exec_mode=simple_protocol"),
            format!(
                "{whole}sslmode=disable&statement_cache_capacity=10&description_cache_capacity=10&sslsni=0"
            ),
            format!(
                "{whole}sslmode=disable&connect_timeout=5&target_session_attrs=read-write&application_name=x"
            ),
            format!("postgresql:///?{parts}"),
            bare.clone(),
        ] {
            let mut command = database.operator_as(&dsn, "status --json");
            if dsn == bare {
                command.env("PGPASSWORD", &password);
            }
            let run = Run::of(command);
            let status = run.json();
            assert_eq!(
                (run.code, &status["unused"]),
                (Some(1), &serde_json::Value::Bool(true)),
                "{dsn}: {run:?}"
            );
        }
        for (parameter, named) in [
            ("passfile=/x", "passfile"),
            ("service=x", "service"),
            ("sslkey=/x", "sslcert"),
            ("sslmode=verify", "sslmode=verify"),
            ("target_session_attrs=standby", "target_session_attrs=standby"),
        ] {
            let run = Run::of(database.operator_as(&format!("{whole}{parameter}"), "status"));
            assert!(run.code == Some(64) && run.err.contains(named), "{parameter}: {run:?}");
            assert!(!run.err.contains(PASSWORD), "{run:?}");
        }
    });
}

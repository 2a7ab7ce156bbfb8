//! `kratos-operator render` on typical deployments, against what was reviewed by eye (tests/render/*.golden).
//!
//! With `UPDATE_GOLDEN` in the environment the files are written anew, for a review by eye.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Every word that is a secret in one of the inputs.
const SECRETS: [&str; 7] = ["sesame", "0123456789abcdef", "00456", "a: b # c", "p@ss", "p%40ss", "Bearer"];

fn render(argument: &str, stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kratos-operator"))
        .args(["render", "--input", argument])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/render");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    paths.sort();
    paths
}

#[test]
fn typical_deployments_are_told_what_was_reviewed() {
    let cases = cases();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let output = render(case.to_str().unwrap(), "");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}: {}", case.display(), String::from_utf8_lossy(&output.stderr));
        for secret in SECRETS {
            assert!(!text.contains(secret), "{}: {secret} is shown", case.display());
        }
        let golden = case.with_extension("golden");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&golden, &text).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap();
        assert_eq!(text, expected, "{} differs; look at it with UPDATE_GOLDEN=1", golden.display());
    }
}

#[test]
fn standard_input_is_read_and_what_cannot_be_used_is_named() {
    let output = render("-", r#"{"version": "v26.2.0"}"#);
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("kratos.yaml:\n  identity:\n"));
    let refusals = [
        ("-", "smtq: 1", "kratos-operator: -: unknown field `smtq`"),
        ("-", "options: {log_level: loud}", "kratos-operator: -: Invalid option log_level=loud"),
        ("/nowhere.yaml", "", "kratos-operator: /nowhere.yaml: No such file"),
    ];
    for (argument, stdin, expected) in refusals {
        let output = render(argument, stdin);
        assert_eq!(output.status.code(), Some(64), "{argument} {stdin}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty() && text.starts_with(expected), "{text}");
    }
}

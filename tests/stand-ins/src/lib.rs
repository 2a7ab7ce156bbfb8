//! The hook commands as the stand-ins' programs run them, from the PATH.
//!
//! Values of secrets and databags never stand in a command line: databags go over standard input, secrets through a
//! file that only this user reads.

#![allow(
    clippy::disallowed_methods,
    reason = "a charm in a test is its hooks, which Juju tells by the environment"
)]

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A databag or a secret's content.
pub type Bag = BTreeMap<String, String>;

pub fn is_leader() -> Result<bool> {
    json(&["is-leader", "--format=json"])
}

pub fn config() -> Result<serde_json::Map<String, Value>> {
    json(&["config-get", "--format=json"])
}

pub fn relation_ids(endpoint: &str) -> Result<Vec<String>> {
    json(&["relation-ids", "--format=json", endpoint])
}

/// The application on the other end, when Juju still knows it.
pub fn remote_app(relation: &str) -> Result<Option<String>> {
    let app: Option<String> = json(&["relation-list", "--format=json", "-r", relation, "--app"])?;
    Ok(app.filter(|app| !app.is_empty()))
}

/// The units on the other end, by name.
pub fn remote_units(relation: &str) -> Result<Vec<String>> {
    let units: Option<Vec<String>> = json(&["relation-list", "--format=json", "-r", relation])?;
    Ok(units.unwrap_or_default())
}

/// The bag of an application.
pub fn app_bag(relation: &str, app: &str) -> Result<Bag> {
    let bag: Option<Bag> = json(&["relation-get", "--format=json", "-r", relation, "--app", "-", app])?;
    Ok(bag.unwrap_or_default())
}

/// The bag of a unit.
pub fn unit_bag(relation: &str, unit: &str) -> Result<Bag> {
    let bag: Option<Bag> = json(&["relation-get", "--format=json", "-r", relation, "-", unit])?;
    Ok(bag.unwrap_or_default())
}

/// Writes keys of our application's bag; an empty value deletes its key.
pub fn set_app_bag(relation: &str, bag: &Bag) -> Result<()> {
    // Over standard input, which takes any value; arguments could not carry a long one.
    run(&["relation-set", "-r", relation, "--app", "--file", "-"], Some(&serde_json::to_string(bag)?))
        .map(drop)
}

/// The same for this unit's bag.
pub fn set_unit_bag(relation: &str, bag: &Bag) -> Result<()> {
    run(&["relation-set", "-r", relation, "--file", "-"], Some(&serde_json::to_string(bag)?)).map(drop)
}

pub fn own_unit() -> Result<String> {
    env::var("JUJU_UNIT_NAME").context("JUJU_UNIT_NAME not set")
}

pub fn own_app() -> Result<String> {
    Ok(own_unit()?.split('/').next().unwrap_or_default().to_owned())
}

pub fn secret_content(uri: &str) -> Result<Bag> {
    json(&["secret-get", "--format=json", uri, "--peek"])
}

/// The URI of our secret with that label, if there is one.
pub fn secret_labelled(label: &str) -> Result<Option<String>> {
    // The command cannot tell "there is none" from other failures, so look through all of ours.
    let ids: Option<Vec<String>> = json(&["secret-ids", "--format=json"])?;
    for id in ids.unwrap_or_default() {
        let info: BTreeMap<String, Value> = json(&["secret-info-get", "--format=json", &id])?;
        if info.values().any(|info| info["label"] == label) {
            return Ok(Some(format!("secret:{id}")));
        }
    }
    Ok(None)
}

/// Adds a secret of the application; its URI.
pub fn add_secret(label: &str, content: &Bag) -> Result<String> {
    let file = secret_file(content)?;
    let path = file.path().to_string_lossy();
    let output = run(&["secret-add", "--owner", "application", "--label", label, "--file", &path], None)?;
    Ok(output.trim().to_owned())
}

/// Gives a secret new content.
pub fn set_secret(uri: &str, content: &Bag) -> Result<()> {
    let file = secret_file(content)?;
    run(&["secret-set", uri, "--file", &file.path().to_string_lossy()], None).map(drop)
}

pub fn remove_secret(uri: &str) -> Result<()> {
    run(&["secret-remove", uri], None).map(drop)
}

pub fn grant_secret(uri: &str, relation: &str) -> Result<()> {
    run(&["secret-grant", uri, "-r", relation], None).map(drop)
}

pub fn set_status(status: &str, message: &str) -> Result<()> {
    run(&["status-set", status, "--", message], None).map(drop)
}

pub fn set_version(version: &str) -> Result<()> {
    run(&["application-version-set", version], None).map(drop)
}

fn secret_file(content: &Bag) -> Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new().context("cannot make a file for a secret")?;
    serde_json::to_writer(&mut file, content).context("cannot write a secret's file")?;
    file.flush().context("cannot write a secret's file")?;
    Ok(file)
}

fn json<T: DeserializeOwned>(command: &[&str]) -> Result<T> {
    let output = run(command, None)?;
    serde_json::from_str(&output).with_context(|| format!("{} answered `{}`", command[0], output.trim()))
}

/// Runs a command; its standard output, or an error with what it complained of.
fn run(command: &[&str], input: Option<&str>) -> Result<String> {
    let name = command[0];
    let mut child = Command::new(name)
        .args(&command[1..])
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {name}"))?;
    if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
        // A command that fails before it reads tells why below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for {name}"))?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{name} answered no UTF-8"))
}

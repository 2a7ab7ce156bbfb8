//! The charm's life as a story: juju commands, each printed before it runs, and what a user sees.
//!
//! It is given a fresh sandbox and ends with an error at the first thing that is not as the story tells, so it is a test too.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

use crate::Sandbox;
use crate::juju::version_name;
use crate::programs::Programs;

const UNIT: &str = "kratos/0";
const PEOPLE: [&str; 3] = ["ada@example.com", "grace@example.com", "alan@example.com"];
/// The table that the report reads: one of the later migrations of an upgrade changes it.
const REPORTED: &str = "courier_messages";

/// Plays the story.
///
/// # Errors
/// Something did not happen as told.
pub async fn play(sandbox: &Sandbox, programs: &Programs) -> Result<()> {
    let story = Story { sandbox };
    let mut versions = programs.kratos.iter().rev().map(|kratos| kratos.version.as_str());
    let newest = versions.next().context("there is no Kratos at all")?;
    let older = versions.next();

    Story::tell("A model with PostgreSQL and Kratos.");
    story.juju("add-model identity").await?;
    story.juju("deploy postgresql-k8s --channel 14/stable --trust").await?;
    let first = version_name(older.unwrap_or(newest));
    story.juju(&format!("deploy kratos --channel {first}/stable --trust")).await?;
    story.juju("status").await?;
    story.expect_status("blocked", "Missing integration pg-database")?;

    Story::tell("Integrated, the fresh database is migrated by itself, and Kratos serves.");
    story.juju("integrate kratos:pg-database postgresql-k8s:database").await?;
    story.juju("status").await?;
    story.expect_status("active", "")?;

    Story::tell("People register.");
    for person in PEOPLE {
        story.register(person).await?;
    }
    let Some(older) = older else {
        Story::tell(
            "The upgrade needs a second version of Kratos: name it with KRATOS_BIN_OLD, for example.",
        );
        return Ok(());
    };
    story.upgrade(older, newest).await?;

    Story::tell("Nobody was lost.");
    ensure!(story.people().await? == PEOPLE.len(), "identities are missing after the upgrade");
    Story::tell("The end: processes and files of this sandbox are removed.");
    Ok(())
}

struct Story<'a> {
    sandbox: &'a Sandbox,
}

impl Story<'_> {
    async fn upgrade(&self, older: &str, newest: &str) -> Result<()> {
        Self::tell(&format!("A newer revision brings Kratos {newest} in place of {older}."));
        self.juju(&format!("refresh kratos --channel {}/stable", version_name(newest))).await?;
        self.juju("status kratos").await?;
        self.expect_status("waiting", "juju run kratos/leader run-migration")?;

        Self::tell(&format!(
            "Somebody's report has the table {REPORTED} open, and the timeout is too short to wait for its end."
        ));
        let report = self.open_report().await?;
        let task = self.run_migration(2, "stopped at the timeout of 2 s").await?;
        Self::tell("The task tells what was applied, and the command to go on with.");
        self.juju(&format!("show-task {task}")).await?;
        self.expect_status("blocked", "pending")?;

        Self::tell("The report ends, and the migration goes on where it stopped.");
        report.batch_execute("COMMIT").await?;
        drop(report);
        let task = self.run_migration(120, "result: completed").await?;
        self.juju(&format!("show-task {task}")).await?;
        self.juju("status kratos").await?;
        self.expect_status("active", "")
    }

    fn tell(text: &str) {
        println!("\n# {text}");
    }

    /// Runs a command, which has to succeed.
    async fn juju(&self, line: &str) -> Result<String> {
        println!("\n$ juju {line}");
        let words = crate::commands::words(line).map_err(anyhow::Error::msg)?;
        let output = self.sandbox.juju_live(&words).await;
        ensure!(output.code == 0, "juju {line} ended with {}", output.code);
        Ok(output.stdout + &output.stderr)
    }

    /// Runs the action, checks what it came to and returns the task's number. `juju run` itself ends with 0 also when the
    /// action has failed: the text tells.
    async fn run_migration(&self, timeout: u32, expected: &str) -> Result<String> {
        let output = self.juju(&format!("run kratos/leader run-migration timeout={timeout}")).await?;
        ensure!(output.contains(expected), "the action did not say {expected:?}");
        let number =
            output.split_once("Waiting for task ").and_then(|(_, rest)| rest.split(['.', ' ', '\n']).next());
        Ok(number.context("juju run did not name its task")?.to_owned())
    }

    fn expect_status(&self, kind: &str, message: &str) -> Result<()> {
        let status = self.sandbox.status(UNIT)?;
        let text = format!("{} {}", status.status, status.message);
        ensure!(
            text.starts_with(kind) && text.contains(message),
            "{UNIT} is {text:?}, not {kind} {message:?}"
        );
        Ok(())
    }

    fn admin(&self) -> Result<String> {
        Ok(format!("http://{}:4434/admin/identities", self.sandbox.address(UNIT)?))
    }

    async fn register(&self, email: &str) -> Result<()> {
        let body = json!({"schema_id": "social_user_v0", "traits": {"email": email}});
        println!("$ curl -X POST http://kratos:4434/admin/identities -d '{body}'");
        let response = client()?.post(self.admin()?).json(&body).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status == 201, "Kratos answered {status}: {text}");
        println!("{status}");
        Ok(())
    }

    async fn people(&self) -> Result<usize> {
        println!("$ curl http://kratos:4434/admin/identities");
        let identities: Value = client()?.get(self.admin()?).send().await?.error_for_status()?.json().await?;
        let Some(identities) = identities.as_array() else { bail!("Kratos answered {identities}") };
        for identity in identities {
            println!("{} {}", identity["id"].as_str().unwrap_or("?"), identity["traits"]["email"]);
        }
        Ok(identities.len())
    }

    /// A transaction that has read the table and is still open.
    async fn open_report(&self) -> Result<tokio_postgres::Client> {
        let database = self.database()?;
        let dsn = self.sandbox.postgres_dsn(&database).await.context("there is no PostgreSQL")?;
        let (client, connection) = tokio_postgres::connect(&dsn, NoTls).await?;
        tokio::spawn(connection);
        let name = "SET application_name = 'weekly-report'";
        client.batch_execute(&format!("{name}; BEGIN; SELECT count(*) FROM {REPORTED}")).await?;
        println!("\npostgres=# BEGIN; SELECT count(*) FROM {REPORTED};");
        Ok(client)
    }

    /// The database that the stand-in made.
    fn database(&self) -> Result<String> {
        let relation = self.sandbox.relation("kratos:pg-database", "postgresql-k8s:database")?;
        let bag = self.sandbox.databag(relation, "postgresql-k8s");
        bag.get("database").cloned().context("PostgreSQL has not named the database")
    }
}

fn client() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?)
}

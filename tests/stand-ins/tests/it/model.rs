//! As much of a Juju model as the stand-in's hooks touch, kept in memory and served on an agent socket.

use std::collections::BTreeMap;
use std::process::Output;
use std::sync::{Arc, Mutex};

use sandbox::agent::{Handler, Reply, Request, serve, tools_dir};
use sandbox::programs::program;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::process::Command;

pub type Bag = BTreeMap<String, String>;

#[derive(Debug, Default)]
pub struct Relation {
    pub remote: Bag,
    pub own: Bag,
}

#[derive(Debug, Default)]
pub struct Secret {
    pub label: String,
    pub revision: u32,
    pub content: Bag,
    pub granted: Vec<String>,
}

/// What the hook commands read and write. Writes count at once, for no hook of these tests takes one back.
#[derive(Debug, Default)]
pub struct World {
    pub leader: bool,
    pub config: Bag,
    pub relations: BTreeMap<String, Relation>,
    pub secrets: BTreeMap<String, Secret>,
    pub status: (String, String),
    pub version: String,
}

pub struct Model {
    pub world: Arc<Mutex<World>>,
    dir: TempDir,
    dsn: String,
}

struct Commands(Arc<Mutex<World>>);

impl Handler for Commands {
    async fn call(&self, request: Request) -> Reply {
        if request.command == "relation-set" && request.stdin.is_none() {
            return Reply::stdin_needed();
        }
        match answer(&mut self.0.lock().unwrap(), &request) {
            Ok(stdout) => Reply::Exit { code: 0, stdout: stdout.into_bytes(), stderr: Vec::new() },
            Err(text) => {
                Reply::Exit { code: 1, stdout: Vec::new(), stderr: format!("ERROR {text}\n").into() }
            }
        }
    }
}

fn answer(world: &mut World, request: &Request) -> Result<String, String> {
    let args: Vec<&str> = request.args.iter().map(String::as_str).collect();
    let json = |value: Value| Ok(format!("{value}\n"));
    match (request.command.as_str(), &args[..]) {
        ("is-leader", ["--format=json"]) => json(json!(world.leader)),
        ("config-get", ["--format=json"]) => {
            let typed = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            json(world.config.iter().map(|(key, text)| (key.clone(), typed(text))).collect())
        }
        ("relation-ids", ["--format=json", "database"]) => {
            json(json!(world.relations.keys().collect::<Vec<_>>()))
        }
        ("relation-list", ["--format=json", "-r", _, "--app"]) => json(json!("kratos")),
        ("relation-get", ["--format=json", "-r", id, "--app", "-", app]) => {
            let relation = world.relations.get(*id).ok_or("relation not found")?;
            json(json!(if *app == "kratos" { &relation.remote } else { &relation.own }))
        }
        ("relation-set", ["-r", id, "--app", "--file", "-"]) => {
            let input = request.stdin.as_deref().unwrap_or_default();
            let bag: Bag = serde_yaml::from_slice(input).map_err(|error| error.to_string())?;
            world.relations.get_mut(*id).ok_or("relation not found")?.own.extend(bag);
            Ok(String::new())
        }
        ("secret-add", ["--owner", "application", "--label", label, "--file", file]) => {
            let uri = format!("secret:{:020}", world.secrets.len());
            let secret =
                Secret { label: (*label).into(), revision: 1, content: content(file)?, granted: vec![] };
            world.secrets.insert(uri.clone(), secret);
            Ok(uri + "\n")
        }
        ("secret-set", [uri, "--file", file]) => {
            let secret = world.secrets.get_mut(*uri).ok_or("secret not found")?;
            secret.revision += 1;
            secret.content = content(file)?;
            Ok(String::new())
        }
        ("secret-get", ["--format=json", uri, "--peek"]) => {
            json(json!(world.secrets.get(*uri).ok_or("secret not found")?.content))
        }
        ("secret-grant", [uri, "-r", id]) => {
            world.secrets.get_mut(*uri).ok_or("secret not found")?.granted.push((*id).into());
            Ok(String::new())
        }
        ("status-set", [status, "--", message]) => {
            world.status = ((*status).into(), (*message).into());
            Ok(String::new())
        }
        ("application-version-set", [version]) => {
            world.version = (*version).into();
            Ok(String::new())
        }
        other => Err(format!("not played here: {other:?}")),
    }
}

fn content(file: &str) -> Result<Bag, String> {
    let text = std::fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    serde_yaml::from_slice(&text).map_err(|error| error.to_string())
}

impl Model {
    /// A model with one unit that leads, and a superuser's connection string for it.
    pub fn new(dsn: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        tools_dir(&dir.path().join("tools"), &program("hook-command").unwrap()).unwrap();
        let world = Arc::new(Mutex::new(World { leader: true, ..World::default() }));
        let listener = UnixListener::bind(dir.path().join("agent.socket")).unwrap();
        tokio::spawn(serve(listener, Arc::new(Commands(Arc::clone(&world)))));
        Self { world, dir, dsn: dsn.to_owned() }
    }

    /// A relation whose requirer has written this.
    pub fn relate(&self, id: &str, remote: &[(&str, &str)]) {
        let remote = remote.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.world.lock().unwrap().relations.insert(id.to_owned(), Relation { remote, own: Bag::new() });
    }

    /// Runs the charm for a hook, of the relation `id` when it is a relation's.
    pub async fn hook(&self, name: &str, id: &str) -> Output {
        let program = env!("CARGO_BIN_EXE_postgresql-k8s");
        Command::new(program)
            .current_dir("/")
            .env_clear()
            .env("PATH", self.dir.path().join("tools"))
            .env("JUJU_AGENT_SOCKET_ADDRESS", self.dir.path().join("agent.socket"))
            .envs([("JUJU_CONTEXT_ID", "postgresql-k8s/0-hook"), ("JUJU_UNIT_NAME", "postgresql-k8s/0")])
            .envs([("JUJU_HOOK_NAME", name), ("JUJU_RELATION_ID", id), ("SANDBOX_POSTGRESQL", &self.dsn)])
            .output()
            .await
            .unwrap()
    }

    /// The same for a hook that must succeed.
    pub async fn run(&self, name: &str, id: &str) {
        let output = self.hook(name, id).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn own(&self, id: &str) -> Bag {
        self.world.lock().unwrap().relations[id].own.clone()
    }

    pub fn content(&self, uri: &str) -> Bag {
        self.world.lock().unwrap().secrets[uri].content.clone()
    }

    pub fn status(&self) -> (String, String) {
        self.world.lock().unwrap().status.clone()
    }
}

//! The state that recordings rely on and do not show: files, services, waiting, and steps between two of them.
//!
//! It is given the name of the next recording and does what the recorder did before it; the layers here are worked out from
//! what the recordings answer.

use std::{
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::Path,
    sync::Mutex,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    compare::Compare,
    double::Double,
    layers::{CONTEXT, CRASHING, FAILING, LOGGING, ODDS, RESTARTED, SERVICES, STOPPING, TICKING},
    target::Target,
};

/// A double on which a group of recordings is replayed.
pub struct Stage {
    /// The double.
    pub double: Double,
    /// What is known about ids so far.
    pub compare: Mutex<Compare>,
    /// The server that HTTP checks ask.
    pub target: Target,
    /// Stands for a recorded `after` of notices.
    pub after: Option<String>,
    /// Something to be done while the next request waits.
    pub later: Option<(Duration, &'static str, Value)>,
}

const FOREVER: &str = "sleep 1001";

impl Stage {
    /// Adds a layer under a label, merging into one of that name.
    pub async fn layer(&self, label: &str, text: &str) {
        let text = self.compare.lock().expect("no panic").here(text);
        let body = json!({"action": "add", "combine": true, "label": label, "format": "yaml", "layer": text});
        self.double.post("/v1/layers", &body).await;
    }

    /// Performs an action on services and waits for its change.
    pub async fn act(&self, action: &str, services: &[&str]) {
        let change = self.begin(action, services).await;
        self.double.get(&format!("/v1/changes/{change}/wait?timeout=20s")).await;
    }

    /// Begins an action on services; gives its change.
    async fn begin(&self, action: &str, services: &[&str]) -> String {
        let answer = self.double.post("/v1/services", &json!({"action": action, "services": services})).await;
        answer["change"].as_str().expect("a change").to_owned()
    }

    /// Polls until an answer's result is as wanted.
    pub async fn until(&self, target: &str, wanted: impl Fn(&Value) -> bool) {
        let mut last = Value::Null;
        for _ in 0..3000 {
            last = self.double.get(target).await;
            if wanted(&last["result"]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{target} did not become as wanted: {last}");
    }

    async fn state(&self, service: &str, state: &str) {
        self.until(&format!("/v1/services?names={service}"), |result| result[0]["current"] == state).await;
    }

    async fn check(&self, name: &str, wanted: impl Fn(&Value) -> bool) {
        self.until(&format!("/v1/checks?names={name}"), |result| wanted(&result[0])).await;
    }

    /// Polls until the log of a service holds so many lines.
    async fn lines(&self, service: &str, count: usize) {
        for _ in 0..3000 {
            let target = format!("/v1/logs?n=-1&services={service}");
            let logs = self.double.send("GET", &target, &[], b"").await.body;
            if logs.iter().filter(|byte| **byte == b'\n').count() >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the log of {service} did not get {count} lines");
    }

    fn file(&self, name: &str, content: &str, mode: u32) {
        let path = self.double.root.join(name);
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    }

    /// Does what has to be done before a recording.
    pub async fn before(&mut self, name: &str) {
        let number = name.get(..name.len().min(40)).unwrap_or(name);
        let mut parts = number.split('-');
        let group = parts.next().unwrap_or_default();
        let index =
            parts.find(|part| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit())).unwrap_or("");
        match group {
            "03" | "04" => self.services(group, index).await,
            "05" if index == "001" => self.files(),
            "06" if index == "001" => self.forbidden(),
            "08" if index == "001" => {
                self.file("noexec", "#!/bin/sh\n", 0o644);
                self.layer("l", CONTEXT).await;
            }
            "09" if index == "016" || index == "018" => {
                let answer = self.double.post("/v1/exec", &json!({"command": ["/bin/true"]})).await;
                let task = answer["result"]["task-id"].as_str().expect("a task");
                let recorded = if index == "016" { "16" } else { "17" };
                self.compare.lock().expect("no panic").know("task", recorded, task);
            }
            "10" if index == "001" => std::fs::create_dir(self.double.root.join("disc")).expect("made"),
            "12" if index == "001" => {
                self.layer("l", RESTARTED).await;
                self.act("start", &["a", "stub"]).await;
                self.double.restart().await;
            }
            "13" => self.replan(index).await,
            "14" => self.backoff(index).await,
            "15" => self.checks(index).await,
            "16" => self.notices(index).await,
            "17" | "18" => self.logs(group, index).await,
            "20" => self.log_targets(index).await,
            "21" => self.more(index).await,
            "22" => self.misc(index).await,
            "23" if index == "003" => {
                std::fs::create_dir(self.double.root.join("mybin")).expect("made");
                self.file("mybin/mycmd", "#!/bin/sh\n", 0o755);
            }
            _ => {}
        }
    }

    async fn services(&self, group: &str, index: &str) {
        match (group, index) {
            ("03", "005") => self.layer("l", SERVICES).await,
            ("03", "069") => self.act("stop", &["quick"]).await,
            ("03", "072") => {
                self.act("stop", &["quick"]).await;
                self.act("start", &["stubborn"]).await;
            }
            ("03", "077") => self.state("late", "backoff").await,
            ("03", "080") => self.act("stop", &["late"]).await,
            ("04", "019") => {
                self.act("stop", &["good2"]).await;
                self.begin("start", &["good2"]).await;
                self.state("good2", "active").await;
            }
            ("04", "022") => {
                self.begin("start", &["good2"]).await;
                self.state("good2", "active").await;
            }
            _ => {}
        }
    }

    fn files(&self) {
        let root = self.double.root.join("files");
        std::fs::create_dir_all(root.join("sub")).expect("made");
        self.file("files/a.txt", "hello\nworld\n", 0o644);
        std::fs::write(root.join("bin"), (0..=255).collect::<Vec<u8>>()).expect("written");
        std::fs::set_permissions(root.join("bin"), std::fs::Permissions::from_mode(0o600)).expect("set");
        self.file("files/empty", "", 0o644);
        if nix::unistd::Uid::effective().is_root() {
            std::os::unix::fs::chown(root.join("empty"), Some(12345), Some(23456)).expect("owned");
        }
        std::os::unix::fs::symlink("nowhere", root.join("dangling")).expect("linked");
        std::os::unix::fs::symlink("a.txt", root.join("link")).expect("linked");
        nix::unistd::mkfifo(&root.join("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o644))
            .expect("made");
        drop(UnixListener::bind(root.join("sock")).expect("bound"));
        std::fs::set_permissions(root.join("sock"), std::fs::Permissions::from_mode(0o755)).expect("set");
        self.file("files/wéird \"q\" \\b.txt", "odd", 0o644);
    }

    fn forbidden(&self) {
        std::fs::create_dir_all(self.double.root.join("perm/locked")).expect("made");
        self.file("perm/secret", "x", 0o600);
        self.file("perm/locked/in", "x", 0o644);
        let locked = self.double.root.join("perm/locked");
        std::fs::set_permissions(locked, std::fs::Permissions::from_mode(0o700)).expect("set");
    }

    async fn replan(&self, index: &str) {
        let base = format!("services:\n  s: {{override: replace, command: {FOREVER}, startup: enabled}}\n");
        match index {
            "001" => self.layer("l", &base).await,
            "051" => {
                self.layer("l", &base).await;
                self.layer("o", "services: {other: {override: replace, command: sleep 1002}}").await;
                self.act("replan", &[]).await;
            }
            "076" => self.act("start", &["other"]).await,
            "080" | "088" => self.act("stop", &["other"]).await,
            "084" => self.act("stop", &["s"]).await,
            "092" => {
                let dependant = "{override: replace, command: sleep 1007, requires: [s], after: [s]}";
                self.layer("d", &format!("services: {{dependant: {dependant}}}")).await;
                self.act("start", &["dependant"]).await;
                self.layer("l", &base.replace('}', ", environment: {CHANGED: yes}}")).await;
            }
            "095" => self.layer("o", FAILING).await,
            _ => {}
        }
    }

    async fn backoff(&self, index: &str) {
        match index {
            "001" => self.layer("l", CRASHING).await,
            "007" => {
                self.state("crash2", "backoff").await;
                self.state("crash", "backoff").await;
            }
            _ => {}
        }
    }

    async fn checks(&self, index: &str) {
        let flag = self.double.root.join("checkfile");
        let touch = |path: &Path| std::fs::write(path, "").expect("written");
        match index {
            "003" => touch(&flag),
            "007" => {
                for check in ["h", "t", "e"] {
                    self.check(check, |check| check["successes"].as_u64() >= Some(3)).await;
                }
            }
            "016" => {
                self.target.answer("503");
                self.check("h", |check| check["failures"] == 1).await;
            }
            "018" => self.check("h", |check| check["status"] == "down").await,
            "025" => self.check("h", |check| check["failures"].as_u64() >= Some(4)).await,
            "026" => {
                self.target.answer("200");
                self.check("h", |check| check["status"] == "up").await;
            }
            "027" => {
                self.target.answer("slow");
                self.check("h", |check| check["status"] == "down").await;
            }
            "029" => {
                self.target.answer("redirect");
                self.check("h", |check| check["status"] == "up").await;
                std::fs::remove_file(&flag).expect("removed");
                self.check("e", |check| check["failures"].as_u64() >= Some(2)).await;
            }
            "032" => {
                touch(&flag);
                self.check("e", |check| check["status"] == "up").await;
            }
            "041" => self.layer("u1", "services: {u1: {override: replace, command: sleep 1}}").await,
            "048" | "049" => {
                if index == "049" {
                    self.layer("u2", "services: {u2: {override: replace, command: sleep 1}}").await;
                }
                let change = if index == "048" { "15" } else { "16" };
                let change = self.compare.lock().expect("no panic").id("change", change);
                let two =
                    |result: &Value| result["tasks"][0]["log"].as_array().is_some_and(|log| log.len() == 2);
                self.until(&format!("/v1/changes/{change}"), two).await;
            }
            "051" | "054" => self.target.answer("200"),
            "052" => self.target.answer("500"),
            "058" => self.layer("u3", "checks: {t: {override: merge, threshold: 4}}").await,
            "060" => {
                self.check("t", |check| check["successes"].as_u64() >= Some(1)).await;
                self.layer("u3", "checks: {t: {override: merge, threshold: 9, startup: disabled}}").await;
            }
            "061" => self.act("replan", &[]).await,
            "066" => {
                self.layer("u4", "services: {svc: {override: merge, on-check-failure: {e: restart}}}").await;
                self.act("start", &["svc"]).await;
                std::fs::remove_file(&flag).expect("removed");
                for state in ["backoff", "active"] {
                    self.state("svc", state).await;
                }
            }
            _ => {}
        }
    }

    async fn notices(&mut self, index: &str) {
        match index {
            "023" => {
                let notices = self.double.get("/v1/notices").await;
                let last =
                    notices["result"].as_array().and_then(|all| all.last().cloned()).unwrap_or_default();
                self.after = last["last-repeated"].as_str().map(str::to_owned);
            }
            "027" => {
                let notice = json!({"action": "add", "type": "custom", "key": "example.com/late"});
                self.later = Some((Duration::from_millis(200), "/v1/notices", notice));
            }
            _ => {}
        }
    }

    async fn logs(&self, group: &str, index: &str) {
        match (group, index) {
            ("17", "001") => {
                self.layer("l", LOGGING).await;
                self.act("start", &["a"]).await;
                self.lines("a", 8).await;
            }
            ("17", "011") => {
                self.act("start", &["b"]).await;
                self.lines("b", 1).await;
                self.act("stop", &["b"]).await;
            }
            ("18", "001") => self.act("start", &["trap"]).await,
            ("18", "008") => self.lines("trap", 2).await,
            _ => {}
        }
    }

    async fn log_targets(&self, index: &str) {
        match index {
            "001" => self.layer("l", TICKING).await,
            "013" => {
                let location = "http://127.0.0.1:35519/loki/api/v1/push";
                let target =
                    format!("{{override: replace, type: loki, location: '{location}', services: [all, -a]}}");
                self.layer("lt", &format!("log-targets: {{loki1: {target}}}")).await;
                for _ in 0..2 {
                    self.layer("lt2", "log-targets: {loki1: {override: merge, services: [b]}}").await;
                }
            }
            _ => {}
        }
    }

    async fn more(&self, index: &str) {
        match index {
            "001" => {
                self.file("noshebang", "echo x\n", 0o755);
                self.file("badinterp", "#!/no/such/interpreter\n", 0o755);
                self.layer("l", ODDS).await;
            }
            "011" => {
                self.act("start", &["cwd", "cwduser"]).await;
                self.lines("cwd,cwduser", 6).await;
            }
            "012" => self.act("start", &["long"]).await,
            "015" => {
                self.state("orphan", "backoff").await;
                self.state("orphan", "active").await;
            }
            "020" => {
                let change = self.begin("start", &["slowfail"]).await;
                self.compare.lock().expect("no panic").know("change", "37", &change);
            }
            _ => {}
        }
    }

    async fn misc(&self, index: &str) {
        match index {
            "001" => {
                self.layer("l", STOPPING).await;
                self.act("start", &["slowstop"]).await;
                self.begin("start", &["a"]).await;
                self.state("a", "active").await;
            }
            "002" => {
                self.begin("stop", &["slowstop"]).await;
                self.state("slowstop", "inactive").await;
            }
            "007" => {
                self.act("start", &["dependant"]).await;
            }
            _ => {}
        }
    }
}

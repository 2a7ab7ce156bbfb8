//! The objects of a plan (services, checks, log targets) and how a later layer changes an earlier one.
//!
//! It is given parsed objects; `merge` overlays a `override: merge` object, equality is what replan compares.

use std::collections::BTreeMap;

use super::super::{duration::GoDuration, users::Wanted};

/// Settings by name.
pub type Strings = BTreeMap<String, String>;

/// Who runs a command, and with what around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Variables; `None` and empty are told apart by replan.
    pub environment: Option<Strings>,
    /// `user-id`.
    pub user_id: Option<i64>,
    /// `user`.
    pub user: String,
    /// `group-id`.
    pub group_id: Option<i64>,
    /// `group`.
    pub group: String,
    /// `working-dir`.
    pub working_dir: String,
}

/// A service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// `summary`.
    pub summary: String,
    /// `description`.
    pub description: String,
    /// `startup`, as written.
    pub startup: String,
    /// `override`: `replace` or `merge`.
    pub override_: String,
    /// `command`.
    pub command: String,
    /// `after`.
    pub after: Vec<String>,
    /// `before`.
    pub before: Vec<String>,
    /// `requires`.
    pub requires: Vec<String>,
    /// Environment, user, group, directory.
    pub context: Context,
    /// `on-success`.
    pub on_success: String,
    /// `on-failure`.
    pub on_failure: String,
    /// `on-check-failure`: check to action.
    pub on_check_failure: Option<Strings>,
    /// `backoff-delay`, default 500 ms.
    pub backoff_delay: Option<GoDuration>,
    /// `backoff-factor`, default 2.
    pub backoff_factor: Option<f64>,
    /// `backoff-limit`, default 30 s.
    pub backoff_limit: Option<GoDuration>,
    /// `kill-delay`, default 5 s.
    pub kill_delay: Option<GoDuration>,
}

/// A check.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Check {
    /// `override`.
    pub override_: String,
    /// `level`: empty, `alive` or `ready`.
    pub level: String,
    /// `startup`: empty (enabled), `enabled` or `disabled`.
    pub startup: String,
    /// `period`, default 10 s.
    pub period: Option<GoDuration>,
    /// `timeout`, default 3 s, at most the period.
    pub timeout: Option<GoDuration>,
    /// `threshold`; 0 is unset, default 3.
    pub threshold: i64,
    /// `http`.
    pub http: Option<HttpCheck>,
    /// `tcp`.
    pub tcp: Option<TcpCheck>,
    /// `exec`.
    pub exec: Option<ExecCheck>,
}

/// A GET that must answer 2xx.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HttpCheck {
    /// `url`.
    pub url: String,
    /// `headers`.
    pub headers: Option<Strings>,
}

/// A connection that must be accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TcpCheck {
    /// `port`.
    pub port: i64,
    /// `host`, default localhost.
    pub host: String,
}

/// A command that must exit 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecCheck {
    /// `command`.
    pub command: String,
    /// `service-context`.
    pub service_context: String,
    /// Environment, user, group, directory.
    pub context: Context,
}

/// A place that logs are to be sent to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogTarget {
    /// `type`.
    pub type_: String,
    /// `location`.
    pub location: String,
    /// `services`.
    pub services: Vec<String>,
    /// `override`.
    pub override_: String,
    /// `labels`.
    pub labels: Option<Strings>,
}

/// The three sections of a layer or of the combined plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sections {
    /// `services`.
    pub services: BTreeMap<String, Service>,
    /// `checks`.
    pub checks: BTreeMap<String, Check>,
    /// `log-targets`.
    pub log_targets: BTreeMap<String, LogTarget>,
}

fn overlay_text(old: &mut String, new: &str) {
    if !new.is_empty() {
        new.clone_into(old);
    }
}

fn overlay<T: Clone>(old: &mut Option<T>, new: &Option<T>) {
    if new.is_some() {
        old.clone_from(new);
    }
}

fn overlay_map(old: &mut Option<Strings>, new: &Option<Strings>) {
    if let Some(new) = new
        && !new.is_empty()
    {
        old.get_or_insert_default().extend(new.clone());
    }
}

impl Context {
    /// The user and group that are asked for.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        Wanted {
            user_id: self.user_id,
            user: self.user.clone(),
            group_id: self.group_id,
            group: self.group.clone(),
        }
    }

    /// Overlays what is set in `new`.
    pub fn merge(&mut self, new: &Self) {
        overlay_map(&mut self.environment, &new.environment);
        overlay(&mut self.user_id, &new.user_id);
        overlay_text(&mut self.user, &new.user);
        overlay(&mut self.group_id, &new.group_id);
        overlay_text(&mut self.group, &new.group);
        overlay_text(&mut self.working_dir, &new.working_dir);
    }
}

/// What can be overridden by a later layer.
pub trait Layered: Clone {
    /// The `override` of the object.
    fn override_(&self) -> &str;
    /// Overlays what is set in `new`; lists are appended, maps merged by key.
    fn merge(&mut self, new: &Self);
}

impl Layered for Service {
    fn override_(&self) -> &str {
        &self.override_
    }

    fn merge(&mut self, new: &Self) {
        overlay_text(&mut self.summary, &new.summary);
        overlay_text(&mut self.description, &new.description);
        overlay_text(&mut self.startup, &new.startup);
        overlay_text(&mut self.command, &new.command);
        self.after.extend(new.after.clone());
        self.before.extend(new.before.clone());
        self.requires.extend(new.requires.clone());
        self.context.merge(&new.context);
        overlay_text(&mut self.on_success, &new.on_success);
        overlay_text(&mut self.on_failure, &new.on_failure);
        overlay_map(&mut self.on_check_failure, &new.on_check_failure);
        overlay(&mut self.backoff_delay, &new.backoff_delay);
        overlay(&mut self.backoff_factor, &new.backoff_factor);
        overlay(&mut self.backoff_limit, &new.backoff_limit);
        overlay(&mut self.kill_delay, &new.kill_delay);
    }
}

impl Layered for Check {
    fn override_(&self) -> &str {
        &self.override_
    }

    fn merge(&mut self, new: &Self) {
        overlay_text(&mut self.level, &new.level);
        overlay_text(&mut self.startup, &new.startup);
        overlay(&mut self.period, &new.period);
        overlay(&mut self.timeout, &new.timeout);
        if new.threshold != 0 {
            self.threshold = new.threshold;
        }
        if let Some(new) = &new.http {
            let http = self.http.get_or_insert_default();
            overlay_text(&mut http.url, &new.url);
            overlay_map(&mut http.headers, &new.headers);
        }
        if let Some(new) = &new.tcp {
            let tcp = self.tcp.get_or_insert_default();
            if new.port != 0 {
                tcp.port = new.port;
            }
            overlay_text(&mut tcp.host, &new.host);
        }
        if let Some(new) = &new.exec {
            let exec = self.exec.get_or_insert_default();
            overlay_text(&mut exec.command, &new.command);
            overlay_text(&mut exec.service_context, &new.service_context);
            exec.context.merge(&new.context);
        }
    }
}

impl Layered for LogTarget {
    fn override_(&self) -> &str {
        &self.override_
    }

    fn merge(&mut self, new: &Self) {
        overlay_text(&mut self.type_, &new.type_);
        overlay_text(&mut self.location, &new.location);
        self.services.extend(new.services.clone());
        overlay_map(&mut self.labels, &new.labels);
    }
}

impl Service {
    /// Whether it starts with autostart and replan.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.startup == "enabled"
    }

    /// How long a stop waits before SIGKILL.
    #[must_use]
    pub fn kill_delay(&self) -> GoDuration {
        self.kill_delay.unwrap_or(GoDuration::milliseconds(5_000))
    }
}

impl Check {
    /// Whether it runs as soon as it is in the plan.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.startup != "disabled"
    }

    /// Time between two runs.
    #[must_use]
    pub fn period(&self) -> GoDuration {
        self.period.unwrap_or(GoDuration::milliseconds(10_000))
    }

    /// The longest a run may take.
    #[must_use]
    pub fn timeout(&self) -> GoDuration {
        self.timeout.unwrap_or(GoDuration::milliseconds(3_000)).min(self.period())
    }

    /// Failures in a row that turn it down.
    #[must_use]
    pub fn threshold(&self) -> i64 {
        if self.threshold == 0 { 3 } else { self.threshold }
    }

    /// `HTTP`, `TCP` or `exec`, as summaries name it.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        if self.http.is_some() {
            "HTTP"
        } else if self.tcp.is_some() {
            "TCP"
        } else {
            "exec"
        }
    }
}

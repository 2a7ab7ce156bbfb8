//! Changes what runs: without a restart where Kratos takes a change over, with one where it does not, and back to what ran
//! before if Kratos refuses.
//!
//! Order of a restart: way back, stamp away, files, layer, services, stamp, way back away. Order without one: way back,
//! file, verification, stamp, way back away. A dispatch killed at any point leaves a difference that the next one sees,
//! and a way back that it can use.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::outcome::ServiceFailure;
use super::reload::{self, Reload};
use super::services::{Supervisor, failure, is_down};
use crate::charm::desired::{LastGood, Running};
use crate::kratos::admin::Admin;
use crate::kratos::names::{CONFIG_PATH, KRATOS, LAST_GOOD_PATH, LAYER, READY, SERVICE_CHANGE, STAMP_PATH};
use crate::pebble::{self, PushFile, ServiceStatus};

/// How long a started Kratos may take until it serves.
const UNTIL_READY: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Between two tries to start what still ends.
const BETWEEN_STARTS: Duration = Duration::from_secs(1);
/// As Pebble's check.
const ONE_LOOK: Duration = Duration::from_secs(3);
/// Of files with secrets; all of them are read by Kratos' own user, which is Pebble's.
const PRIVATE: u32 = 0o600;

type Result<T> = std::result::Result<T, pebble::Error>;

/// How a start went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Ready,
    /// It runs and is not ready: its database is away, for instance.
    Unready,
    /// It ended.
    Ended,
}

impl Supervisor<'_> {
    /// Makes the workload run this.
    pub(super) async fn change(&self, running: &Running) -> Result<Option<ServiceFailure>> {
        let good = LastGood::of(self.container, running);
        let forced = self.stamp().map(|stamp| stamp.forces(&running.stamp));
        let is_up = !is_down(self.container.service(KRATOS));
        match forced {
            Some(forced) if forced.is_empty() && is_up => self.reload(running, good).await,
            Some(forced) if !forced.is_empty() => {
                tracing::info!("restarting {KRATOS}, because this changed: {}", forced.join(", "));
                self.restart(running, good).await
            }
            _ => {
                tracing::info!("starting {KRATOS}");
                self.restart(running, good).await
            }
        }
    }

    /// Lets the running Kratos take over its file.
    async fn reload(&self, running: &Running, good: Option<LastGood>) -> Result<Option<ServiceFailure>> {
        if !self.has_all_of(&running.layer) {
            self.pebble.add_layer(LAYER, &running.layer, true).await?;
        }
        let is_loaded = self.stamp().is_some_and(|stamp| stamp.has_loaded(&running.stamp))
            && self.is_file_right(running, CONFIG_PATH);
        if !is_loaded {
            self.keep_way_back(good.as_ref()).await?;
            let since = reload::newest_line(self.pebble).await?;
            self.put_files(running, |path| path != CONFIG_PATH).await?;
            // Written once, as Kratos reads it each time, and even if it is there already: a dispatch may have been killed.
            self.put(running, CONFIG_PATH).await?;
            let place = &self.observed.place;
            match reload::result(self.pebble, place, running.revision.as_deref(), &since).await? {
                Reload::Taken => {
                    tracing::info!("{KRATOS} took the new configuration over without a restart");
                }
                Reload::Silent => {
                    tracing::info!(
                        "restarting {KRATOS}, because it does not tell that it took the new configuration over"
                    );
                    return self.restart(running, good).await;
                }
                Reload::Refused => {
                    tracing::error!("{KRATOS} refused the new configuration");
                    return self.put_back(running, good).await;
                }
            }
        } else {
            self.put_files(running, |_| true).await?;
        }
        let courier_failure = self.run_courier(running.is_courier, true).await?;
        self.seal(running).await?;
        let is_ready = self.becomes_ready().await? == Start::Ready;
        Ok(if is_ready { courier_failure } else { Some(ServiceFailure::Kratos) })
    }

    /// The old file for a process that goes on with it. Without one a restart is the only way to a known state.
    async fn put_back(&self, running: &Running, good: Option<LastGood>) -> Result<Option<ServiceFailure>> {
        let Some(good) = good else { return self.restart(running, None).await };
        let back = good.instead_of(running);
        for path in back.files.keys() {
            self.put(&back, path).await?;
        }
        self.run_courier(back.is_courier, true).await?;
        self.seal(&back).await?;
        Ok(Some(ServiceFailure::Refused))
    }

    async fn restart(&self, running: &Running, good: Option<LastGood>) -> Result<Option<ServiceFailure>> {
        self.keep_way_back(good.as_ref()).await?;
        // From here until the new stamp, nothing may be taken for running as it should.
        self.pebble.remove(&self.observed.place.path(STAMP_PATH), true).await?;
        self.put_files(running, |_| true).await?;
        if !self.has_all_of(&running.layer) {
            self.pebble.add_layer(LAYER, &running.layer, true).await?;
        }
        let start = self.start().await?;
        if start == Start::Ended {
            return match good
                .map(|good| good.instead_of(running))
                .filter(|back| !back.stamp.is_same(&running.stamp))
            {
                Some(back) => self.roll_back(&back).await,
                None => Ok(Some(ServiceFailure::Kratos)),
            };
        }
        let courier_failure = self.run_courier(running.is_courier, false).await?;
        self.seal(running).await?;
        Ok(if start == Start::Ready { courier_failure } else { Some(ServiceFailure::Kratos) })
    }

    /// Starts what ran before. Its stamp says what was refused, so that the next dispatch does not try that again.
    async fn roll_back(&self, back: &Running) -> Result<Option<ServiceFailure>> {
        tracing::error!(
            "{KRATOS} does not start with the new configuration; going back to the last good one"
        );
        for path in back.files.keys() {
            self.put(back, path).await?;
        }
        self.pebble.add_layer(LAYER, &back.layer, true).await?;
        if self.start().await? == Start::Ended {
            // Then it is not the configuration. Nothing is refused for it, and the way back stays.
            return Ok(Some(ServiceFailure::Kratos));
        }
        self.run_courier(back.is_courier, false).await?;
        self.seal(back).await?;
        Ok(Some(ServiceFailure::Refused))
    }

    /// Restarts Kratos and watches it until it serves.
    async fn start(&self) -> Result<Start> {
        let deadline = Instant::now() + SERVICE_CHANGE;
        loop {
            let change = self.pebble.restart(&[KRATOS]).await?;
            match self.wait(change).await {
                Ok(()) => return self.becomes_ready().await,
                // A dispatch was killed while Kratos finished its requests: Pebble starts nothing until it is gone.
                Err(pebble::Error::Change { err, .. })
                    if err.contains("while terminating") && Instant::now() < deadline =>
                {
                    sleep(BETWEEN_STARTS).await;
                }
                Err(error @ pebble::Error::Change { .. }) => {
                    failure(&error);
                    return Ok(Start::Ended);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks Kratos until it is ready, then has Pebble notice. Not by running Pebble's check again and again: each failure
    /// counts, and one that is down takes the pod out of its Service.
    async fn becomes_ready(&self) -> Result<Start> {
        let admin = Admin::new(&self.observed.place);
        let deadline = Instant::now() + UNTIL_READY;
        loop {
            if timeout(ONE_LOOK, admin.is_ready()).await.unwrap_or(false) {
                // Kratos has said it; this only lets Pebble notice sooner, where it can.
                return match self.pebble.refresh_check(READY).await {
                    Err(error) if error.is_connection() => Err(error),
                    _ => Ok(Start::Ready),
                };
            }
            // A slow machine lets a process that will end live longer than the second that Pebble watches it.
            let services = self.pebble.services(&[KRATOS]).await?;
            if services
                .iter()
                .any(|info| matches!(info.current, ServiceStatus::Backoff | ServiceStatus::Error))
            {
                return Ok(Start::Ended);
            }
            if Instant::now() >= deadline {
                return Ok(Start::Unready);
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    async fn keep_way_back(&self, good: Option<&LastGood>) -> Result<()> {
        match good {
            Some(good) if self.file(LAST_GOOD_PATH).is_none() => {
                self.push(LAST_GOOD_PATH, &good.to_text(), Some(PRIVATE)).await
            }
            _ => Ok(()),
        }
    }

    /// Notes that this runs, and that no way back is needed.
    async fn seal(&self, running: &Running) -> Result<()> {
        self.push(STAMP_PATH, &running.stamp.to_text(), Some(PRIVATE)).await?;
        self.pebble.remove(&self.observed.place.path(LAST_GOOD_PATH), true).await
    }

    async fn put_files(&self, running: &Running, is_meant: impl Fn(&str) -> bool) -> Result<()> {
        for path in running.files.keys().filter(|path| is_meant(path)) {
            if !self.is_file_right(running, path) {
                self.put(running, path).await?;
            }
        }
        Ok(())
    }

    async fn put(&self, running: &Running, path: &str) -> Result<()> {
        match running.files.get(path).and_then(Option::as_ref) {
            Some(content) => self.push(path, content, (path == CONFIG_PATH).then_some(PRIVATE)).await,
            None => self.pebble.remove(&self.observed.place.path(path), true).await,
        }
    }

    async fn push(&self, path: &str, content: &str, permissions: Option<u32>) -> Result<()> {
        let path = self.observed.place.path(path);
        let file = PushFile { make_dirs: true, permissions, ..PushFile::new(path, content.to_owned()) };
        self.pebble.push(file).await
    }
}

//! The websocket handshakes of an exec: `GET /v1/tasks/<id>/websocket/<channel>`.
//!
//! It is given the request and either switches protocols and hands the connection to the exec, or says why not: which
//! answer comes when is what clients have to cope with.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    http::request::Parts,
    response::Response,
};

use super::{Handle, Slot};
use crate::{
    daemon::Daemon,
    lock,
    record::Status,
    respond::{Answer, Failure, error_value, go_json, internal, raw},
};

/// Answers a handshake.
///
/// # Errors
/// 404 for an unknown task or channel, 500 for a channel that is connected already or a task that failed.
pub async fn connect(daemon: &Arc<Daemon>, task: &str, channel: &str, mut parts: Parts) -> Answer {
    let number: Option<u64> = task.parse().ok();
    let Some((status, error)) = number.and_then(|number| daemon.changes.of_task(number)) else {
        return Err(Failure::new(404, format!("cannot find task {task:?}")));
    };
    match (status, error) {
        // Pebble forgets to answer here, and Go's server makes an empty 200 of it.
        (Status::Done, _) => return Ok(Response::new(Body::empty())),
        (Status::Error, error) => return Err(internal(error.unwrap_or_default())),
        _ => {}
    }
    let missing = || Failure::new(404, format!("cannot find {channel} websocket for task {task:?}"));
    let handle = number.and_then(|number| daemon.execs.handle(number)).ok_or_else(missing)?;
    let channel =
        ["control", "stdio", "stderr"].into_iter().find(|known| *known == channel).ok_or_else(missing)?;
    match lock(&handle.slots).get(channel) {
        None | Some(Slot::Unused) => return Err(missing()),
        Some(Slot::Taken(_)) => return Err(internal(format!("{channel} websocket already connected"))),
        Some(Slot::Free) => {}
    }
    let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
        return Ok(not_a_websocket());
    };
    if !handle.take(channel) {
        return Err(internal(format!("{channel} websocket already connected")));
    }
    Ok(upgrade.on_upgrade(move |socket| async move { handle.give(channel, socket) }))
}

/// What a request without the headers of an upgrade gets: the handshake's plain text, and behind it the handler's JSON.
fn not_a_websocket() -> Response {
    let error = internal(
        "websocket: the client is not using the websocket protocol: 'upgrade' token not found in 'Connection' header",
    );
    let body = format!("Bad Request\n{}", go_json(&error_value(&error)));
    let mut response = raw(400, "text/plain; charset=utf-8", body);
    let headers = response.headers_mut();
    headers.insert("sec-websocket-version", axum::http::HeaderValue::from_static("13"));
    headers.insert("x-content-type-options", axum::http::HeaderValue::from_static("nosniff"));
    response
}

impl Handle {
    /// Reserves a free channel for a handshake.
    fn take(&self, channel: &'static str) -> bool {
        let mut slots = lock(&self.slots);
        let free = matches!(slots.get(channel), Some(Slot::Free));
        if free {
            slots.insert(channel, Slot::Taken(None));
        }
        free
    }

    /// Hands over a connection whose handshake is done.
    fn give(&self, channel: &'static str, socket: axum::extract::ws::WebSocket) {
        lock(&self.slots).insert(channel, Slot::Taken(Some(Box::new(socket))));
        self.connected.send_modify(|count| *count += 1);
    }

    /// Waits until a channel is connected, and leaves the connection where it is.
    pub(super) async fn connected(&self, channel: &'static str) {
        let mut connected = self.connected.subscribe();
        let there = || matches!(lock(&self.slots).get(channel), Some(Slot::Taken(Some(_))));
        let _ = connected.wait_for(|_| there()).await;
    }

    /// Waits for a connection and takes it.
    pub(super) async fn socket(&self, channel: &'static str) -> axum::extract::ws::WebSocket {
        let mut connected = self.connected.subscribe();
        loop {
            connected.borrow_and_update();
            if let Some(Slot::Taken(socket)) = lock(&self.slots).get_mut(channel)
                && let Some(socket) = socket.take()
            {
                return *socket;
            }
            if connected.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

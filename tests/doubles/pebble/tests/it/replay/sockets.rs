//! Plays an exec session: the recorded handshakes, frames and disconnects at their times, and what came back.
//!
//! It is given a timeline and a double; it does what the client did and compares, per websocket, the bytes that came, the
//! "end", the way that it ended, and at last the change.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::Engine as _;
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::Value;
use tokio::{net::UnixStream, time::Instant};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{compare::Compare, double::Double};

/// What a websocket has received.
#[derive(Debug, Default, PartialEq, Eq)]
struct Received {
    bytes: Vec<u8>,
    ended: bool,
    pongs: usize,
    close: Option<u16>,
    lost: bool,
}

struct Channel {
    sink: Option<SplitSink<WebSocketStream<UnixStream>, Message>>,
    received: Arc<Mutex<Received>>,
    reader: tokio::task::JoinHandle<()>,
    dropped: bool,
}

const END: &str = "{\"command\":\"end\"}";

async fn handshake(
    double: &Double,
    task: &str,
    name: &str,
) -> Result<WebSocketStream<UnixStream>, Box<Error>> {
    let stream = UnixStream::connect(double.socket()).await.expect("a connection");
    let url = format!("ws://localhost/v1/tasks/{task}/websocket/{name}");
    client_async(url, stream).await.map(|(socket, _)| socket).map_err(Box::new)
}

fn open(socket: WebSocketStream<UnixStream>) -> Channel {
    let (sink, mut stream) = socket.split();
    let received = Arc::new(Mutex::new(Received::default()));
    let to = Arc::clone(&received);
    let reader = tokio::spawn(async move {
        loop {
            let message = stream.next().await;
            let mut to = to.lock().expect("no panic");
            match message {
                Some(Ok(Message::Binary(bytes))) => {
                    assert!(!to.ended, "bytes after the end");
                    to.bytes.extend_from_slice(&bytes);
                }
                Some(Ok(Message::Text(text))) => {
                    assert_eq!(text.as_str(), END);
                    to.ended = true;
                }
                Some(Ok(Message::Pong(_))) => to.pongs += 1,
                Some(Ok(Message::Close(frame))) => {
                    to.close = Some(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => {
                    to.lost = true;
                    return;
                }
            }
        }
    });
    Channel { sink: Some(sink), received, reader, dropped: false }
}

/// The bytes of a recorded frame; long ones were cut in the recording and are filled up with their own beginning.
fn bytes_of(data: &Value) -> (Vec<u8>, usize) {
    let bytes = match (data["text"].as_str(), data["base64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (_, Some(text)) => base64::engine::general_purpose::STANDARD.decode(text).expect("base64"),
        _ => Vec::new(),
    };
    let length = data["len"].as_u64().and_then(|len| usize::try_from(len).ok()).unwrap_or(bytes.len());
    if bytes.len() < length {
        (bytes.iter().copied().cycle().take(length).collect(), length)
    } else {
        (bytes, length)
    }
}

/// What the recording says that a websocket received.
fn recorded(timeline: &[Value], name: &str) -> Received {
    let mut all = Received::default();
    for event in timeline.iter().filter(|event| event["ch"] == name && event["dir"] == "recv") {
        match event["op"].as_str().unwrap_or_default() {
            "binary" => all.bytes.extend(bytes_of(&event["data"]).0),
            "text" => all.ended = true,
            "pong" => all.pongs += 1,
            "close" => all.close = event["data"]["code"].as_u64().and_then(|code| u16::try_from(code).ok()),
            "connection-ended" => all.lost = true,
            _ => {}
        }
    }
    all
}

/// Plays a session whose POST has been answered; `task` is the task here.
pub async fn play(
    double: &Double,
    compare: &Mutex<Compare>,
    timeline: &[Value],
    task: &str,
    change: &str,
) -> Result<(), String> {
    let mut begun = Instant::now();
    let mut channels: HashMap<String, Channel> = HashMap::new();
    let mut last = 0.0;
    for (index, event) in timeline.iter().enumerate() {
        let name = event["ch"].as_str().unwrap_or_default();
        let op = event["op"].as_str().unwrap_or_default();
        let at = event["t_ms"].as_f64().unwrap_or_default();
        let acts = event["dir"] == "send" || op.starts_with("handshake-failed");
        let asks = name == "proc" || name == "http" && !op.contains("/wait");
        // Only gaps that the client made are kept: what follows an answer at once may follow at once here.
        if acts && at - last > 90.0 || asks {
            tokio::time::sleep_until(begun + Duration::from_secs_f64(at / 1000.0)).await;
        }
        last = at;
        if op.starts_with("handshake-ok") {
            let socket = handshake(double, task, name).await.map_err(|error| format!("{name}: {error}"))?;
            channels.insert(name.to_owned(), open(socket));
            // The process starts with the last of them: from there its times are counted.
            begun = Instant::now().checked_sub(Duration::from_secs_f64(at / 1000.0)).unwrap_or(begun);
        } else if op == "handshake-failed" {
            refused(double, compare, event, task, name).await?;
        } else if name == "http" {
            ask(double, compare, event, change).await?;
        } else if event["dir"] == "send" {
            act(
                channels.get_mut(name).ok_or_else(|| format!("{name} is not connected"))?,
                op,
                &event["data"],
                is_followed_at_once(event, timeline.get(index + 1)),
            )
            .await;
        }
    }
    for (name, channel) in &mut channels {
        let wanted = recorded(timeline, name);
        received(name, channel, &wanted).await?;
    }
    for channel in channels.values() {
        channel.reader.abort();
    }
    Ok(())
}

async fn refused(
    double: &Double,
    compare: &Mutex<Compare>,
    event: &Value,
    task: &str,
    name: &str,
) -> Result<(), String> {
    let status = event["data"]["status"].as_u64();
    match handshake(double, task, name).await {
        Ok(_) => Err(format!("{name}: the handshake succeeded, recorded was {status:?}")),
        Err(error) => match *error {
            Error::Http(response) => {
                if Some(u64::from(response.status().as_u16())) != status {
                    return Err(format!(
                        "{name}: handshake answered {}, recorded {status:?}",
                        response.status()
                    ));
                }
                let body =
                    String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned();
                let (a, b) = (event["data"]["body"].clone(), Value::String(body));
                let parsed = |value: &Value| value.as_str().and_then(|text| serde_json::from_str(text).ok());
                let (a, b) = (parsed(&a).unwrap_or(a), parsed(&b).unwrap_or(b));
                compare.lock().expect("no panic").json(&format!("handshake of {name}"), &a, &b)
            }
            other => Err(format!("{name}: {other}, recorded {status:?}")),
        },
    }
}

async fn ask(double: &Double, compare: &Mutex<Compare>, event: &Value, change: &str) -> Result<(), String> {
    let op = event["op"].as_str().unwrap_or_default();
    let actual = if op.starts_with("POST") {
        double.post(&format!("/v1/changes/{change}"), &serde_json::json!({"action": "abort"})).await
    } else if op.contains("/wait") {
        double.get(&format!("/v1/changes/{change}/wait?timeout=40s")).await
    } else {
        double.get(&format!("/v1/changes/{change}")).await
    };
    compare.lock().expect("no panic").json(op, &event["data"], &actual)
}

/// Whether the client sent the next frame of the same websocket at the same time.
fn is_followed_at_once(event: &Value, next: Option<&Value>) -> bool {
    next.is_some_and(|next| ["ch", "dir", "t_ms"].iter().all(|key| next[key] == event[key]))
}

/// Does what the client did. A frame that `waits` goes out with the next one: nothing may come between them here either.
async fn act(channel: &mut Channel, op: &str, data: &Value, waits: bool) {
    if op.starts_with("DROP") {
        channel.dropped = true;
        channel.reader.abort();
        channel.sink = None;
        // The reader's half is gone when its task is.
        let _ = (&mut channel.reader).await;
        return;
    }
    let message = if op == "binary" {
        Message::Binary(bytes_of(data).0.into())
    } else if op == "text" {
        Message::Text(data["text"].as_str().unwrap_or_default().into())
    } else if op == "ping" {
        Message::Ping("hi".into())
    } else {
        let code = op.rsplit(' ').next().and_then(|code| code.parse::<u16>().ok()).unwrap_or(1000);
        Message::Close(Some(CloseFrame { code: CloseCode::from(code), reason: "".into() }))
    };
    if let Some(sink) = &mut channel.sink {
        // Sending into an ended connection is what the recorded client did too, now and then.
        let send = async { if waits { sink.feed(message).await } else { sink.send(message).await } };
        let _ = tokio::time::timeout(Duration::from_secs(5), send).await;
    }
}

/// Waits until a websocket has received what it should, and a little longer for what it should not.
async fn received(name: &str, channel: &mut Channel, wanted: &Received) -> Result<(), String> {
    if channel.dropped {
        return Ok(());
    }
    let complete = |got: &Received| {
        // After a close handshake it is the client's library that reports the end or not.
        let lost = got.lost == wanted.lost || wanted.close.is_some() || got.close.is_some();
        got.bytes == wanted.bytes
            && got.ended == wanted.ended
            && got.pongs == wanted.pongs
            && lost
            && got.close == wanted.close
    };
    let brief = |all: &Received| {
        let shown = String::from_utf8_lossy(&all.bytes[..all.bytes.len().min(200)]).into_owned();
        let Received { ended, pongs, close, lost, .. } = all;
        format!("{} bytes {shown:?} ended={ended} pongs={pongs} close={close:?} lost={lost}", all.bytes.len())
    };
    let look = || {
        let got = channel.received.lock().expect("no panic");
        if complete(&got) { None } else { Some(brief(&got)) }
    };
    let end = Instant::now() + Duration::from_secs(3);
    while let Some(got) = look() {
        if Instant::now() > end {
            return Err(format!("{name}: recorded {}, here {got}", brief(wanted)));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

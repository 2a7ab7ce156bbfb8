//! The answering end of the agent socket.
//!
//! It is as strict and as lenient as Go's net/rpc: a request whose body cannot be read is answered with gob's error
//! and the connection goes on; a header that cannot be read, or a reserved type id, ends the connection without a word.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::wire::{self, ANSWER, CALL, EMPTY, EXEC_RESPONSE, HEADER_ID, METHOD, REQUEST};
use super::{Error, Handler, Reply, Request};
use crate::gob::{self, Decoder, Encoder, Field, Value};

/// How long to wait before accepting again when the process has run out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers hook commands until the future is dropped; dropping it ends all connections.
///
/// Calls of one connection run concurrently, as in net/rpc, but the handler sees one command at a time.
pub async fn serve<H: Handler>(listener: UnixListener, handler: Arc<H>) {
    let shared = Arc::new(Shared { handler, turn: Mutex::new(()), reply_ids: Mutex::default() });
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

struct Shared<H> {
    handler: Arc<H>,
    /// Held while a command runs.
    turn: Mutex<()>,
    reply_ids: Mutex<ReplyIds>,
}

/// The ids of the two reply bodies. Go gives them out in the order of first use in the whole process.
#[derive(Debug, Default)]
struct ReplyIds {
    exec: Option<i64>,
    empty: Option<i64>,
}

impl ReplyIds {
    fn exec(&mut self) -> i64 {
        let next = HEADER_ID + 1 + i64::from(self.empty.is_some());
        *self.exec.get_or_insert(next)
    }

    fn empty(&mut self) -> i64 {
        let next = HEADER_ID + 1 + i64::from(self.exec.is_some());
        *self.empty.get_or_insert(next)
    }
}

struct Writer {
    stream: OwnedWriteHalf,
    encoder: Encoder,
}

async fn connection<H: Handler>(stream: UnixStream, shared: Arc<Shared<H>>) {
    let (reader, writer) = stream.into_split();
    let writer = Arc::new(Mutex::new(Writer { stream: writer, encoder: Encoder::default() }));
    let mut reader = BufReader::new(reader);
    let mut decoder = Decoder::default();
    let mut calls = JoinSet::new();
    loop {
        let Ok(Some(header)) = wire::read_value(&mut reader, &mut decoder).await else { break };
        let Ok((method, sequence)) = header_fields(header) else { break };
        let request = match wire::read_value(&mut reader, &mut decoder).await {
            Ok(Some(body)) => request(body),
            Err(Error::Gob(error)) if error != gob::Error::DuplicateType => Err(error),
            _ => break,
        };
        let (shared, writer) = (Arc::clone(&shared), Arc::clone(&writer));
        calls.spawn(async move {
            let reply = match (method_error(&method), request) {
                (Some(error), _) => Reply::Rpc(error),
                (None, Err(error)) => Reply::Rpc(error.to_string()),
                (None, Ok(request)) => run(&shared, request).await,
            };
            answer(&shared, &writer, &method, sequence, &reply).await;
        });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
}

fn header_fields(header: Value) -> Result<(String, u64), gob::Error> {
    let mut header = header.into_struct(&CALL)?;
    Ok((header.string("ServiceMethod")?, header.uint("Seq")?))
}

/// net/rpc's complaint about a method that is not ours.
fn method_error(method: &str) -> Option<String> {
    match method.rsplit_once('.') {
        _ if method == METHOD => None,
        None => Some(format!("rpc: service/method request ill-formed: {method}")),
        Some(("Jujuc", _)) => Some(format!("rpc: can't find method {method}")),
        Some(_) => Some(format!("rpc: can't find service {method}")),
    }
}

/// A request and the token that came with it.
fn request(body: Value) -> Result<(Request, String), gob::Error> {
    let mut body = body.into_struct(&REQUEST)?;
    let stdin_set = body.bool("StdinSet")?;
    let stdin = body.bytes("Stdin")?;
    let request = Request {
        context_id: body.string("ContextId")?,
        dir: body.string("Dir")?,
        command: body.string("CommandName")?,
        args: body.strings("Args")?,
        stdin: stdin_set.then_some(stdin),
    };
    Ok((request, body.string("Token")?))
}

/// The agent's own checks in its order (context and command are the handler's), then the command.
async fn run<H: Handler>(shared: &Shared<H>, (request, token): (Request, String)) -> Reply {
    // The token guards a TCP socket of older agents; on a unix socket it is empty.
    if !token.is_empty() {
        return Reply::Rpc("bad request: token does not match".to_owned());
    }
    if request.command.is_empty() {
        return Reply::Rpc("bad request: command not specified".to_owned());
    }
    if !request.dir.starts_with('/') {
        return Reply::Rpc("bad request: Dir is not absolute".to_owned());
    }
    let delay = shared.handler.delay();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let _turn = shared.turn.lock().await;
    shared.handler.call(request).await
}

/// Writes one reply. A caller that has gone away needs none, so a failed write is no error.
async fn answer<H>(shared: &Shared<H>, writer: &Mutex<Writer>, method: &str, sequence: u64, reply: &Reply) {
    let mut writer = writer.lock().await;
    let error = match reply {
        Reply::Exit { .. } => "",
        Reply::Rpc(error) => error,
    };
    let header = [Field::Bytes(method.as_bytes()), Field::Uint(sequence), Field::Bytes(error.as_bytes())];
    writer.encoder.value(HEADER_ID, &ANSWER, &header);
    match reply {
        Reply::Exit { code, stdout, stderr } => {
            let type_id = shared.reply_ids.lock().await.exec();
            let body = [Field::Int(*code), Field::Bytes(stdout), Field::Bytes(stderr)];
            writer.encoder.value(type_id, &EXEC_RESPONSE, &body);
        }
        Reply::Rpc(_) => {
            let type_id = shared.reply_ids.lock().await.empty();
            writer.encoder.value(type_id, &EMPTY, &[]);
        }
    }
    let bytes = writer.encoder.take();
    let _ = writer.stream.write_all(&bytes).await;
}

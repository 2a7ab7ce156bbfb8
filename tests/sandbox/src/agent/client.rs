//! The calling end of the agent socket, one call after another.

use std::path::Path;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::wire::{self, ANSWER, CALL, EXEC_RESPONSE, HEADER_ID, METHOD, REQUEST, REQUEST_ID, STRINGS_ID};
use super::{Error, Reply, Request};
use crate::gob::{Decoder, Encoder, Field};

/// A connection to an agent. Calls are never pipelined, because the agent may answer them in another order.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    encoder: Encoder,
    decoder: Decoder,
    sequence: u64,
}

impl Client {
    /// Connects to the socket at `path` (JUJU_AGENT_SOCKET_ADDRESS).
    pub async fn connect(path: &Path) -> Result<Self, Error> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(|source| Error::Connect { path: path.to_owned(), source })?;
        Ok(Self {
            stream: BufReader::new(stream),
            encoder: Encoder::default(),
            decoder: Decoder::default(),
            sequence: 0,
        })
    }

    /// Sends one command and waits for its end.
    pub async fn call(&mut self, request: &Request) -> Result<Reply, Error> {
        let bytes = encode(&mut self.encoder, self.sequence, request);
        self.stream.write_all(&bytes).await?;
        let expected = self.sequence;
        self.sequence += 1;

        let header = wire::read_value(&mut self.stream, &mut self.decoder).await?.ok_or(Error::Closed)?;
        let mut header = header.into_struct(&ANSWER)?;
        let (got, error) = (header.uint("Seq")?, header.string("Error")?);
        let body = wire::read_value(&mut self.stream, &mut self.decoder).await?.ok_or(Error::Closed)?;
        if got != expected {
            return Err(Error::Sequence { expected, got });
        }
        if !error.is_empty() {
            return Ok(Reply::Rpc(error));
        }
        let mut body = body.into_struct(&EXEC_RESPONSE)?;
        Ok(Reply::Exit {
            code: body.int("Code")?,
            stdout: body.bytes("Stdout")?,
            stderr: body.bytes("Stderr")?,
        })
    }
}

/// The bytes of one call, type definitions included where they are still due.
fn encode(encoder: &mut Encoder, sequence: u64, request: &Request) -> Vec<u8> {
    encoder.value(HEADER_ID, &CALL, &[Field::Bytes(METHOD.as_bytes()), Field::Uint(sequence)]);
    encoder.define_struct(REQUEST_ID, &REQUEST);
    encoder.define_strings(STRINGS_ID);
    encoder.value(
        REQUEST_ID,
        &REQUEST,
        &[
            Field::Bytes(request.context_id.as_bytes()),
            Field::Bytes(request.dir.as_bytes()),
            Field::Bytes(request.command.as_bytes()),
            Field::Strings(&request.args),
            Field::Bool(request.stdin.is_some()),
            Field::Bytes(request.stdin.as_deref().unwrap_or_default()),
        ],
    );
    encoder.take()
}

//! One connection to the agent: Go's net/rpc, one call after another.
//!
//! The agent answers calls that are under way together in any order, so none is sent before the last is answered.

use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use super::gob::{self, Fields, GobReader, GobWriter, definitions};

/// The longest message that is read. Juju keeps databags, secrets and configuration far below it.
const MESSAGE_LIMIT: u64 = 256 * 1024 * 1024;

/// One command for the agent.
pub struct Request<'a> {
    /// The hook's context (JUJU_CONTEXT_ID).
    pub context_id: &'a str,
    /// Where relative names of files are looked for; absolute.
    pub dir: &'a str,
    pub command: &'a str,
    pub args: &'a [&'a str],
    pub stdin: Option<&'a [u8]>,
}

/// The end of a call.
pub enum AgentReply {
    /// The command ran.
    Exit { code: i64, stdout: Vec<u8>, stderr: Vec<u8> },
    /// The agent refused the call itself.
    Refused(String),
}

/// A connection whose last call was answered. The system closes it in child processes (`SOCK_CLOEXEC`): the agent waits for
/// every connection to end.
pub struct Connection {
    stream: BufReader<UnixStream>,
    reader: GobReader,
    sequence: u64,
}

impl Connection {
    /// Connects to the agent's socket.
    pub async fn open(address: &Path) -> io::Result<Self> {
        let stream = BufReader::new(UnixStream::connect(address).await?);
        Ok(Self { stream, reader: GobReader::default(), sequence: 0 })
    }

    /// Has the agent run one command. After an error the connection is of no use any more.
    pub async fn call(&mut self, request: &Request<'_>) -> io::Result<AgentReply> {
        self.stream.write_all(&encoded(self.sequence, request)).await?;
        let mut header = self.value().await?;
        let (sequence, error) = (read(header.uint("Seq"))?, read(header.bytes("Error"))?);
        // A refusal is followed by an empty struct.
        let mut body = self.value().await?;
        if sequence != self.sequence {
            return Err(malformed("the agent answered another call"));
        }
        self.sequence += 1;
        if !error.is_empty() {
            return Ok(AgentReply::Refused(String::from_utf8_lossy(&error).into_owned()));
        }
        Ok(AgentReply::Exit {
            code: read(body.int("Code"))?,
            stdout: read(body.bytes("Stdout"))?,
            stderr: read(body.bytes("Stderr"))?,
        })
    }

    /// Reads up to the next value; the definitions before it are remembered.
    async fn value(&mut self) -> io::Result<Fields> {
        loop {
            let message = self.message().await?;
            if let Some(fields) = read(self.reader.message(&message))? {
                return Ok(fields);
            }
        }
    }

    /// A length, then as many bytes. What is read grows with what arrives, not with what is announced.
    async fn message(&mut self) -> io::Result<Vec<u8>> {
        let length = match self.stream.read_u8().await? {
            small @ 0..128 => u64::from(small),
            negated => {
                let count = usize::from(0_u8.wrapping_sub(negated));
                let mut digits = [0; 8];
                let digits =
                    digits.get_mut(..count).ok_or_else(|| malformed("a length of more than 64 bits"))?;
                self.stream.read_exact(digits).await?;
                digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit))
            }
        };
        if length > MESSAGE_LIMIT {
            return Err(malformed("the message is longer than any reply of Juju"));
        }
        let mut message = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut message).await?;
        if message.len() as u64 == length { Ok(message) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The bytes of one call, the definitions included in the first.
fn encoded(sequence: u64, request: &Request<'_>) -> Vec<u8> {
    let (mut bytes, body) = if sequence == 0 { definitions() } else { Default::default() };
    bytes.extend(GobWriter::header().bytes(1, b"Jujuc.Main").uint(2, sequence).message());
    bytes.extend(body);
    let value = GobWriter::body()
        .bytes(1, request.context_id.as_bytes())
        .bytes(2, request.dir.as_bytes())
        .bytes(3, request.command.as_bytes())
        .strings(4, request.args)
        .uint(5, request.stdin.is_some().into())
        .bytes(6, request.stdin.unwrap_or_default());
    bytes.extend(value.message());
    bytes
}

fn read<T>(result: Result<T, gob::Error>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

fn malformed(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

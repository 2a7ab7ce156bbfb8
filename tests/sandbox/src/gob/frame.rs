//! The outermost layer of a gob stream: a length, then that many bytes.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Go's own limit for one message on 64-bit machines, in bytes.
pub const MAX_MESSAGE: u64 = 1 << 33;

/// Reads one message without its length; `None` at the end of the stream between two messages.
///
/// Memory grows with the bytes that really arrive, so that a lying length costs nothing.
pub async fn read_message<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<Option<Vec<u8>>> {
    let first = match stream.read_u8().await {
        Ok(byte) => byte,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut length = u64::from(first);
    if first >= 0x80 {
        let count = usize::from(first.wrapping_neg());
        if count > 8 {
            return Err(invalid(&format!("message length of {count} bytes")));
        }
        let mut bytes = [0u8; 8];
        stream.read_exact(&mut bytes[8 - count..]).await?;
        length = u64::from_be_bytes(bytes);
    }
    if length > MAX_MESSAGE {
        return Err(invalid(&format!("message of {length} bytes")));
    }
    let mut message = Vec::new();
    stream.take(length).read_to_end(&mut message).await?;
    if (message.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(message))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("gob: {what} is not believable"))
}

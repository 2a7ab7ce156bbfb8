//! The four struct types that travel, and reading one value of a stream.

use tokio::io::AsyncRead;

use super::Error;
use crate::gob::{Decoder, StructType, Value, id, read_message};

/// The only service method.
pub const METHOD: &str = "Jujuc.Main";

/// net/rpc's header of a request. Go numbers it first.
pub const CALL: StructType =
    StructType { name: "Request", fields: &[("ServiceMethod", id::STRING), ("Seq", id::UINT)] };

/// net/rpc's header of a reply.
pub const ANSWER: StructType = StructType {
    name: "Response",
    fields: &[("ServiceMethod", id::STRING), ("Seq", id::UINT), ("Error", id::STRING)],
};

/// The body of a request, as Juju 3.6 sends it; 4.0 has no Token.
pub const REQUEST: StructType = StructType {
    name: "Request",
    fields: &[
        ("ContextId", id::STRING),
        ("Dir", id::STRING),
        ("CommandName", id::STRING),
        ("Args", STRINGS_ID),
        ("StdinSet", id::BOOL),
        ("Stdin", id::BYTES),
        ("Token", id::STRING),
    ],
};

/// The body of a good reply.
pub const EXEC_RESPONSE: StructType = StructType {
    name: "ExecResponse",
    fields: &[("Code", id::INT), ("Stdout", id::BYTES), ("Stderr", id::BYTES)],
};

/// The body of an error reply: an empty struct of a type without a name.
pub const EMPTY: StructType = StructType { name: "", fields: &[] };

/// The id of the headers in both directions.
pub const HEADER_ID: i64 = id::FIRST_USER;
/// The id of the request body that our client announces.
pub const REQUEST_ID: i64 = HEADER_ID + 1;
/// The id of `[]string` that our client announces.
pub const STRINGS_ID: i64 = HEADER_ID + 2;

/// Reads messages up to the next value, taking in type definitions. `None` at the end of the stream.
pub async fn read_value<R: AsyncRead + Unpin>(
    stream: &mut R,
    decoder: &mut Decoder,
) -> Result<Option<Value>, Error> {
    while let Some(message) = read_message(stream).await? {
        if let Some(value) = decoder.message(&message)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

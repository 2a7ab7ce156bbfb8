//! Go's gob encoding, as much of it as Juju's hook-command socket needs.
//!
//! Given the messages of one direction of a connection, [`Decoder`] learns the types that the sender defines and
//! yields values; [`Encoder`] writes values and defines each type once, before its first use. Values are read by the
//! definitions that came with them and never by fixed type ids, because Go numbers types in the order of their first
//! use in the process.

mod decode;
mod definition;
mod encode;
mod frame;
mod input;

pub use decode::{Decoder, Value};
pub use encode::{Encoder, Field, StructType};
pub use frame::{MAX_MESSAGE, read_message};

/// Ids that gob gives to its built-in types.
pub mod id {
    pub const BOOL: i64 = 1;
    pub const INT: i64 = 2;
    pub const UINT: i64 = 3;
    pub const FLOAT: i64 = 4;
    pub const BYTES: i64 = 5;
    pub const STRING: i64 = 6;
    pub const COMPLEX: i64 = 7;
    pub const INTERFACE: i64 = 8;
    /// The first id that a sender may give to a type of its own.
    pub const FIRST_USER: i64 = 64;
}

/// Why a message could not be read. The texts that a Go server puts into its replies are kept word by word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A number, string or list ends after the end of its message.
    #[error("gob: message ends in the middle of a value")]
    Truncated,
    /// Bytes follow the value or the type definition.
    #[error("gob: extra data in buffer")]
    Trailing,
    /// A value of a type that was never defined.
    #[error("gob: unknown type id or corrupted data")]
    UnknownType,
    /// A type id that is reserved or was defined before.
    #[error("gob: duplicate type received")]
    DuplicateType,
    /// A field that the receiver knows came with another type; named are the receiver's type and the field.
    #[error("gob: wrong type ({expected}) for received field {field}")]
    WrongType { expected: &'static str, field: String },
    /// The value is no struct, or has none of the receiver's fields.
    #[error("gob: type mismatch: no fields matched compiling decoder for {0}")]
    NoFields(&'static str),
    /// A kind of value that no hook command ever sends.
    #[error("gob: {0} is not supported here")]
    Unsupported(&'static str),
    /// Types nested so deeply that reading them would exhaust the stack.
    #[error("gob: value is nested too deeply")]
    TooDeep,
}

impl Error {
    /// A stable label for tests and logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::UnknownType => "unknown-type",
            Self::DuplicateType => "duplicate-type",
            Self::WrongType { .. } => "wrong-type",
            Self::NoFields(_) => "no-fields",
            Self::Unsupported(_) => "unsupported",
            Self::TooDeep => "too-deep",
        }
    }
}

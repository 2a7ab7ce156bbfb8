//! Go's gob encoding, as much of it as the agent's socket needs.
//!
//! [`GobWriter`] writes requests of fixed types; [`GobReader`] learns the types that the agent defines and reads structs of
//! them, by the names of their fields: Go numbers types in the order of their first use, so an id means nothing.

mod read;
mod write;

pub use read::{Fields, GobReader};
pub use write::{GobWriter, definitions};

/// Ids of gob's built-in types.
mod id {
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

/// Bytes that are not gob, or gob that a reply of the agent never holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("gob: {0}")]
pub struct Error(pub &'static str);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `[]string` as type 65, and a struct of one such list and a number as type 64.
    fn defined() -> GobReader {
        let (header, body) = definitions();
        let mut reader = GobReader::default();
        for message in [&header[1..], &body[1..103], &body[104..]] {
            assert!(reader.message(message).unwrap().is_none());
        }
        reader
    }

    #[test]
    fn fields_are_read_by_name_and_lists_are_passed_over() {
        let message = GobWriter::body()
            .bytes(1, b"context")
            .strings(4, &["a", ""])
            .uint(5, 1)
            .bytes(6, &[7; 300])
            .message();
        let mut fields = defined().message(&message[3..]).unwrap().unwrap();
        assert_eq!(fields.bytes("ContextId").unwrap(), b"context");
        assert_eq!(fields.uint("StdinSet").unwrap(), 1);
        assert_eq!(fields.bytes("Stdin").unwrap(), [7; 300]);
        assert_eq!((fields.bytes("Dir").unwrap(), fields.int("Unknown").unwrap()), (Vec::new(), 0));
        assert!(defined().message(&message[3..]).unwrap().unwrap().int("ContextId").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(messages: Vec<Vec<u8>>, types in any::<bool>()) {
            let mut reader = if types { defined() } else { GobReader::default() };
            for message in messages {
                let _ = reader.message(&message);
            }
        }

        #[test]
        fn a_changed_byte_is_an_error_or_another_value(at in 0..150_usize, to: u8) {
            let (_, mut body) = definitions();
            let at = at % body.len();
            body[at] = to;
            let mut reader = GobReader::default();
            let _ = reader.message(&body[1..103]);
            let _ = reader.message(&body[104..]);
            let value = GobWriter::body().bytes(1, b"context").strings(4, &["a"]).message();
            let _ = reader.message(&value[1..]);
        }
    }
}

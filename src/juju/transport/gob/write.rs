//! Writing a request: the types once per connection, then values.

use super::id;

/// The header of net/rpc.
const HEADER: i64 = id::FIRST_USER;
/// The body of a request.
const BODY: i64 = HEADER + 1;
/// The list of arguments in it.
const STRINGS: i64 = HEADER + 2;

/// The type of the header, and the types of the body.
///
/// A connection carries the first before its first header and the second before its first body.
pub fn definitions() -> (Vec<u8>, Vec<u8>) {
    let header = definition(
        HEADER,
        &structure("Request", &[("ServiceMethod", id::STRING), ("Seq", id::UINT)], HEADER),
    );
    let body = structure(
        "Request",
        &[
            ("ContextId", id::STRING),
            ("Dir", id::STRING),
            ("CommandName", id::STRING),
            ("Args", STRINGS),
            ("StdinSet", id::BOOL),
            ("Stdin", id::BYTES),
            ("Token", id::STRING),
        ],
        BODY,
    );
    let mut both = definition(BODY, &body);
    both.extend(definition(STRINGS, &list("[]string", id::STRING, STRINGS)));
    (header, both)
}

/// One struct value under way. Fields are written in the order of their numbers, and left out where they are zero.
pub struct GobWriter {
    bytes: Vec<u8>,
    last: u64,
}

impl GobWriter {
    /// A header.
    pub fn header() -> Self {
        Self::of(HEADER)
    }

    /// The body of a request.
    pub fn body() -> Self {
        Self::of(BODY)
    }

    fn of(type_id: i64) -> Self {
        let mut bytes = Vec::new();
        int(&mut bytes, type_id);
        Self { bytes, last: 0 }
    }

    /// Writes field `number`, the first being 1, as a text or bytes.
    pub fn bytes(mut self, number: u64, value: &[u8]) -> Self {
        if !value.is_empty() {
            self.field(number);
            blob(&mut self.bytes, value);
        }
        self
    }

    /// Writes field `number` as an unsigned number or a boolean.
    pub fn uint(mut self, number: u64, value: u64) -> Self {
        if value != 0 {
            self.field(number);
            uint(&mut self.bytes, value);
        }
        self
    }

    /// Writes field `number` as a list of texts.
    pub fn strings(mut self, number: u64, values: &[&str]) -> Self {
        if !values.is_empty() {
            self.field(number);
            uint(&mut self.bytes, values.len() as u64);
            for value in values {
                blob(&mut self.bytes, value.as_bytes());
            }
        }
        self
    }

    /// The message, its length included.
    pub fn message(mut self) -> Vec<u8> {
        self.bytes.push(0);
        framed(&self.bytes)
    }

    fn field(&mut self, number: u64) {
        uint(&mut self.bytes, number - self.last);
        self.last = number;
    }
}

/// The message that defines `type_id`.
fn definition(type_id: i64, wire_type: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    int(&mut bytes, -type_id);
    bytes.extend(wire_type);
    framed(&bytes)
}

/// A `wireType` with its third field, the type of a struct.
fn structure(name: &str, fields: &[(&str, i64)], type_id: i64) -> Vec<u8> {
    let mut bytes = vec![3];
    common(&mut bytes, name, type_id);
    bytes.push(1);
    uint(&mut bytes, fields.len() as u64);
    for (name, field_type) in fields {
        named(&mut bytes, name, *field_type);
    }
    bytes.extend([0, 0]);
    bytes
}

/// A `wireType` with its second field, the type of a slice.
fn list(name: &str, element: i64, type_id: i64) -> Vec<u8> {
    let mut bytes = vec![2];
    common(&mut bytes, name, type_id);
    bytes.push(1);
    int(&mut bytes, element);
    bytes.extend([0, 0]);
    bytes
}

/// The first field of a type: its name and id.
fn common(bytes: &mut Vec<u8>, name: &str, type_id: i64) {
    bytes.push(1);
    named(bytes, name, type_id);
}

/// A struct of a name and an id.
fn named(bytes: &mut Vec<u8>, name: &str, type_id: i64) {
    bytes.push(1);
    blob(bytes, name.as_bytes());
    bytes.push(1);
    int(bytes, type_id);
    bytes.push(0);
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(bytes.len() + 5);
    blob(&mut message, bytes);
    message
}

fn blob(bytes: &mut Vec<u8>, value: &[u8]) {
    uint(bytes, value.len() as u64);
    bytes.extend(value);
}

/// Below 128 one byte; else the negated count of the bytes that follow, the highest first.
fn uint(bytes: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        Ok(small @ 0..128) => bytes.push(small),
        _ => {
            let digits = value.to_be_bytes();
            let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
            bytes.push(digits.iter().fold(0, |count: u8, _| count.wrapping_sub(1)));
            bytes.extend(digits);
        }
    }
}

/// Shifted left by one, with the complement of a negative number marked in the lowest bit.
fn int(bytes: &mut Vec<u8>, value: i64) {
    uint(bytes, value.wrapping_shl(1).cast_unsigned() ^ (value >> 63).cast_unsigned());
}

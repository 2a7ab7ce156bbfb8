//! Writing gob: each type is defined once per stream, before its first value.

use std::collections::HashSet;

use super::id;

/// A struct type as it is announced: its name in Go ("" for an anonymous one), and its fields in order.
#[derive(Debug, Clone, Copy)]
pub struct StructType {
    pub name: &'static str,
    pub fields: &'static [(&'static str, i64)],
}

/// The value of one field; [`Encoder`] leaves zero values out, as Go does.
#[derive(Debug, Clone, Copy)]
pub enum Field<'a> {
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// A string or bytes; they look the same on the wire.
    Bytes(&'a [u8]),
    Strings(&'a [String]),
}

/// The sending end of one direction of a stream; collects bytes until [`Encoder::take`].
#[derive(Debug, Default)]
pub struct Encoder {
    defined: HashSet<i64>,
    output: Vec<u8>,
}

impl Encoder {
    /// Writes the struct `fields` of type `kind` under the id `type_id`, which the caller keeps the same for this type.
    pub fn value(&mut self, type_id: i64, kind: &StructType, fields: &[Field<'_>]) {
        self.define_struct(type_id, kind);
        let mut body = Vec::new();
        int(&mut body, type_id);
        let mut skipped = 1;
        for field in fields {
            if field.is_zero() {
                skipped += 1;
            } else {
                uint(&mut body, skipped);
                field.write(&mut body);
                skipped = 1;
            }
        }
        uint(&mut body, 0);
        self.message(&body);
    }

    /// Announces the type `[]string` under an id of the caller's choice, unless it is known already.
    pub fn define_strings(&mut self, type_id: i64) {
        if self.defined.insert(type_id) {
            let mut body = Vec::new();
            int(&mut body, -type_id);
            uint(&mut body, 2);
            common(&mut body, "[]string", type_id);
            uint(&mut body, 1);
            int(&mut body, id::STRING);
            body.extend([0, 0]);
            self.message(&body);
        }
    }

    /// Announces a struct type, unless it is known already.
    pub fn define_struct(&mut self, type_id: i64, kind: &StructType) {
        if !self.defined.insert(type_id) {
            return;
        }
        let mut body = Vec::new();
        int(&mut body, -type_id);
        uint(&mut body, 3);
        common(&mut body, kind.name, type_id);
        if !kind.fields.is_empty() {
            uint(&mut body, 1);
            uint(&mut body, kind.fields.len() as u64);
            for (name, field_type) in kind.fields {
                uint(&mut body, 1);
                bytes(&mut body, name.as_bytes());
                uint(&mut body, 1);
                int(&mut body, *field_type);
                uint(&mut body, 0);
            }
        }
        body.extend([0, 0]);
        self.message(&body);
    }

    /// All bytes written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    fn message(&mut self, body: &[u8]) {
        bytes(&mut self.output, body);
    }
}

impl Field<'_> {
    fn is_zero(&self) -> bool {
        match self {
            Self::Bool(value) => !value,
            Self::Int(value) => *value == 0,
            Self::Uint(value) => *value == 0,
            Self::Bytes(value) => value.is_empty(),
            Self::Strings(value) => value.is_empty(),
        }
    }

    fn write(&self, body: &mut Vec<u8>) {
        match self {
            Self::Bool(value) => uint(body, u64::from(*value)),
            Self::Int(value) => int(body, *value),
            Self::Uint(value) => uint(body, *value),
            Self::Bytes(value) => bytes(body, value),
            Self::Strings(value) => {
                uint(body, value.len() as u64);
                for text in *value {
                    bytes(body, text.as_bytes());
                }
            }
        }
    }
}

/// The CommonType that opens every definition: name and id, the name left out when empty.
fn common(body: &mut Vec<u8>, name: &str, type_id: i64) {
    uint(body, 1);
    if name.is_empty() {
        uint(body, 2);
    } else {
        uint(body, 1);
        bytes(body, name.as_bytes());
        uint(body, 1);
    }
    int(body, type_id);
    uint(body, 0);
}

fn uint(body: &mut Vec<u8>, number: u64) {
    let all = number.to_be_bytes();
    let count = 8 - all.iter().take_while(|byte| **byte == 0).count();
    match u8::try_from(number) {
        Ok(small) if small < 0x80 => body.push(small),
        _ => {
            body.push(0u8.wrapping_sub(u8::try_from(count).unwrap_or(8)));
            body.extend(&all[8 - count..]);
        }
    }
}

fn int(body: &mut Vec<u8>, number: i64) {
    let shifted = (number << 1).cast_unsigned();
    uint(body, if number < 0 { !shifted } else { shifted });
}

fn bytes(body: &mut Vec<u8>, content: &[u8]) {
    uint(body, content.len() as u64);
    body.extend(content);
}

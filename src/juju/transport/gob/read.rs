//! Reading replies: types are remembered, structs come back as their fields.

use std::collections::HashMap;

use super::{Error, id};

/// Nesting at which reading stops; a reply has two levels.
const MAX_DEPTH: usize = 32;

/// A type that the agent defined.
#[derive(Debug)]
enum Type {
    Struct(Vec<(String, i64)>),
    List(i64),
    Map(i64, i64),
    /// Encodes itself: bytes to everybody else.
    Encoded,
}

/// A value, as far as a reply is of interest.
#[derive(Debug)]
enum Value {
    Int(i64),
    Uint(u64),
    Bytes(Vec<u8>),
    Struct(Fields),
    Skipped,
}

/// The fields of a struct that were sent: those at their zero value are left out.
#[derive(Debug, Default)]
pub struct Fields(HashMap<String, Value>);

impl Fields {
    /// A text or bytes; empty if the field was left out.
    pub fn bytes(&mut self, name: &str) -> Result<Vec<u8>, Error> {
        match self.0.remove(name) {
            None => Ok(Vec::new()),
            Some(Value::Bytes(bytes)) => Ok(bytes),
            Some(_) => Err(Error("a field of bytes has another type")),
        }
    }

    /// A signed number; 0 if the field was left out.
    pub fn int(&mut self, name: &str) -> Result<i64, Error> {
        match self.0.remove(name) {
            None => Ok(0),
            Some(Value::Int(number)) => Ok(number),
            Some(_) => Err(Error("a field of numbers has another type")),
        }
    }

    /// An unsigned number; 0 if the field was left out.
    pub fn uint(&mut self, name: &str) -> Result<u64, Error> {
        match self.0.remove(name) {
            None => Ok(0),
            Some(Value::Uint(number)) => Ok(number),
            Some(_) => Err(Error("a field of unsigned numbers has another type")),
        }
    }
}

/// The receiving end of a connection.
#[derive(Debug, Default)]
pub struct GobReader {
    types: HashMap<i64, Type>,
}

impl GobReader {
    /// Takes one message, without its length. `None`: it defined a type.
    pub fn message(&mut self, message: &[u8]) -> Result<Option<Fields>, Error> {
        let mut input = Input(message);
        let type_id = input.int()?;
        let fields = if type_id < 0 {
            let type_id = type_id.checked_neg().filter(|type_id| *type_id >= id::FIRST_USER);
            let type_id = type_id.ok_or(Error("a reserved type is defined"))?;
            let defined = definition(&mut input)?;
            if self.types.insert(type_id, defined).is_some() {
                return Err(Error("a type is defined twice"));
            }
            None
        } else {
            match self.value(type_id, &mut input, 0)? {
                Value::Struct(fields) => Some(fields),
                _ => return Err(Error("the value is not a struct")),
            }
        };
        if input.0.is_empty() { Ok(fields) } else { Err(Error("bytes follow the value")) }
    }

    fn value(&self, type_id: i64, input: &mut Input<'_>, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(Error("the value is nested too deeply"));
        }
        match type_id {
            id::BOOL | id::UINT => return input.uint().map(Value::Uint),
            id::INT => return input.int().map(Value::Int),
            id::FLOAT => return input.uint().map(|_| Value::Skipped),
            id::COMPLEX => return input.uint().and_then(|_| input.uint()).map(|_| Value::Skipped),
            id::BYTES | id::STRING => return input.bytes().map(|bytes| Value::Bytes(bytes.to_vec())),
            // The empty name is Go's nil; any other value would bring types of its own.
            id::INTERFACE if input.bytes()?.is_empty() => return Ok(Value::Skipped),
            _ => {}
        }
        match self.types.get(&type_id).ok_or(Error("a value of an unknown type"))? {
            Type::Struct(fields) => {
                let mut values = HashMap::new();
                input.fields(|number, input| {
                    let (name, type_id) = fields.get(number).ok_or(Error("an unknown field"))?;
                    values.insert(name.clone(), self.value(*type_id, input, depth + 1)?);
                    Ok(())
                })?;
                Ok(Value::Struct(Fields(values)))
            }
            Type::List(element) => {
                for _ in 0..input.count()? {
                    self.value(*element, input, depth + 1)?;
                }
                Ok(Value::Skipped)
            }
            Type::Map(key, element) => {
                for _ in 0..input.count()? {
                    self.value(*key, input, depth + 1)?;
                    self.value(*element, input, depth + 1)?;
                }
                Ok(Value::Skipped)
            }
            Type::Encoded => input.bytes().map(|_| Value::Skipped),
        }
    }
}

/// A `wireType`: one field for each kind of type, of which one is set.
fn definition(input: &mut Input<'_>) -> Result<Type, Error> {
    let mut defined = None;
    input.fields(|kind, input| {
        let (mut ids, mut fields) = ([0; 2], Vec::new());
        input.fields(|number, input| match (kind, number) {
            (_, 0) => common(input).map(drop),
            // The element of an array or slice, the key of a map; the length of an array or the element of a map.
            (0 | 1 | 3, 1) => input.int().map(|type_id| ids[0] = type_id),
            (0 | 3, 2) => input.int().map(|type_id| ids[1] = type_id),
            (2, 1) => {
                for _ in 0..input.count()? {
                    fields.push(common(input)?);
                }
                Ok(())
            }
            _ => Err(Error("an unknown kind of type")),
        })?;
        defined = Some(match kind {
            0 | 1 => Type::List(ids[0]),
            2 => Type::Struct(std::mem::take(&mut fields)),
            3 => Type::Map(ids[0], ids[1]),
            _ => Type::Encoded,
        });
        Ok(())
    })?;
    defined.ok_or(Error("an empty definition"))
}

/// A name and the id of a type.
fn common(input: &mut Input<'_>) -> Result<(String, i64), Error> {
    let mut pair = (String::new(), 0);
    input.fields(|number, input| match number {
        0 => input.bytes().map(|name| pair.0 = String::from_utf8_lossy(name).into_owned()),
        1 => input.int().map(|type_id| pair.1 = type_id),
        _ => Err(Error("an unknown field of a type")),
    })?;
    Ok(pair)
}

/// The rest of a message.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn uint(&mut self) -> Result<u64, Error> {
        let first = self.take(1)?[0];
        if first < 128 {
            return Ok(u64::from(first));
        }
        let count = usize::from(0_u8.wrapping_sub(first));
        if count > 8 {
            return Err(Error("a number of more than 64 bits"));
        }
        Ok(self.take(count)?.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
    }

    fn int(&mut self) -> Result<i64, Error> {
        let bits = self.uint()?;
        let number = (bits >> 1).cast_signed();
        Ok(if bits & 1 == 0 { number } else { !number })
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.count()?;
        self.take(length)
    }

    /// A number of bytes or elements: each takes at least one byte of the message.
    fn count(&mut self) -> Result<usize, Error> {
        let count = usize::try_from(self.uint()?).unwrap_or(usize::MAX);
        if count > self.0.len() { Err(Error("the message ends too early")) } else { Ok(count) }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Error("the message ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// Hands each field of a struct that was sent to `read`, by its number from 0.
    fn fields(&mut self, mut read: impl FnMut(usize, &mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let mut number = 0_usize;
        loop {
            let delta = usize::try_from(self.uint()?).unwrap_or(usize::MAX);
            if delta == 0 {
                return Ok(());
            }
            number = number.checked_add(delta).ok_or(Error("a field number that is too large"))?;
            read(number - 1, self)?;
        }
    }
}

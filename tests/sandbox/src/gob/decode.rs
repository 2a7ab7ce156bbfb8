//! Reading gob: type definitions are remembered, values come back as a tree with field names.

use std::collections::HashMap;

use super::{Error, StructType, id};

/// Nesting at which reading stops; hook commands need two levels.
const MAX_DEPTH: usize = 32;

/// One decoded value. Struct fields that were left out (because they are zero) are absent.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Uint(u64),
    /// A float or a complex number; nothing here reads them, but a stranger's extra field may hold one.
    Number,
    Bytes(Vec<u8>),
    String(Vec<u8>),
    /// Elements of a slice or array, with the id of the element type.
    List(i64, Vec<Value>),
    /// A map or another value that is only skipped.
    Opaque,
    Struct(StructValue),
}

/// A struct value: the name the sender gave to its type, all fields of the type with their declared type, and the
/// values of those that were sent.
#[derive(Debug, Clone, PartialEq)]
pub struct StructValue {
    pub name: String,
    declared: Vec<(String, Declared)>,
    values: HashMap<String, Value>,
}

/// What a definition says of a field's type; enough to check it as Go does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Builtin(i64),
    ListOf(i64),
    Other,
}

#[derive(Debug, Clone)]
enum Type {
    List { element: i64 },
    Map { key: i64, element: i64 },
    Struct { name: String, fields: Vec<(String, i64)> },
    Encoded,
}

/// The receiving end of one direction of a stream.
#[derive(Debug, Default)]
pub struct Decoder {
    types: HashMap<i64, Type>,
}

impl Decoder {
    /// Takes one message (without its length). `None`: it was a type definition.
    pub fn message(&mut self, message: &[u8]) -> Result<Option<Value>, Error> {
        let mut input = Input(message);
        let type_id = input.int()?;
        if type_id < 0 {
            let (type_id, definition) =
                (type_id.checked_neg().ok_or(Error::UnknownType)?, definition(&mut input)?);
            if type_id < id::FIRST_USER || self.types.contains_key(&type_id) {
                return Err(Error::DuplicateType);
            }
            input.end()?;
            self.types.insert(type_id, definition);
            return Ok(None);
        }
        let is_struct = matches!(self.types.get(&type_id), Some(Type::Struct { .. }));
        if !is_struct && input.uint()? != 0 {
            return Err(Error::UnknownType);
        }
        let value = self.value(type_id, &mut input, 0)?;
        input.end()?;
        Ok(Some(value))
    }

    fn value(&self, type_id: i64, input: &mut Input<'_>, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        Ok(match type_id {
            id::BOOL => Value::Bool(input.uint()? != 0),
            id::INT => Value::Int(input.int()?),
            id::UINT => Value::Uint(input.uint()?),
            id::BYTES => Value::Bytes(input.bytes()?.to_vec()),
            id::STRING => Value::String(input.bytes()?.to_vec()),
            id::FLOAT => input.uint().map(|_| Value::Number)?,
            id::COMPLEX => {
                input.uint()?;
                input.uint()?;
                Value::Number
            }
            // The empty name is Go's nil; anything else would carry its own type definitions.
            id::INTERFACE if input.bytes()?.is_empty() => Value::Opaque,
            id::INTERFACE => return Err(Error::Unsupported("an interface value")),
            _ => match self.types.get(&type_id).ok_or(Error::UnknownType)? {
                Type::List { element } => {
                    let count = input.count()?;
                    let mut list = Vec::new();
                    for _ in 0..count {
                        list.push(self.value(*element, input, depth + 1)?);
                    }
                    Value::List(*element, list)
                }
                Type::Map { key, element } => {
                    for _ in 0..input.count()? {
                        self.value(*key, input, depth + 1)?;
                        self.value(*element, input, depth + 1)?;
                    }
                    Value::Opaque
                }
                Type::Encoded => input.bytes().map(|_| Value::Opaque)?,
                Type::Struct { name, fields } => {
                    let mut values = HashMap::new();
                    input.fields(|number, input| {
                        let (name, type_id) = fields.get(number).ok_or(Error::UnknownType)?;
                        values.insert(name.clone(), self.value(*type_id, input, depth + 1)?);
                        Ok(())
                    })?;
                    let declared =
                        fields.iter().map(|(name, type_id)| (name.clone(), self.declared(*type_id)));
                    Value::Struct(StructValue { name: name.clone(), declared: declared.collect(), values })
                }
            },
        })
    }

    fn declared(&self, type_id: i64) -> Declared {
        match self.types.get(&type_id) {
            None => Declared::Builtin(type_id),
            Some(Type::List { element }) => Declared::ListOf(*element),
            Some(_) => Declared::Other,
        }
    }
}

impl Value {
    /// The struct in this value, which must share a field with the type that the receiver expects.
    pub fn into_struct(self, expected: &StructType) -> Result<StructValue, Error> {
        match self {
            Self::Struct(value) if value.shares_field(expected) => Ok(value),
            _ => Err(Error::NoFields(expected.name)),
        }
    }
}

impl StructValue {
    /// The text of a string field, `""` when it was left out. Bytes that are no UTF-8 become U+FFFD.
    pub fn string(&mut self, field: &str) -> Result<String, Error> {
        match self.take(field, Declared::Builtin(id::STRING), "string")? {
            Some(Value::String(bytes)) => Ok(text(bytes)),
            _ => Ok(String::new()),
        }
    }

    /// The content of a bytes field, empty when it was left out.
    pub fn bytes(&mut self, field: &str) -> Result<Vec<u8>, Error> {
        match self.take(field, Declared::Builtin(id::BYTES), "[]uint8")? {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Ok(Vec::new()),
        }
    }

    /// A boolean field, false when it was left out.
    pub fn bool(&mut self, field: &str) -> Result<bool, Error> {
        let value = self.take(field, Declared::Builtin(id::BOOL), "bool")?;
        Ok(matches!(value, Some(Value::Bool(true))))
    }

    /// An unsigned field, 0 when it was left out.
    pub fn uint(&mut self, field: &str) -> Result<u64, Error> {
        match self.take(field, Declared::Builtin(id::UINT), "uint64")? {
            Some(Value::Uint(number)) => Ok(number),
            _ => Ok(0),
        }
    }

    /// A signed field, 0 when it was left out.
    pub fn int(&mut self, field: &str) -> Result<i64, Error> {
        match self.take(field, Declared::Builtin(id::INT), "int")? {
            Some(Value::Int(number)) => Ok(number),
            _ => Ok(0),
        }
    }

    /// A list of strings, empty when it was left out.
    pub fn strings(&mut self, field: &str) -> Result<Vec<String>, Error> {
        let Some(Value::List(_, list)) = self.take(field, Declared::ListOf(id::STRING), "[]string")? else {
            return Ok(Vec::new());
        };
        let texts = list.into_iter().filter_map(|element| match element {
            Value::String(bytes) => Some(text(bytes)),
            _ => None,
        });
        Ok(texts.collect())
    }

    fn shares_field(&self, expected: &StructType) -> bool {
        let known = |name: &str| expected.fields.iter().any(|(field, _)| *field == name);
        self.declared.is_empty() || self.declared.iter().any(|(name, _)| known(name))
    }

    fn take(
        &mut self,
        field: &str,
        wanted: Declared,
        expected: &'static str,
    ) -> Result<Option<Value>, Error> {
        match self.declared.iter().find(|(name, _)| name == field) {
            Some((_, declared)) if *declared != wanted => {
                Err(Error::WrongType { expected, field: format!("{}.{field}", self.name) })
            }
            _ => Ok(self.values.remove(field)),
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Reads a wireType: a struct with one field per kind of type, of which one is set.
fn definition(input: &mut Input<'_>) -> Result<Type, Error> {
    let mut found = None;
    input.fields(|kind, input| {
        let mut common = String::new();
        let mut numbers = [0i64; 3];
        let mut fields = Vec::new();
        input.fields(|number, input| {
            match (kind, number) {
                (_, 0) => common = common_type(input)?,
                (2, 1) => {
                    for _ in 0..input.count()? {
                        fields.push(field_type(input)?);
                    }
                }
                (0 | 1 | 3, 1 | 2) => numbers[number] = input.int()?,
                _ => return Err(Error::UnknownType),
            }
            Ok(())
        })?;
        found = Some(match kind {
            0 | 1 => Type::List { element: numbers[1] },
            2 => Type::Struct { name: common, fields },
            3 => Type::Map { key: numbers[1], element: numbers[2] },
            4..=6 => Type::Encoded,
            _ => return Err(Error::UnknownType),
        });
        Ok(())
    })?;
    found.ok_or(Error::UnknownType)
}

fn common_type(input: &mut Input<'_>) -> Result<String, Error> {
    let mut name = String::new();
    input.fields(|number, input| {
        match number {
            0 => name = text(input.bytes()?.to_vec()),
            1 => drop(input.int()?),
            _ => return Err(Error::UnknownType),
        }
        Ok(())
    })?;
    Ok(name)
}

fn field_type(input: &mut Input<'_>) -> Result<(String, i64), Error> {
    let mut field = (String::new(), 0);
    input.fields(|number, input| {
        match number {
            0 => field.0 = text(input.bytes()?.to_vec()),
            1 => field.1 = input.int()?,
            _ => return Err(Error::UnknownType),
        }
        Ok(())
    })?;
    Ok(field)
}

/// The unread rest of one message.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn uint(&mut self) -> Result<u64, Error> {
        let first = self.split(1)?[0];
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let count = usize::from(first.wrapping_neg());
        if count > 8 {
            return Err(Error::UnknownType);
        }
        Ok(self.split(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn int(&mut self) -> Result<i64, Error> {
        let bits = self.uint()?;
        let half = (bits >> 1).cast_signed();
        Ok(if bits & 1 == 1 { !half } else { half })
    }

    fn bytes(&mut self) -> Result<&[u8], Error> {
        let length = usize::try_from(self.uint()?).map_err(|_| Error::Truncated)?;
        self.split(length)
    }

    /// A number of elements. No element is shorter than a byte, so a larger count cannot be true.
    fn count(&mut self) -> Result<usize, Error> {
        let count = usize::try_from(self.uint()?).map_err(|_| Error::Truncated)?;
        if count > self.0.len() { Err(Error::Truncated) } else { Ok(count) }
    }

    /// Calls `read` with the number of each field that is there, up to the closing zero.
    fn fields(&mut self, mut read: impl FnMut(usize, &mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let mut next = 0usize;
        loop {
            let delta = usize::try_from(self.uint()?).map_err(|_| Error::UnknownType)?;
            if delta == 0 {
                return Ok(());
            }
            let number = next.checked_add(delta - 1).ok_or(Error::UnknownType)?;
            read(number, self)?;
            next = number + 1;
        }
    }

    fn split(&mut self, length: usize) -> Result<&[u8], Error> {
        let (head, tail) = self.0.split_at_checked(length).ok_or(Error::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn end(&self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Trailing) }
    }
}

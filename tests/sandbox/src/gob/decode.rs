//! Reading gob: type definitions are remembered, values come back as a tree with field names.

use std::collections::HashMap;

use super::definition::{Type, definition};
use super::input::Input;
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

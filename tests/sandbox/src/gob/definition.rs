//! Type definitions: how a sender describes its types before it uses them.

use super::Error;
use super::input::Input;

/// What a definition says of a type, with the ids of the types it is made of.
#[derive(Debug, Clone)]
pub enum Type {
    List {
        element: i64,
    },
    Map {
        key: i64,
        element: i64,
    },
    Struct {
        name: String,
        fields: Vec<(String, i64)>,
    },
    /// Encoded by a method of its own; the receiver sees bytes.
    Encoded,
}

/// Reads a wireType: a struct with one field per kind of type, of which one is set.
pub fn definition(input: &mut Input<'_>) -> Result<Type, Error> {
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
            0 => name = String::from_utf8_lossy(input.bytes()?).into_owned(),
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
            0 => field.0 = String::from_utf8_lossy(input.bytes()?).into_owned(),
            1 => field.1 = input.int()?,
            _ => return Err(Error::UnknownType),
        }
        Ok(())
    })?;
    Ok(field)
}

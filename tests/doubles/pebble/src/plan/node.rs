//! YAML as a tree that keeps what Go's decoder keeps: the order of keys, duplicates, and every scalar's own text.
//!
//! It is given a layer's text and gives a [`Node`]; serde's own value type would fold numbers (`1.50`) and refuse
//! duplicates without a line.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// What a scalar was resolved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Another number.
    Float,
    /// Text.
    Text,
}

/// A YAML value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A scalar with its text as written.
    Scalar(Scalar, String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in written order, duplicates included.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Go's tag of the value, as error texts have it.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Scalar(Scalar::Null, _) => "!!null",
            Self::Scalar(Scalar::Bool, _) => "!!bool",
            Self::Scalar(Scalar::Int, _) => "!!int",
            Self::Scalar(Scalar::Float, _) => "!!float",
            Self::Scalar(Scalar::Text, _) => "!!str",
            Self::List(_) => "!!seq",
            Self::Map(_) => "!!map",
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Scalar(Scalar::Null, _))
    }

    /// How the value stands in `cannot unmarshal ...`: the tag, and for a scalar its text.
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Self::Scalar(_, text) => format!("{} `{text}`", self.tag()),
            _ => self.tag().to_owned(),
        }
    }

    /// The number of lines that the value takes when written in block style below (or beside) its key.
    #[must_use]
    pub fn lines(&self) -> usize {
        match self {
            Self::Scalar(..) => 0,
            Self::List(items) => items.iter().map(|item| item.lines().max(1)).sum(),
            Self::Map(entries) => entries.iter().map(|(_, value)| 1 + value.lines()).sum(),
        }
    }
}

/// Parses a document; an empty one is null.
///
/// # Errors
/// `yaml: line N: <problem>` in Go's manner.
pub fn parse(text: &str) -> Result<Node, String> {
    let shape = match Node::deserialize(serde_yaml::Deserializer::from_str(text)) {
        Ok(shape) => shape,
        Err(error) if text.trim().is_empty() => return Ok(null_or(&error)),
        Err(error) => return Err(worded(&error)),
    };
    Texts(&shape).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| worded(&error))
}

fn null_or(_: &serde_yaml::Error) -> Node {
    Node::Scalar(Scalar::Null, String::new())
}

/// The parser's problem without its position and context, after Go's prefix. Go counts the line before the one that the
/// parser stumbled at.
fn worded(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    let problem =
        text.split(" at line ").next().unwrap_or_default().split(", while").next().unwrap_or_default();
    let line = error.location().map_or(1, |place| place.line()).saturating_sub(1).max(1);
    format!("yaml: line {line}: {problem}")
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Shape)
    }
}

/// Reads the tree with scalars resolved, their texts being those of the resolved values.
struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Node;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Null, String::new()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Bool, value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Int, value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Int, value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Float, value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Text, value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _: A) -> Result<Node, A::Error> {
        Err(A::Error::custom("tags are not supported"))
    }
}

/// Walks a tree of known shape again and takes the text of every scalar as it stands in the source.
struct Texts<'a>(&'a Node);

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        match self.0 {
            Node::Scalar(Scalar::Null, _) => deserializer.deserialize_any(Shape),
            Node::Scalar(..) => deserializer.deserialize_str(self),
            Node::List(_) => deserializer.deserialize_seq(self),
            Node::Map(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = Node;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the same YAML")
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(match self.0 {
            Node::Scalar(kind, _) => Node::Scalar(*kind, text.to_owned()),
            other => other.clone(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let Node::List(shapes) = self.0 else { return Ok(self.0.clone()) };
        let mut items = Vec::new();
        for shape in shapes {
            items.extend(access.next_element_seed(Texts(shape))?);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let Node::Map(shapes) = self.0 else { return Ok(self.0.clone()) };
        let mut entries = Vec::new();
        for (key, value) in shapes {
            if let Some(key) = access.next_key_seed(Texts(key))? {
                entries.push((key, access.next_value_seed(Texts(value))?));
            }
        }
        Ok(Node::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_keep_their_text_and_maps_their_duplicates() {
        let node = parse("a: 1.50\na: '2'\nb: [0x10, true, ~]\n").expect("YAML");
        let text = |kind, text: &str| Node::Scalar(kind, text.into());
        assert_eq!(
            node,
            Node::Map(vec![
                (text(Scalar::Text, "a"), text(Scalar::Float, "1.50")),
                (text(Scalar::Text, "a"), text(Scalar::Text, "2")),
                (
                    text(Scalar::Text, "b"),
                    Node::List(vec![
                        text(Scalar::Int, "0x10"),
                        text(Scalar::Bool, "true"),
                        text(Scalar::Null, "")
                    ])
                ),
            ])
        );
    }

    #[test]
    fn anchors_are_followed_and_empty_is_null() {
        let node = parse("x: &a {k: 1}\ny: *a\n").expect("YAML");
        let Node::Map(entries) = node else { panic!("a map") };
        assert_eq!(entries[0].1, entries[1].1);
        assert!(parse("").expect("empty").is_null());
        assert_eq!(parse("services: ["), Err("yaml: line 1: did not find expected node content".into()));
    }
}

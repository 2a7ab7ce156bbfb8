//! The outline of a configuration: which keys exist, of which type, under which rules, in which release.
//!
//! It is parsed from `outline.txt` once per load. The original carries a JSON schema; this is its essence in one line
//! a key, enough to refuse what it refuses and to know which environment variables are keys.

use super::super::version::Release;

const OUTLINE: &str = include_str!("outline.txt");

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A map with known keys only.
    Object,
    /// A map with known and other keys.
    Open,
    /// A map with any keys.
    Map,
    /// A list; its only child is `[]`.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A hook of a flow: a word and, for a web hook, its request.
    Hook,
    /// Anything.
    Any,
}

impl Type {
    fn named(name: &str) -> Self {
        match name {
            "object" => Type::Object,
            "open" => Type::Open,
            "map" => Type::Map,
            "array" => Type::Array,
            "string" => Type::String,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            "@hook" => Type::Hook,
            _ => Type::Any,
        }
    }
}

/// A key and what may stand below it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The key; `[]` for the items of a list.
    pub name: &'static str,
    /// The type of its value.
    pub kind: Type,
    /// Rules such as `len>=16`, `=json|text`, `uri`.
    pub rules: Vec<&'static str>,
    /// Whether the parent is invalid without it.
    pub required: bool,
    /// The keys below.
    pub children: Vec<Node>,
}

impl Node {
    /// The child with this key.
    pub fn child(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// The outline of `release`, as the node of the whole document.
pub fn of(release: Release) -> Node {
    let mut lines = OUTLINE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    let children = block(&mut lines, 0, release);
    Node { name: "", kind: Type::Object, rules: Vec::new(), required: true, children }
}

fn block<I: Iterator<Item = &'static str>>(
    lines: &mut std::iter::Peekable<I>,
    depth: usize,
    release: Release,
) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(line) = lines.next_if(|line| indent(line) == depth) {
        let children = block(lines, depth + 1, release);
        let mut words = line.split_whitespace();
        let names = words.next().unwrap_or_default();
        let kind = Type::named(words.next().unwrap_or_default());
        let rules: Vec<&'static str> = words.collect();
        if !rules.iter().all(|rule| known_to(rule, release)) {
            continue;
        }
        for name in names.split('|') {
            nodes.push(Node {
                name,
                kind,
                rules: rules.clone(),
                required: rules.contains(&"required"),
                children: children.clone(),
            });
        }
    }
    nodes
}

fn indent(line: &str) -> usize {
    (line.len() - line.trim_start().len()) / 2
}

fn known_to(rule: &str, release: Release) -> bool {
    let bound = |name: &str| Release::named(Some(name));
    match (rule.strip_prefix("since:"), rule.strip_prefix("until:")) {
        (Some(first), _) => bound(first).is_some_and(|first| release >= first),
        (_, Some(last)) => bound(last).is_some_and(|last| release <= last),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_and_go_with_releases() {
        let (old, new) = (of(Release::V1_3_1), of(Release::V26_2_0));
        assert!(old.child("revision").is_none() && new.child("revision").is_some());
        let sms = |root: &Node| root.child("courier").and_then(|courier| courier.child("sms")).is_some();
        assert!(sms(&old) && !sms(&new));
        let port = new.child("serve").and_then(|serve| serve.child("admin")?.child("port")).unwrap();
        assert_eq!((port.kind, port.rules.as_slice()), (Type::Integer, &[">=1", "<=65535"][..]));
        assert!(new.child("identity").and_then(|identity| identity.child("schemas")).unwrap().required);
    }
}

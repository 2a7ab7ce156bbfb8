//! SQL text cut into statements of words and signs, as far as it takes to see which objects a migration makes.

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A word or number in lower case, as the server folds it.
    Word(String),
    /// A quoted name, as it is.
    Quoted(String),
    /// The content of a string does not matter here.
    Text,
    Sign(char),
}

impl Token {
    /// Whether it is this keyword.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word == keyword)
    }

    /// The name that it is, if it may be one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Text | Self::Sign(_) => None,
        }
    }
}

/// Cuts `sql` into its statements; comments and empty statements are left out.
pub fn statements(sql: &str) -> Vec<Vec<Token>> {
    let mut statements = vec![Vec::new()];
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first);
        rest = rest.get(length..).unwrap_or_default();
        match token {
            Some(Token::Sign(';')) => statements.push(Vec::new()),
            Some(token) => {
                if let Some(last) = statements.last_mut() {
                    last.push(token);
                }
            }
            None => {}
        }
    }
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// The first token of `rest`, `None` for space and comments, and its length in bytes.
fn next(rest: &str, first: char) -> (Option<Token>, usize) {
    if first.is_whitespace() {
        return (None, first.len_utf8());
    }
    if rest.starts_with("--") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, comment(rest));
    }
    match first {
        '\'' => return (Some(Token::Text), quoted(rest, '\'').1),
        '"' => {
            let (name, length) = quoted(rest, '"');
            return (Some(Token::Quoted(name)), length);
        }
        '$' => {
            if let Some(length) = dollar_quoted(rest) {
                return (Some(Token::Text), length);
            }
        }
        _ => {}
    }
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '$');
    let length = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
    if length == 0 || first == '$' {
        return (Some(Token::Sign(first)), first.len_utf8());
    }
    let word = rest.get(..length).unwrap_or_default().to_lowercase();
    (Some(Token::Word(word)), length)
}

/// Comments nest.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    loop {
        let tail = rest.get(at..).unwrap_or_default();
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else if let Some(character) = tail.chars().next() {
            at += character.len_utf8();
        } else {
            return rest.len();
        }
    }
}

/// The content between two `quote` signs, a doubled one standing for itself, and the length with the signs.
fn quoted(rest: &str, quote: char) -> (String, usize) {
    let mut content = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return (content, at + 1);
        }
        content.push(character);
    }
    (content, rest.len())
}

/// The length of a string between two `$tag$`.
fn dollar_quoted(rest: &str) -> Option<usize> {
    let end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..end)?;
    let is_tag =
        tag.trim_matches('$').chars().all(|character| character.is_alphanumeric() || character == '_');
    if !is_tag {
        return None;
    }
    Some(rest.get(end..)?.find(tag).map_or(rest.len(), |at| end + at + end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_strings_hide_what_is_in_them() {
        let sql = "-- a; b\nALTER /* x /* ; */ */ \"My\"\"T\" 'it''s;' $$ ; $$ $t$;$$;$t$;; x1, $1";
        let word = |text: &str| Token::Word(text.to_owned());
        assert_eq!(
            statements(sql),
            [
                vec![word("alter"), Token::Quoted("My\"T".to_owned()), Token::Text, Token::Text, Token::Text],
                vec![word("x1"), Token::Sign(','), Token::Sign('$'), word("1")]
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_cut(sql in "\\PC*|[-a$'\"/*;, \n]*") {
            for statement in statements(&sql) {
                prop_assert!(!statement.contains(&Token::Sign(';')) && !statement.is_empty());
            }
        }
    }
}

//! SQL as words: enough of PostgreSQL's lexical rules to tell statements apart and to find names in them.
//!
//! Comments go, literals become [`Token::Literal`], so nothing inside of them is ever taken for SQL.

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A key word or a name, in lower case.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A string (also in dollar quotes) or a number.
    Literal,
    Symbol(char),
}

impl Token {
    /// Whether it is this word.
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text == word)
    }

    /// The name that it is, if it may be one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Word(name) | Self::Quoted(name) => Some(name),
            Self::Literal | Self::Symbol(_) => None,
        }
    }
}

/// Cuts a script into statements of at least one token.
pub fn statements(sql: &str) -> Vec<Vec<Token>> {
    let tokens = tokens(sql);
    let parts = tokens.split(|token| *token == Token::Symbol(';'));
    parts.filter(|statement| !statement.is_empty()).map(<[Token]>::to_vec).collect()
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        rest = if first.is_whitespace() {
            rest.trim_start()
        } else if rest.starts_with("--") {
            rest.split_once('\n').map_or("", |(_, after)| after)
        } else if rest.starts_with("/*") {
            after_comment(rest)
        } else if first == '\'' {
            // With standard_conforming_strings a backslash is itself; only E'' strings know escapes.
            let escapes = matches!(tokens.last(), Some(Token::Word(word)) if word == "e")
                && sql[..sql.len() - rest.len()].ends_with(['e', 'E']);
            if escapes {
                tokens.pop();
            }
            tokens.push(Token::Literal);
            after_string(rest, escapes)
        } else if first == '"' {
            let (name, after) = quoted(rest);
            tokens.push(Token::Quoted(name));
            after
        } else if let Some(after) = after_dollars(rest) {
            tokens.push(Token::Literal);
            after
        } else if is_word(first) {
            let end = rest.find(|next| !is_word(next) && next != '$').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let is_number = first.is_ascii_digit();
            tokens.push(if is_number { Token::Literal } else { Token::Word(word.to_lowercase()) });
            after
        } else {
            tokens.push(Token::Symbol(first));
            &rest[first.len_utf8()..]
        };
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Comments nest.
fn after_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        if let Some(inner) = rest.strip_prefix("/*") {
            (depth, rest) = (depth + 1, inner);
        } else if let Some(outer) = rest.strip_prefix("*/") {
            (depth, rest) = (depth - 1, outer);
            if depth == 0 {
                return rest;
            }
        } else {
            let mut characters = rest.chars();
            if characters.next().is_none() {
                return "";
            }
            rest = characters.as_str();
        }
    }
}

fn after_string(text: &str, escapes: bool) -> &str {
    let mut characters = text.chars();
    characters.next();
    while let Some(character) = characters.next() {
        match character {
            '\\' if escapes => drop(characters.next()),
            '\'' if characters.as_str().starts_with('\'') => drop(characters.next()),
            '\'' => return characters.as_str(),
            _ => {}
        }
    }
    ""
}

fn quoted(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.chars();
    characters.next();
    while let Some(character) = characters.next() {
        if character == '"' {
            if !characters.as_str().starts_with('"') {
                break;
            }
            characters.next();
        }
        name.push(character);
    }
    (name, characters.as_str())
}

/// What follows `$tag$…$tag$`, if the text begins with it.
fn after_dollars(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('$')?;
    let (tag, _) = inner.split_once('$')?;
    if !tag.chars().all(is_word) || tag.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let delimiter = &text[..tag.len() + 2];
    let body = &text[delimiter.len()..];
    Some(body.split_once(delimiter).map_or("", |(_, after)| after))
}

/// Cuts at the commas that stand in no parentheses.
pub fn at_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token {
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && *token == Token::Symbol(',')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comments_and_strings_hide_what_is_in_them() {
        let sql =
            "-- a; b\nALTER /* x /* ; */ */ \"My\"\"T\" 'it''s;' E'it\\'s; ' $$ ; $$ $t$;$$;$t$;; x1, $1";
        let word = |text: &str| Token::Word(text.to_owned());
        let literal = Token::Literal;
        assert_eq!(
            statements(sql),
            [
                vec![
                    word("alter"),
                    Token::Quoted("My\"T".to_owned()),
                    literal.clone(),
                    literal.clone(),
                    literal.clone(),
                    literal.clone(),
                ],
                vec![word("x1"), Token::Symbol(','), Token::Symbol('$'), literal]
            ]
        );
        assert!(statements("  -- nothing\n ; /* open").is_empty());
        assert_eq!(statements("SELECT 'never closed; DROP TABLE x").len(), 1);
    }

    #[test]
    fn commas_in_parentheses_do_not_cut() {
        assert_eq!(at_commas(&statements("ADD a NUMERIC(1, 2), DROP b")[0]).len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_is_cut(sql in "\\PC*|[-a$'\"/*;,()\\\\E1_. \n]*") {
            for statement in statements(&sql) {
                prop_assert!(!statement.contains(&Token::Symbol(';')) && !statement.is_empty());
                at_commas(&statement);
            }
        }
    }
}

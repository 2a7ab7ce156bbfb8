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
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text == word)
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

/// A place in a statement.
pub struct Cursor<'a> {
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    pub fn new(tokens: &'a [Token]) -> Self {
        Self { tokens }
    }

    /// What stands after this place.
    pub fn rest(&self) -> &'a [Token] {
        self.tokens
    }

    /// Steps over `words` (separated by spaces) if they stand here.
    pub fn eat(&mut self, words: &str) -> bool {
        let mut tokens = self.tokens;
        for word in words.split(' ') {
            match tokens.split_first() {
                Some((token, after)) if token.is(word) => tokens = after,
                _ => return false,
            }
        }
        self.tokens = tokens;
        true
    }

    /// Steps over a name, `a` or `schema.a`, and returns its last part.
    pub fn name(&mut self) -> Option<String> {
        let (Token::Word(name) | Token::Quoted(name), after) = self.tokens.split_first()? else {
            return None;
        };
        self.tokens = after;
        match after.split_first() {
            Some((Token::Symbol('.'), part)) => {
                self.tokens = part;
                self.name()
            }
            _ => Some(name.clone()),
        }
    }

    /// Steps over names that are separated by commas.
    pub fn names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while let Some(name) = self.name() {
            names.push(name);
            match self.tokens.split_first() {
                Some((Token::Symbol(','), after)) => self.tokens = after,
                _ => break,
            }
        }
        names
    }
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

/// The names that follow `words` (and perhaps ONLY) anywhere.
pub fn names_after(tokens: &[Token], words: &str) -> Vec<String> {
    let after = |at: usize| {
        let mut cursor = Cursor::new(&tokens[at..]);
        if !cursor.eat(words) {
            return None;
        }
        cursor.eat("only");
        cursor.name()
    };
    (0..tokens.len()).filter_map(after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_words(sql: &str) -> Vec<String> {
        let name = |statement: &Vec<Token>| Cursor::new(statement).name().unwrap_or_default();
        statements(sql).iter().map(name).collect()
    }

    #[test]
    fn semicolons_in_strings_and_comments_end_nothing() {
        let sql = "-- a; b\nSELECT 'x;''y', E'it\\'s; ', $$a;b$$, $t$;$$;$t$ /* ; /* ; */ ; */ ; ; UPDATE \"T;1\" SET a=1;";
        assert_eq!(first_words(sql), ["select", "update"]);
        assert!(statements("  -- nothing\n ; /* open").is_empty());
        assert_eq!(statements("SELECT 'never closed; DROP TABLE x").len(), 1);
    }

    #[test]
    fn names_lose_schema_and_quotes() {
        let statement = &statements(r#"DROP TABLE public."My""Table", Other"#)[0];
        let mut cursor = Cursor::new(statement);
        assert!(!cursor.eat("drop index") && cursor.eat("drop table"));
        assert_eq!(cursor.names(), ["My\"Table", "other"]);
        assert!(cursor.rest().is_empty());
    }

    #[test]
    fn commas_in_parentheses_do_not_cut() {
        let statement = &statements("ADD a NUMERIC(1, 2), DROP b")[0];
        assert_eq!(at_commas(statement).len(), 2);
        assert_eq!(names_after(statement, "drop"), ["b"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(sql in "[a-z'\"$;/*\\-\\\\ \n(,)éE1_.]{0,80}") {
            for statement in statements(&sql) {
                proptest::prop_assert!(!statement.is_empty());
                at_commas(&statement);
            }
        }
    }
}

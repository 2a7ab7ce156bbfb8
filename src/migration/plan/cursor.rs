//! Finding names in the tokens of a statement.

use crate::migration::sql::Token;

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
    use crate::migration::sql::statements;

    #[test]
    fn names_lose_schema_and_quotes() {
        let statement = &statements(r#"DROP TABLE public."My""Table", Other"#)[0];
        let mut cursor = Cursor::new(statement);
        assert!(!cursor.eat("drop index") && cursor.eat("drop table"));
        assert_eq!(cursor.names(), ["My\"Table", "other"]);
        assert!(cursor.rest().is_empty());
    }

    #[test]
    fn names_are_found_anywhere() {
        let statement = &statements("ADD a NUMERIC(1, 2), DROP b, DROP ONLY c")[0];
        assert_eq!(names_after(statement, "drop"), ["b", "c"]);
    }
}

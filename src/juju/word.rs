//! Words of the commands that a person is told to run: a text becomes one word of a shell, whatever it holds.

/// A text as a shell takes it for one word. What needs no quotes stays as it is.
pub fn quoted(text: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_.:/@+=,".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_would_change_is_quoted() {
        for plain in ["social_user_v0", "ada+x@example.com", "a=b,c:/d"] {
            assert_eq!(quoted(plain), plain);
        }
        for (text, word) in [("", "''"), ("b: #", "'b: #'"), ("$(x)`y`", "'$(x)`y`'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(quoted(text), word);
        }
    }
}

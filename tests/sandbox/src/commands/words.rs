//! Splits a command line into words as a shell does, without expanding anything.

/// The words of a line: blanks separate, quotes of both kinds keep together, a backslash takes the next
/// character as it is, `#` at the start of a word begins a comment.
///
/// # Errors
/// A quote is not closed, or the line ends with a backslash.
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err(format!("unclosed ' in: {line}")),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some(c) => word.extend(['\\', c]),
                            None => return Err(format!("unclosed \" in: {line}")),
                        },
                        Some(c) => word.push(c),
                        None => return Err(format!("unclosed \" in: {line}")),
                    }
                }
            }
            '\\' => match chars.next() {
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err(format!("nothing after \\ in: {line}")),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_split_as_a_shell_splits_them() {
        for (line, words) in [
            ("a  b\tc", vec!["a", "b", "c"]),
            ("k='a b' \"x\\\"y\" z\\ z", vec!["k=a b", "x\"y", "z z"]),
            ("'' # rest", vec![""]),
            ("a#b \"\\n\"", vec!["a#b", "\\n"]),
        ] {
            assert_eq!(super::words(line).unwrap(), words, "{line}");
        }
        for line in ["'a", "\"a", "a\\"] {
            assert!(super::words(line).is_err(), "{line}");
        }
    }
}

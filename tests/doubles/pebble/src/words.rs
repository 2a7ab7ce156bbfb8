//! Splits a service's or check's command into words like a shell would, without running one.
//!
//! It is given the text of `command:` and gives the words; quotes and backslashes group, nothing is expanded.

/// Splits a command; trailing `[ a b ]` of a service (default arguments) loses its brackets.
///
/// # Errors
/// The reason, e.g. `EOF found when expecting closing quote`.
pub fn split(command: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '#' if word.is_none() => break,
            '\\' => match rest.next() {
                Some(escaped) => word.get_or_insert_default().push(escaped),
                None => return Err("EOF found after escape character".into()),
            },
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('\'') => break,
                        Some(inner) => word.push(inner),
                        None => return Err("EOF found when expecting closing quote".into()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match rest.next() {
                        Some('"') => break,
                        Some('\\') => match rest.next() {
                            Some(escaped) => word.push(escaped),
                            None => return Err("EOF found after escape character".into()),
                        },
                        Some(inner) => word.push(inner),
                        None => return Err("EOF found when expecting closing quote".into()),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// The command of a service: brackets of default arguments checked and taken off.
///
/// # Errors
/// The reason, naming the service.
pub fn service_command(service: &str, command: &str) -> Result<Vec<String>, String> {
    let words =
        split(command).map_err(|error| format!("cannot parse service {service:?} command: {error}"))?;
    let Some(open) = words.iter().position(|word| word == "[") else {
        return if words.iter().any(|word| word == "]") {
            Err(format!("cannot parse service {service:?} command: [ ... ] not properly balanced"))
        } else {
            Ok(words)
        };
    };
    if open == 0 {
        return Err(format!(
            "cannot parse service {service:?} command: cannot start command with [ ... ] group"
        ));
    }
    match words.iter().position(|word| word == "]") {
        Some(close) if close > open && close + 1 == words.len() => {
            let inner = &words[open + 1..close];
            if inner.iter().any(|word| word == "[") {
                return Err(format!("cannot parse service {service:?} command: cannot nest [ ... ] groups"));
            }
            Ok(words[..open].iter().chain(inner).cloned().collect())
        }
        Some(close) if close > open => Err(format!(
            "cannot parse service {service:?} command: cannot have any arguments after [ ... ] group"
        )),
        _ => Err(format!("cannot parse service {service:?} command: [ ... ] not properly balanced")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_but_never_expanded() {
        assert_eq!(
            split(r#"/bin/sh -c "echo \"$HOME\"; true" 'a b' c\ d ''"#),
            Ok(["/bin/sh", "-c", "echo \"$HOME\"; true", "a b", "c d", ""].map(String::from).to_vec())
        );
        assert_eq!(split("x \"y"), Err("EOF found when expecting closing quote".into()));
    }

    #[test]
    fn default_arguments_lose_their_brackets() {
        assert_eq!(service_command("s", "sleep [ 1 2 ]"), Ok(["sleep", "1", "2"].map(String::from).to_vec()));
        assert!(service_command("s", "sleep [ 1").is_err());
    }
}

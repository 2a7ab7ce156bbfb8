//! Go's `path.Match`: shell patterns on one name.
//!
//! It is given a pattern and a name; `*` and `?` do not match a slash, `[a-z]` and `[^a]` are classes, `\` escapes.

/// The pattern is malformed.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

enum Part {
    Star,
    Any,
    Class(bool, Vec<(char, char)>),
    One(char),
}

fn parts(pattern: &str) -> Result<Vec<Part>, Malformed> {
    let mut parts = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        parts.push(match c {
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::One(rest.next().ok_or(Malformed)?),
            '[' => {
                let negated = rest.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let mut bound = || match rest.next() {
                        None | Some('-') => Err(Malformed),
                        Some('\\') => rest.next().ok_or(Malformed),
                        Some(c) => Ok(c),
                    };
                    let low = bound()?;
                    if low == ']' && !ranges.is_empty() {
                        break;
                    }
                    if low == ']' {
                        return Err(Malformed);
                    }
                    let high = if rest.next_if_eq(&'-').is_some() {
                        match rest.next() {
                            None | Some(']' | '-') => return Err(Malformed),
                            Some('\\') => rest.next().ok_or(Malformed)?,
                            Some(c) => c,
                        }
                    } else {
                        low
                    };
                    ranges.push((low, high));
                }
                Part::Class(negated, ranges)
            }
            other => Part::One(other),
        });
    }
    Ok(parts)
}

fn fits(parts: &[Part], name: &[char]) -> bool {
    match (parts.first(), name.first()) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(Part::Star), _) => {
            let reach = name.iter().position(|c| *c == '/').unwrap_or(name.len());
            (0..=reach).any(|skip| fits(&parts[1..], &name[skip..]))
        }
        (Some(_), None) => false,
        (Some(part), Some(c)) => {
            let one = match part {
                Part::One(wanted) => wanted == c,
                Part::Any => *c != '/',
                Part::Class(negated, ranges) => {
                    ranges.iter().any(|(low, high)| (low..=high).contains(&c)) != *negated
                }
                Part::Star => false,
            };
            one && fits(&parts[1..], &name[1..])
        }
    }
}

/// Whether a name matches a pattern.
///
/// # Errors
/// A pattern that is malformed.
pub fn matches(pattern: &str, name: &str) -> Result<bool, Malformed> {
    let name: Vec<char> = name.chars().collect();
    Ok(fits(&parts(pattern)?, &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_go() {
        for (pattern, name, expected) in [
            ("*.txt", "a.txt", Ok(true)),
            ("*.txt", "a.txt.bak", Ok(false)),
            ("?[a-c]", "xb", Ok(true)),
            ("[^a]", "a", Ok(false)),
            ("\\*", "*", Ok(true)),
            ("[", "x", Err(Malformed)),
            ("[]", "x", Err(Malformed)),
            ("*", "", Ok(true)),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        }
    }
}

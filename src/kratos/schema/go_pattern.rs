//! Whether a regular expression is one that Kratos can read.
//!
//! A JSON schema means ECMA's expressions, Kratos reads it with those of Go: no look-around, no reference back to a group,
//! no `\u0061`, no empty class, at most 1000 repeats. Given a pattern it is written down anew in the syntax of the crate
//! `regex-syntax`, which is Go's but for a few characters, and parsed. No crate speaks Go's grammar itself; the answers are
//! compared with those of real Kratos releases.

use std::iter::Peekable;
use std::str::Chars;

use regex_syntax::hir::{Hir, HirKind};

/// Go repeats nothing more often, nested repeats multiplied.
const MOST_REPEATS: u32 = 1000;

/// Whether Go knows the pattern.
pub fn is_go_pattern(pattern: &str) -> bool {
    let mut writer = PatternWriter { rest: pattern.chars().peekable(), text: String::new() };
    writer.expression().is_some()
        && regex_syntax::parse(&writer.text).is_ok_and(|parsed| is_repeated_at_most(&parsed, MOST_REPEATS))
}

struct PatternWriter<'p> {
    rest: Peekable<Chars<'p>>,
    text: String,
}

/// `None` anywhere: Go does not know it.
impl PatternWriter<'_> {
    fn expression(&mut self) -> Option<()> {
        let mut is_repeated = false;
        while let Some(character) = self.rest.next() {
            let count = (character == '{').then(|| self.count()).flatten();
            if matches!(character, '*' | '+' | '?') || count.is_some() {
                if is_repeated {
                    return None;
                }
                self.text.push(character);
                self.take(count.unwrap_or(0));
                if self.rest.next_if_eq(&'?').is_some() {
                    self.text.push('?');
                }
                is_repeated = true;
                continue;
            }
            is_repeated = false;
            match character {
                '\\' => self.escape(true)?,
                '[' => self.class()?,
                '(' => self.group()?,
                '{' | '}' => self.literal(character),
                _ => self.text.push(character),
            }
        }
        Some(())
    }

    /// How long the rest of `{2}`, `{2,}` or `{2,3}` is; anything else is a brace and nothing more.
    fn count(&self) -> Option<usize> {
        let inner: String = self.rest.clone().take_while(|character| *character != '}').collect();
        let is_closed = self.rest.clone().nth(inner.chars().count()).is_some();
        let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (is_closed && !least.is_empty() && is_number(least) && is_number(most)).then_some(inner.len() + 1)
    }

    fn group(&mut self) -> Option<()> {
        self.text.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Some(());
        }
        self.text.push('?');
        let ahead: String = self.rest.clone().take(3).collect();
        let is_named = ahead.starts_with("P<") || ahead.starts_with('<') && !ahead.starts_with("<=");
        if is_named && !ahead.starts_with("<!") {
            return Some(());
        }
        while let Some(flag) = self.rest.next_if(|flag| matches!(flag, 'i' | 'm' | 's' | 'U' | '-')) {
            self.text.push(flag);
        }
        matches!(self.rest.peek(), Some(':' | ')')).then_some(())
    }

    fn class(&mut self) -> Option<()> {
        self.text.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.text.push('^');
        }
        let mut is_first = true;
        while is_first || self.rest.peek() != Some(&']') {
            is_first = false;
            if self.named_class() {
                continue;
            }
            let is_set = self.member()?;
            let mut ahead = self.rest.clone();
            if !is_set && ahead.next() == Some('-') && ahead.next().is_some_and(|character| character != ']')
            {
                self.take(1);
                self.member()?;
            }
        }
        self.take(1);
        Some(())
    }

    /// Takes `[:alpha:]`, if that comes next.
    fn named_class(&mut self) -> bool {
        let rest: String = self.rest.clone().collect();
        let length = rest.strip_prefix("[:").and_then(|rest| rest.find(":]")).map_or(0, |at| at + 4);
        self.take(length);
        length > 0
    }

    /// Takes a character of a class; tells whether it stands for several.
    fn member(&mut self) -> Option<bool> {
        match self.rest.next()? {
            '\\' => {
                let is_set = self.rest.peek().is_some_and(|next| "dDsSwWpP".contains(*next));
                self.escape(false)?;
                Some(is_set)
            }
            character => {
                self.literal(character);
                Some(false)
            }
        }
    }

    fn escape(&mut self, is_outside: bool) -> Option<()> {
        let character = self.rest.next()?;
        match character {
            'Q' if is_outside => {
                let rest: String = self.rest.clone().collect();
                let (quoted, end) = rest.split_once("\\E").map_or((rest.as_str(), 0), |(text, _)| (text, 2));
                self.text += &regex_syntax::escape(quoted);
                self.rest.nth((quoted.chars().count() + end).checked_sub(1)?);
            }
            '0'..='7' => {
                let mut code = character.to_digit(8)?;
                let is_octal = |next: &char| next.is_digit(8);
                if character != '0' && !self.rest.peek().is_some_and(is_octal) {
                    return None;
                }
                for _ in 0..2 {
                    let Some(digit) = self.rest.next_if(is_octal) else { break };
                    code = code * 8 + digit.to_digit(8)?;
                }
                self.text += &format!("\\x{{{code:x}}}");
            }
            'p' | 'P' => {
                self.text.extend(['\\', character]);
                if self.rest.peek() == Some(&'{') {
                    let name: String = self.rest.clone().take_while(|next| *next != '}').collect();
                    if name.contains(['=', ':']) {
                        return None;
                    }
                    self.take(name.chars().count() + 1);
                }
            }
            'x' => {
                self.text += "\\x";
                let length = if self.rest.peek() == Some(&'{') {
                    self.rest.clone().take_while(|next| *next != '}').count() + 1
                } else {
                    2
                };
                self.take(length);
            }
            'a' | 'f' | 'n' | 'r' | 't' | 'v' | 'd' | 'D' | 's' | 'S' | 'w' | 'W' => {
                self.text.extend(['\\', character]);
            }
            'A' | 'b' | 'B' | 'z' if is_outside => self.text.extend(['\\', character]),
            _ if character.is_ascii() && !character.is_ascii_alphanumeric() => self.literal(character),
            _ => return None,
        }
        Some(())
    }

    fn literal(&mut self, character: char) {
        if regex_syntax::is_meta_character(character) {
            self.text.push('\\');
        }
        self.text.push(character);
    }

    /// Takes so many characters over as they are.
    fn take(&mut self, count: usize) {
        self.text.extend(self.rest.by_ref().take(count));
    }
}

fn is_repeated_at_most(expression: &Hir, most: u32) -> bool {
    match expression.kind() {
        HirKind::Repetition(repeat) => {
            let times = repeat.max.unwrap_or(repeat.min);
            times <= most && is_repeated_at_most(&repeat.sub, most / times.max(1))
        }
        HirKind::Capture(capture) => is_repeated_at_most(&capture.sub, most),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().all(|part| is_repeated_at_most(part, most))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Each of these was tried as the pattern of a trait with Kratos v1.3.1, v25.4.0 and v26.2.0.

    #[test]
    fn what_kratos_reads_is_let_through() {
        for pattern in [
            "",
            r"^[\w\-\.@]+$",
            r"^\p{L}",
            r"^\p{Latin}",
            r"^[^\/]+$",
            "^.{0,1000}$",
            "(?i)^A",
            r"\Q@\E",
            "^[[:alpha:]]",
            "(?P<n>a)",
            "(?<n>a)",
            r"\Aa.*\z",
            r"^[^[\]]+$",
            "^a+?",
            r"^[^\0]",
            r"^[\x21-\x7e]+$",
            "^[(?=a]",
            r"^a|\(?=a",
            "^a{,5}b{c}$",
            "[]a&&b~~-]",
            r"^[\w-.]+@[a-z0-9.-]+\.[a-z]{2,}$",
            r"^\+[1-9][0-9]{7,14}$",
            r"\x{10FFFF}|\012",
        ] {
            assert!(is_go_pattern(pattern), "{pattern}");
        }
    }

    #[test]
    fn what_kratos_does_not_read_is_found() {
        for pattern in [
            "^(?=.*@).*$",
            "^(?!x)",
            "(?<!x)a",
            "(?<=x)a",
            r"^(a)\1$",
            r"^[\u0061-z0-9@.]+$",
            r"^[^\cA]+$",
            "^.{0,1001}$",
            "^((.{0,100}){0,100})$",
            "([",
            "a++",
            "^[^]a",
            r"^[^\b]+$",
            r"^a.*\Z",
            r"^\i",
            r"^\p{Script=Latin}",
            "(?x)a",
            "(?>a)",
            "a{2}{3}",
            "\\",
            "*a",
            "a)",
        ] {
            assert!(!is_go_pattern(pattern), "{pattern}");
        }
    }
}

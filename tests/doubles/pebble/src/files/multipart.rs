//! Multipart bodies as Go reads and writes them.
//!
//! It is given a body and its boundary and gives parts one after the other; a body that breaks off is found out at the part
//! that it breaks in.

use std::{
    hash::{BuildHasher as _, Hasher as _, RandomState},
    time::{SystemTime, UNIX_EPOCH},
};

/// A random number that is good enough for names, not for secrets.
pub fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u128(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos()));
    hasher.finish()
}

/// A boundary of sixty hexadecimal digits.
#[must_use]
pub fn boundary() -> String {
    let digits: String = (0..4).map(|_| format!("{:016x}", random())).collect();
    digits[..60].to_owned()
}

/// A file name inside quotes.
#[must_use]
pub fn escape(name: &str) -> String {
    name.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "%0D").replace('\n', "%0A")
}

/// The boundary named by a content type.
#[must_use]
pub fn boundary_of(content_type: &str) -> String {
    let parameter = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then_some(value)
    });
    parameter.unwrap_or_default().trim_matches('"').to_owned()
}

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field's name.
    pub name: String,
    /// The file name, unescaped.
    pub filename: String,
    /// The content.
    pub content: &'a [u8],
}

/// Reads the parts of a body.
pub struct Parts<'a> {
    rest: &'a [u8],
    delimiter: Vec<u8>,
    begun: bool,
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

impl<'a> Parts<'a> {
    /// Begins to read.
    #[must_use]
    pub fn new(body: &'a [u8], boundary: &str) -> Self {
        Self { rest: body, delimiter: format!("\r\n--{boundary}").into_bytes(), begun: false }
    }

    /// The next part; `Ok(None)` after the last one.
    ///
    /// # Errors
    /// Go's words for a body that breaks off.
    pub fn next(&mut self) -> Result<Option<Part<'a>>, String> {
        let eof = || "multipart: NextPart: EOF".to_owned();
        if !self.begun {
            let dashes = &self.delimiter[2..];
            let start = if self.rest.starts_with(dashes) {
                dashes.len()
            } else {
                find(self.rest, &self.delimiter).ok_or_else(eof)? + self.delimiter.len()
            };
            self.rest = &self.rest[start..];
            self.begun = true;
        }
        if self.rest.starts_with(b"--") {
            return Ok(None);
        }
        let head = self.rest.strip_prefix(b"\r\n").ok_or_else(eof)?;
        let (headers, content) = if let Some(content) = head.strip_prefix(b"\r\n") {
            (&head[..0], content)
        } else {
            let end = find(head, b"\r\n\r\n").ok_or_else(eof)?;
            (&head[..end], &head[end + 4..])
        };
        // An empty part has its delimiter at once, without a line break of its own.
        let (content, rest) = if content.starts_with(&self.delimiter[2..]) {
            (&content[..0], &content[self.delimiter.len() - 2..])
        } else {
            let end = find(content, &self.delimiter).ok_or_else(eof)?;
            (&content[..end], &content[end + self.delimiter.len()..])
        };
        self.rest = rest;
        let headers = String::from_utf8_lossy(headers);
        let disposition = headers
            .split("\r\n")
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))
            .map_or("", |(_, value)| value);
        let (name, filename) = (parameter(disposition, "name"), parameter(disposition, "filename"));
        Ok(Some(Part { name, filename, content }))
    }
}

/// A quoted (or bare) parameter: `\"` and `\\` are unescaped, any other backslash stays.
fn parameter(header: &str, wanted: &str) -> String {
    let mut rest = header;
    while let Some((_, after)) = rest.split_once(';') {
        let after = after.trim_start();
        let Some((name, value)) = after.split_once('=') else { break };
        let mut text = String::new();
        let mut end = value.len();
        if let Some(quoted) = value.strip_prefix('"') {
            let mut characters = quoted.char_indices().peekable();
            while let Some((at, c)) = characters.next() {
                match c {
                    '"' => {
                        end = at + 2;
                        break;
                    }
                    '\\' => match characters.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                        Some((_, escaped)) => text.push(escaped),
                        None => text.push('\\'),
                    },
                    c => text.push(c),
                }
            }
        } else {
            end = value.find(';').unwrap_or(value.len());
            value[..end].trim().clone_into(&mut text);
        }
        if name.trim().eq_ignore_ascii_case(wanted) {
            return text;
        }
        rest = &value[end..];
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_with_their_names_unescaped() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"files\"; filename=\"/a;\\\"\\\\ \\s\"\r\n\r\nx\r\n--notb\r\n--b\r\n\r\n\r\n--b--\r\n";
        let mut parts = Parts::new(body.as_bytes(), "b");
        let part = parts.next().expect("whole").expect("a part");
        assert_eq!((part.name.as_str(), part.filename.as_str()), ("files", "/a;\"\\ \\s"));
        assert_eq!(part.content, b"x\r\n--notb");
        assert_eq!(parts.next().expect("whole").expect("a part").content, b"");
        assert_eq!(parts.next(), Ok(None));
    }

    #[test]
    fn a_body_that_breaks_off_is_an_error() {
        let mut parts = Parts::new(b"--b\r\nA: b\r\n\r\ncontent", "b");
        assert_eq!(parts.next(), Err("multipart: NextPart: EOF".into()));
    }
}

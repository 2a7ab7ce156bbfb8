//! Reads a multipart body piece by piece: given chunks cut anywhere, it yields the parts' heads and their
//! bytes.
//!
//! It holds no more than one chunk and one delimiter, so that a file of any size passes through, and looks at
//! each byte once, so that a big one is not slow. The grammar is that of Go's writer, which Pebble uses. The
//! crate multer does not serve: it takes in whatever the connection has before it hands out a byte (200 MB of
//! 200 MB from a fast one), bounds no head, and misreads a file name that ends in a backslash.

use super::error::Error;
use bytes::{Bytes, BytesMut};

/// More than the longest path of Linux, escaped, needs.
const HEAD_LIMIT: usize = 64 * 1024;

/// One step through the body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A part begins; the one before it, if any, has ended.
    Part(Head),
    /// Bytes of the part that began last.
    Data(Bytes),
    /// The body has ended as it should.
    End,
}

/// What a part's Content-Disposition says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) name: String,
    pub(super) filename: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Preamble,
    /// Just behind a delimiter.
    Delimiter,
    Head,
    Body,
    Done,
}

#[derive(Debug)]
pub(super) struct Reader {
    delimiter: Vec<u8>,
    buffer: BytesMut,
    state: State,
}

impl Reader {
    /// A reader of a body with this Content-Type.
    pub(super) fn new(content_type: &str) -> Result<Self, Error> {
        let boundary = content_type
            .strip_prefix("multipart/form-data")
            .and_then(|rest| parameter(rest, "boundary"))
            .filter(|boundary| !boundary.is_empty())
            .ok_or_else(|| Error::protocol(format!("files come as {content_type:?}, not as multipart")))?;
        // The first delimiter stands at the very beginning, all others behind a line break: give the first
        // one its own.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Ok(Self { delimiter: format!("\r\n--{boundary}").into_bytes(), buffer, state: State::Preamble })
    }

    /// Takes the next chunk of the body.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next event, or None when another chunk is needed for it.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match self.state {
                State::Preamble => match self.find_delimiter() {
                    Ok(at) => {
                        let _preamble = self.buffer.split_to(at + self.delimiter.len());
                        self.state = State::Delimiter;
                    }
                    Err(safe) => {
                        let _preamble = self.buffer.split_to(safe);
                        return Ok(None);
                    }
                },
                State::Delimiter => {
                    if self.buffer.len() < 2 {
                        return Ok(None);
                    }
                    self.state = match &self.buffer.split_to(2)[..] {
                        b"--" => State::Done,
                        b"\r\n" => State::Head,
                        _ => return Err(Error::protocol("a multipart delimiter is followed by garbage")),
                    };
                    if self.state == State::Done {
                        return Ok(Some(Event::End));
                    }
                }
                State::Head => match find(&self.buffer, b"\r\n\r\n") {
                    Some(at) => {
                        let head = self.buffer.split_to(at + 4);
                        self.state = State::Body;
                        return Head::parse(&head).map(|head| Some(Event::Part(head)));
                    }
                    None if self.buffer.len() > HEAD_LIMIT => {
                        return Err(Error::protocol("the head of a multipart part does not end"));
                    }
                    None => return Ok(None),
                },
                State::Body => match self.find_delimiter() {
                    Ok(0) => {
                        let _delimiter = self.buffer.split_to(self.delimiter.len());
                        self.state = State::Delimiter;
                    }
                    Ok(length) => return Ok(Some(Event::Data(self.buffer.split_to(length).freeze()))),
                    Err(0) => return Ok(None),
                    Err(length) => return Ok(Some(Event::Data(self.buffer.split_to(length).freeze()))),
                },
                State::Done => return Ok(None),
            }
        }
    }

    /// Where the next delimiter begins, or how many bytes surely belong to what stands before it.
    fn find_delimiter(&self) -> Result<usize, usize> {
        find(&self.buffer, &self.delimiter)
            .ok_or_else(|| self.buffer.len().saturating_sub(self.delimiter.len() - 1))
    }
}

/// Where `needle`, which begins with a carriage return, first stands.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        from += haystack.get(from..)?.iter().position(|&byte| byte == b'\r')?;
        if haystack[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
}

impl Head {
    fn parse(head: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(head)
            .map_err(|_| Error::protocol("the head of a multipart part is not UTF-8"))?;
        for line in text.split("\r\n") {
            let Some((key, value)) = line.split_once(':') else { continue };
            if key.eq_ignore_ascii_case("content-disposition") {
                let name = parameter(value, "name").unwrap_or_default();
                return Ok(Self { name, filename: parameter(value, "filename") });
            }
        }
        Err(Error::protocol("a multipart part has no Content-Disposition"))
    }
}

/// A parameter of a header value `thing; a=b; c="d"`. In quotes, a backslash makes a quote or a backslash
/// plain and stands for itself before anything else.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (text, tail) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if key.trim().eq_ignore_ascii_case(wanted) {
            return Some(text);
        }
        rest = tail.split_once(';')?.1;
    }
}

/// The text up to the closing quote, and what stands behind that.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((text, &quoted[at + 1..])),
            '\\' => match chars.next_if(|(_, next)| matches!(next, '"' | '\\')) {
                Some((_, plain)) => text.push(plain),
                None => text.push('\\'),
            },
            _ => text.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TYPE: &str = "multipart/form-data; boundary=abc";

    type Part = (Head, Vec<u8>);

    /// Feeds a body in pieces that end at `cuts` and gathers the parts.
    fn parse(body: &[u8], cuts: &[usize]) -> Result<(Vec<Part>, bool), Error> {
        let mut reader = Reader::new(TYPE)?;
        let (mut parts, mut ended, mut from) = (Vec::<Part>::new(), false, 0);
        for to in cuts.iter().copied().chain([body.len()]) {
            reader.feed(&body[from..to]);
            from = to;
            while let Some(event) = reader.next()? {
                match event {
                    Event::Part(head) => parts.push((head, Vec::new())),
                    Event::Data(data) => parts.last_mut().expect("data follows a part").1.extend(data),
                    Event::End => ended = true,
                }
            }
        }
        Ok((parts, ended))
    }

    fn escape(path: &str) -> String {
        path.replace('\\', "\\\\").replace('"', "\\\"")
    }

    fn write(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (at, (path, content)) in parts.iter().enumerate() {
            let lead = if at == 0 { "" } else { "\r\n" };
            let disposition = format!("form-data; name=\"files\"; filename=\"{}\"", escape(path));
            body.extend(
                format!(
                    "{lead}--abc\r\nContent-Disposition: {disposition}\r\nContent-Type: text/plain\r\n\r\n"
                )
                .bytes(),
            );
            body.extend(content);
        }
        body.extend(b"\r\n--abc--\r\n");
        body
    }

    proptest! {
        #[test]
        fn parts_come_out_whole_wherever_the_chunks_are_cut(
            parts in proptest::collection::vec(
                (
                    "[^\\p{C}]{1,20}",
                    // Content that is rich in beginnings of delimiters.
                    proptest::collection::vec(proptest::sample::select(&b"\r\n-ab\0"[..]), 0..60),
                ),
                1..4,
            ),
            cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
        ) {
            let delimiter: &[u8] = b"\r\n--abc";
            let clean = |content: &Vec<u8>| !content.windows(delimiter.len()).any(|w| w == delimiter);
            prop_assume!(parts.iter().all(|(_, content)| clean(content)));
            let body = write(&parts);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
            cuts.sort_unstable();
            let (read, ended) = parse(&body, &cuts).unwrap();
            prop_assert!(ended);
            let expected: Vec<_> = parts
                .into_iter()
                .map(|(path, content)| (Head { name: "files".to_owned(), filename: Some(path) }, content))
                .collect();
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..300), lead in any::<bool>()) {
            let mut whole = if lead { b"--abc\r\n".to_vec() } else { Vec::new() };
            whole.extend(body);
            if let Ok((parts, _)) = parse(&whole, &[]) {
                prop_assert!(parts.iter().map(|(_, content)| content.len()).sum::<usize>() <= whole.len());
            }
        }
    }

    #[test]
    fn every_single_cut_of_one_body() {
        let body =
            write(&[("/a \"q\" \\b".to_owned(), b"x\r\n--ab\r\n".to_vec()), ("/b".to_owned(), vec![])]);
        let whole = parse(&body, &[]).unwrap();
        assert!(whole.1);
        for cut in 0..=body.len() {
            assert_eq!(parse(&body, &[cut]).unwrap(), whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_body_that_is_cut_off_has_no_end() {
        let body = write(&[("/a".to_owned(), b"content".to_vec())]);
        assert!(!parse(&body[..body.len() - 4], &[]).unwrap().1);
    }

    #[test]
    fn wrong_types_and_heads_are_refused() {
        for bad in ["application/json", "multipart/form-data", "multipart/form-data; boundary=", ""] {
            assert_eq!(Reader::new(bad).unwrap_err().kind(), "protocol", "{bad}");
        }
        assert!(Reader::new("multipart/form-data; charset=x; boundary=\"a;b\"").is_ok());
        assert!(parse(b"--abc\r\nContent-Type: x\r\n\r\n", &[]).is_err());
        assert!(parse(b"--abcd\r\n\r\n", &[]).is_err());
    }

    #[test]
    fn a_lone_backslash_stands_for_itself() {
        assert_eq!(
            parameter(r#"form-data; name="files"; filename="/b\s\\t\"q;=\""; x=y"#, "filename").unwrap(),
            r#"/b\s\t"q;=""#
        );
        assert_eq!(parameter("a; b=c ; d=e", "d").unwrap(), "e");
        assert_eq!(parameter("a; b=\"open", "b"), None);
    }
}

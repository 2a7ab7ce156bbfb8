//! Reading files of the workload: one, several at once, or one as a stream.
//!
//! Pebble sends the contents first and says at the very end which of them are whole, so nothing is handed out
//! as good before that last part was read.

use super::client::Client;
use super::envelope::Envelope;
use super::error::{Error, PathError};
use super::files::{PathResult, check_path};
use super::multipart::{Event, Head, Reader};
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Method, Response};
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The most bytes that are read into memory by one call: 64 MiB.
pub const PULL_LIMIT: u64 = 64 * 1024 * 1024;

/// A piece of the answer to a read.
enum Piece {
    /// The content of the n-th path begins.
    File(usize),
    Data(Bytes),
}

/// An answer to a read, while it is being read.
struct Transfer<'a> {
    client: &'a Client,
    paths: &'a [&'a str],
    response: Response,
    reader: Reader,
    /// How many paths have been passed; failed ones are left out of the answer.
    passed: usize,
    in_metadata: bool,
    metadata: Vec<u8>,
}

impl Client {
    /// The content of a file, at most [`PULL_LIMIT`] bytes.
    pub async fn pull(&self, path: &str) -> Result<Vec<u8>, Error> {
        let mut results = self.pull_many(&[path]).await?;
        Ok(results.pop().ok_or_else(|| Error::protocol("no result for the file"))??)
    }

    /// The contents of several files in one request, in the order of `paths`, at most [`PULL_LIMIT`] bytes in
    /// all.
    pub async fn pull_many(&self, paths: &[&str]) -> Result<Vec<Result<Vec<u8>, PathError>>, Error> {
        let Some(first) = paths.first() else { return Ok(Vec::new()) };
        let mut contents: Vec<Option<Vec<u8>>> = vec![None; paths.len()];
        let (mut current, mut total) = (0, 0u64);
        let mut transfer = self.open(paths).await?;
        while let Some(piece) = transfer.next().await? {
            match piece {
                Piece::File(index) => {
                    current = index;
                    contents[index] = Some(Vec::new());
                }
                Piece::Data(data) => {
                    total += data.len() as u64;
                    if total > PULL_LIMIT {
                        let more = if paths.len() > 1 { " and others" } else { "" };
                        return Err(Error::TooLarge { what: format!("{first}{more}"), limit: PULL_LIMIT });
                    }
                    contents[current].get_or_insert_default().extend_from_slice(&data);
                }
            }
        }
        transfer.results()?.into_iter().zip(contents).map(verdict).collect()
    }

    /// Copies a file of any size into `writer` and yields its length. On an error, what was written is not
    /// the file.
    pub async fn pull_to<W>(&self, path: &str, writer: &mut W) -> Result<u64, Error>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        let failed =
            |source| Error::Local { what: format!("cannot write what was read from {path}"), source };
        let paths = [path];
        let mut transfer = self.open(&paths).await?;
        let mut length = None;
        while let Some(piece) = transfer.next().await? {
            match piece {
                Piece::File(_) => length = Some(0),
                Piece::Data(data) => {
                    writer.write_all(&data).await.map_err(failed)?;
                    length = length.map(|length| length + data.len() as u64);
                }
            }
        }
        let result = transfer.results()?.pop().ok_or_else(|| Error::protocol("no result for the file"))?;
        let length = verdict((result, length))??;
        writer.flush().await.map_err(failed)?;
        Ok(length)
    }

    async fn open<'a>(&'a self, paths: &'a [&'a str]) -> Result<Transfer<'a>, Error> {
        let mut query = vec![("action", "read")];
        for path in paths {
            check_path(path)?;
            query.push(("path", path));
        }
        let request =
            self.request(Method::GET, "/v1/files")?.query(&query).header(ACCEPT, "multipart/form-data");
        let response = self.send(request, self.timeout()).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if response.status() != 200 || !kind.starts_with("multipart/") {
            self.answer("GET /v1/files", response).await?;
            return Err(Error::protocol("a read was answered without files"));
        }
        let reader = Reader::new(kind)?;
        Ok(Transfer {
            client: self,
            paths,
            response,
            reader,
            passed: 0,
            in_metadata: false,
            metadata: Vec::new(),
        })
    }
}

impl Transfer<'_> {
    /// The next piece, or None when the whole answer has been read.
    async fn next(&mut self) -> Result<Option<Piece>, Error> {
        loop {
            match self.reader.next()? {
                Some(Event::Part(head)) => {
                    if let Some(index) = self.begin(&head)? {
                        return Ok(Some(Piece::File(index)));
                    }
                }
                Some(Event::Data(data)) if self.in_metadata => {
                    // A message for every path is a few hundred bytes.
                    if (self.metadata.len() + data.len()) as u64 > PULL_LIMIT {
                        return Err(Error::protocol("the results of a read do not end"));
                    }
                    self.metadata.extend_from_slice(&data);
                }
                Some(Event::Data(data)) => return Ok(Some(Piece::Data(data))),
                Some(Event::End) => return Ok(None),
                None => match self.client.chunk(&mut self.response).await? {
                    Some(chunk) => self.reader.feed(&chunk),
                    None => {
                        let source =
                            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the answer is cut off");
                        return Err(self.client.connection_error(source));
                    }
                },
            }
        }
    }

    /// Which path a part belongs to; None for the results.
    fn begin(&mut self, head: &Head) -> Result<Option<usize>, Error> {
        if self.in_metadata {
            return Err(Error::protocol("a part follows the results of a read"));
        }
        match (head.name.as_str(), &head.filename) {
            ("response", _) => {
                self.in_metadata = true;
                Ok(None)
            }
            ("files", Some(filename)) => {
                let offset = self.paths[self.passed..].iter().position(|path| path == filename);
                let index = self.passed
                    + offset.ok_or_else(|| Error::protocol(format!("an unexpected file {filename:?}")))?;
                self.passed = index + 1;
                Ok(Some(index))
            }
            (name, _) => Err(Error::protocol(format!("an unexpected part {name:?}"))),
        }
    }

    /// Pebble's results, one for each path, in order.
    fn results(self) -> Result<Vec<PathResult>, Error> {
        if !self.in_metadata {
            return Err(Error::protocol("a read came without its results"));
        }
        let results =
            Envelope::read("GET /v1/files", 200, &self.metadata)?.list::<PathResult>("read results")?;
        if results.iter().map(|result| result.path.as_str()).ne(self.paths.iter().copied()) {
            return Err(Error::protocol("the results of a read are not those of the paths asked for"));
        }
        Ok(results)
    }
}

/// What Pebble's result and the content that came make together.
fn verdict<T>((result, content): (PathResult, Option<T>)) -> Result<Result<T, PathError>, Error> {
    let path = result.path.clone();
    match (result.into_result(), content) {
        (Err(error), _) => Ok(Err(error)),
        (Ok(()), Some(content)) => Ok(Ok(content)),
        (Ok(()), None) => Err(Error::protocol(format!("the content of {path:?} is missing"))),
    }
}

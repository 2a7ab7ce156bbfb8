//! Writing a file of the workload, from memory or from a stream.

use super::client::Client;
use super::error::Error;
use super::files::{Owner, PathResult, check_path};
use bytes::Bytes;
use futures_util::stream::{Stream, try_unfold};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, RequestBuilder, Response};
use serde::Serialize;
use serde_json::json;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use tokio::time::timeout;

const CHUNK: usize = 64 * 1024;

/// A file to write. Pebble writes it beside its place and renames it, so nobody sees half of it; mode and
/// owner of a file that was there before are not kept.
#[derive(Debug)]
pub struct PushFile {
    /// Absolute.
    pub path: String,
    pub content: Content,
    /// The nine permission bits; default 0o644.
    pub permissions: Option<u32>,
    /// Make missing parents, with mode 0755 and the file's owner.
    pub make_dirs: bool,
    pub owner: Owner,
}

/// What to write. `Debug` does not show it.
pub enum Content {
    Bytes(Bytes),
    /// Read to its end. A pause of the reader counts towards the client's timeout.
    Reader(Pin<Box<dyn AsyncRead + Send>>),
}

impl PushFile {
    /// A file with this content and Pebble's defaults for the rest.
    pub fn new(path: impl Into<String>, content: impl Into<Content>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            permissions: None,
            make_dirs: false,
            owner: Owner::default(),
        }
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(content: T) -> Self {
        Self::Bytes(content.into())
    }
}

impl Content {
    /// The content of a reader.
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::Reader(Box::pin(reader))
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Reader(_) => f.write_str("Reader"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Metadata<'a> {
    path: &'a str,
    make_dirs: bool,
    #[serde(serialize_with = "to_octal", skip_serializing_if = "Option::is_none")]
    permissions: Option<u32>,
    #[serde(flatten)]
    owner: &'a Owner,
}

impl Client {
    /// Writes a file. An error leaves the old file, or none, in its place.
    pub async fn push(&self, file: PushFile) -> Result<(), Error> {
        check_path(&file.path)?;
        let metadata = Metadata {
            path: &file.path,
            make_dirs: file.make_dirs,
            permissions: file.permissions,
            owner: &file.owner,
        };
        let request = json!({"action": "write", "files": [metadata]}).to_string();
        let progress = Arc::new(Notify::new());
        let content = match file.content {
            Content::Bytes(bytes) => {
                let length = bytes.len() as u64;
                Part::stream_with_length(Body::wrap_stream(slices(bytes, progress.clone())), length)
            }
            Content::Reader(reader) => Part::stream(Body::wrap_stream(chunks(reader, progress.clone()))),
        };
        let content = content.file_name(file.path.clone()).mime_str("application/octet-stream");
        let request = Part::text(request).mime_str("application/json");
        let (Ok(request), Ok(content)) = (request, content) else {
            return Err(Error::Input { what: format!("the path {:?} cannot be sent", file.path) });
        };
        let form = Form::new().part("request", request).part("files", content);
        let request = self.request(Method::POST, "/v1/files")?.multipart(form);
        let response = self.upload(request, &file.path, &progress).await?;
        let results = self.answer("POST /v1/files", response).await?.list::<PathResult>("write results")?;
        match results.into_iter().next() {
            Some(result) if result.path == file.path => Ok(result.into_result()?),
            _ => Err(Error::protocol(format!("no result for the file {:?}", file.path))),
        }
    }

    /// Sends a request whose body may take its time, as long as some of it is sent within each timeout.
    async fn upload(
        &self,
        request: RequestBuilder,
        path: &str,
        progress: &Notify,
    ) -> Result<Response, Error> {
        let mut sending = std::pin::pin!(request.send());
        loop {
            let step = async {
                tokio::select! {
                    biased;
                    response = &mut sending => Some(response),
                    () = progress.notified() => None,
                }
            };
            match timeout(self.timeout(), step).await {
                Ok(None) => {}
                Ok(Some(Ok(response))) => return Ok(response),
                Ok(Some(Err(error))) => {
                    return Err(source_error(&error, path).unwrap_or_else(|| self.http_error(&error)));
                }
                Err(_) => return Err(self.no_answer(self.timeout())),
            }
        }
    }
}

/// Marks an error of the caller's reader, to tell it from one of the connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SourceError(io::Error);

fn source_error(error: &reqwest::Error, path: &str) -> Option<Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(SourceError(source)) = current.downcast_ref() {
            let source = io::Error::new(source.kind(), source.to_string());
            return Some(Error::Local { what: format!("cannot read what to write to {path}"), source });
        }
        cause = current.source();
    }
    None
}

fn slices(bytes: Bytes, progress: Arc<Notify>) -> impl Stream<Item = Result<Bytes, SourceError>> {
    try_unfold((bytes, progress), |(mut bytes, progress)| async move {
        if bytes.is_empty() {
            return Ok(None);
        }
        progress.notify_one();
        let slice = bytes.split_to(CHUNK.min(bytes.len()));
        Ok(Some((slice, (bytes, progress))))
    })
}

fn chunks(
    reader: Pin<Box<dyn AsyncRead + Send>>,
    progress: Arc<Notify>,
) -> impl Stream<Item = Result<Bytes, SourceError>> {
    try_unfold((reader, progress), |(mut reader, progress)| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        // A reader's error is kept apart from the connection's.
        let length = reader.read_buf(&mut chunk).await.map_err(SourceError)?;
        progress.notify_one();
        Ok((length > 0).then(|| (Bytes::from(chunk), (reader, progress))))
    })
}

fn to_octal<S: serde::Serializer>(mode: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    match mode {
        Some(mode) => serializer.collect_str(&format_args!("{mode:03o}")),
        None => serializer.serialize_none(),
    }
}

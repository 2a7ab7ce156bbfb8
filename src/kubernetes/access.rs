//! The way to the Kubernetes API: the pod's service account and one HTTPS client.
//!
//! Given a hook's environment, [`Access`] says where the API is and where the service account lies; without
//! Kubernetes' variables there is no cluster, and nothing is asked. A [`Connection`] is opened with the first call. All
//! its calls together may take [`PATIENCE`]: a hook must not wait for an API that does not answer, the next one asks again.
//! The client is hyper with rustls: a client of Kubernetes brings fifty crates for five requests, and reqwest with TLS
//! would read the certificates of the image also for Pebble and Kratos, to whom the charm speaks without TLS.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::uri::Authority;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::error::Error;
use crate::juju::Environment;

/// Where Kubernetes puts the service account of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long all calls of one dispatch may take together.
const PATIENCE: Duration = Duration::from_millis(1200);
/// The largest answer that is read.
const LARGEST: usize = 8 << 20;

/// Where the API is, and in whose name it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// As in a URL: an IPv6 address has its brackets.
    server: String,
    service_account: PathBuf,
}

/// A patch, by its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Server-side apply.
    Apply,
    StrategicMerge,
}

/// The connection of one dispatch.
pub struct Connection {
    access: Access,
    opened: Option<Opened>,
    remaining: Duration,
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What the first call reads and all calls use.
#[derive(Clone)]
struct Opened {
    http: Http,
    server: Authority,
    authorization: HeaderValue,
    namespace: String,
}

impl Access {
    /// The access of a hook in a pod. `KRATOS_OPERATOR_SERVICE_ACCOUNT`, which Juju never sets, moves the service
    /// account for a sandbox.
    pub fn from_environment(environment: &Environment) -> Option<Self> {
        let host = environment.get("KUBERNETES_SERVICE_HOST")?;
        let port = environment.get("KUBERNETES_SERVICE_PORT")?;
        let host =
            if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let moved = environment.get("KRATOS_OPERATOR_SERVICE_ACCOUNT");
        Some(Self {
            server: format!("{host}:{port}"),
            service_account: PathBuf::from(moved.unwrap_or(SERVICE_ACCOUNT)),
        })
    }

    /// The namespace of the pod. In the model of a controller it is not called as the model is.
    pub fn namespace(&self) -> Result<String, Error> {
        let text = self.read("namespace")?;
        let name = text.trim();
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(Error::ServiceAccount("its namespace is no name".to_owned()));
        }
        Ok(name.to_owned())
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path: &Path = &self.service_account.join(name);
        std::fs::read_to_string(path)
            .map_err(|error| Error::ServiceAccount(format!("{}: {error}", path.display())))
    }

    fn open(&self) -> Result<Opened, Error> {
        let refuse = |reason: &str| Error::ServiceAccount(reason.to_owned());
        let server = self.server.parse().map_err(|_| refuse(&format!("{} is no address", self.server)))?;
        let tls = self.tls()?;
        let authorization = HeaderValue::try_from(format!("Bearer {}", self.read("token")?.trim()));
        let mut authorization = authorization.map_err(|_| refuse("its token is no header"))?;
        authorization.set_sensitive(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Opened { http, server, authorization, namespace: self.namespace()? })
    }

    /// Trusts the authority of the service account, and no other.
    fn tls(&self) -> Result<ClientConfig, Error> {
        let ca = self.read("ca.crt")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
            let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
            added.ok_or_else(|| Error::ServiceAccount("ca.crt is no certificate".to_owned()))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Tls(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }
}

impl Connection {
    /// Opened by its first call.
    pub fn new(access: Access) -> Self {
        Self { access, opened: None, remaining: PATIENCE }
    }

    /// The namespace of the pod.
    pub fn namespace(&self) -> Result<String, Error> {
        self.access.namespace()
    }

    /// Reads an object; `path` comes after the namespace, and `api` before it, as in `/api/v1`.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, api: &str, path: &str) -> Result<T, Error> {
        self.call(Method::GET, api, path, None).await
    }

    pub(super) async fn create<T: DeserializeOwned>(
        &mut self,
        api: &str,
        path: &str,
        body: &Value,
    ) -> Result<T, Error> {
        self.call(Method::POST, api, path, Some(("application/json", body))).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &mut self,
        api: &str,
        path: &str,
        patch: Patch,
        body: &Value,
    ) -> Result<T, Error> {
        let content_type = match patch {
            Patch::Apply => "application/apply-patch+yaml",
            Patch::StrategicMerge => "application/strategic-merge-patch+json",
        };
        self.call(Method::PATCH, api, path, Some((content_type, body))).await
    }

    async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        api: &str,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<T, Error> {
        let Opened { http, server, authorization, namespace } = self.opened()?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{server}{api}/namespaces/{namespace}/{path}"))
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json");
        if let Some((content_type, _)) = body {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let body = body.map(|(_, body)| body.to_string()).unwrap_or_default();
        let request = request.body(Full::from(body)).map_err(|error| Error::Answer(error.to_string()))?;
        let begun = Instant::now();
        let exchange = tokio::time::timeout(self.remaining, exchange(&http, request)).await;
        self.remaining = self.remaining.saturating_sub(begun.elapsed());
        let answer = exchange.unwrap_or(Err(Error::Timeout))?;
        // The parser's reason quotes what it read, which may be a secret.
        serde_json::from_slice(&answer)
            .map_err(|_| Error::Answer("it is not the object that was asked for".to_owned()))
    }

    fn opened(&mut self) -> Result<Opened, Error> {
        if let Some(opened) = &self.opened {
            return Ok(opened.clone());
        }
        Ok(self.opened.insert(self.access.open()?).clone())
    }
}

/// One request; the body of its answer if that is a success.
async fn exchange(http: &Http, request: Request<Full<Bytes>>) -> Result<Bytes, Error> {
    let response = http.request(request).await.map_err(|error| Error::transport(&error))?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => Error::Answer("it is too long".to_owned()),
        false => Error::transport(&*error),
    })?;
    let body = body.to_bytes();
    if status.is_success() { Ok(body) } else { Err(Error::refused(status.as_u16(), &body)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_variables_there_is_no_cluster() {
        let access = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Access::from_environment(&pairs.collect())
        };
        assert_eq!(access(&[]), None);
        assert_eq!(access(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")]), None);
        let found =
            access(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("KUBERNETES_SERVICE_PORT", "443")]).unwrap();
        assert_eq!(found.server, "10.0.0.1:443");
        assert_eq!(found.service_account, Path::new(SERVICE_ACCOUNT));
        let found =
            access(&[("KUBERNETES_SERVICE_HOST", "fd00::1"), ("KUBERNETES_SERVICE_PORT", "443")]).unwrap();
        assert_eq!(found.server, "[fd00::1]:443");
    }

    #[test]
    fn weakness_55_the_namespace_is_that_of_the_service_account() {
        let folder = tempfile::tempdir().unwrap();
        let access = Access { server: "h:1".to_owned(), service_account: folder.path().to_owned() };
        assert_eq!(access.namespace().unwrap_err().kind(), "service-account");
        std::fs::write(folder.path().join("namespace"), "controller-lab\n").unwrap();
        assert_eq!(access.namespace().unwrap(), "controller-lab");
        std::fs::write(folder.path().join("namespace"), "../x").unwrap();
        assert!(access.namespace().is_err());
    }

    #[test]
    fn the_service_account_is_read_once_and_its_faults_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let access = Access { server: "h:1".to_owned(), service_account: folder.path().to_owned() };
        write("namespace", "lab");
        write("ca.crt", "");
        write("token", "sesame\n");
        let mut connection = Connection::new(access.clone());
        let opened = connection.opened().unwrap();
        assert_eq!(opened.authorization, "Bearer sesame");
        assert!(!format!("{:?}", opened.authorization).contains("sesame"));
        std::fs::remove_file(folder.path().join("token")).unwrap();
        assert_eq!(connection.opened().unwrap().authorization, "Bearer sesame");

        let fault = |access: &Access| access.open().err().unwrap().to_string();
        let missing = format!("{}/token: No such file or directory (os error 2)", folder.path().display());
        assert_eq!(fault(&access), format!("cannot use the service account: {missing}"));
        write("token", "open\nsesame");
        assert_eq!(fault(&access), "cannot use the service account: its token is no header");
        write("ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        assert_eq!(fault(&access), "cannot use the service account: ca.crt is no certificate");
        let nowhere = Access { server: "h h:1".to_owned(), ..access };
        assert_eq!(fault(&nowhere), "cannot use the service account: h h:1 is no address");
    }
}

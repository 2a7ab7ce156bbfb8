//! The way to the Kubernetes API: the pod's service account and one connection.
//!
//! Given a hook's environment, [`Access`] says where the API is and where the service account lies; without
//! Kubernetes' variables there is no cluster, and nothing is asked. A [`Connection`] is opened with the first call. All
//! its calls together may take [`PATIENCE`]: a hook must not wait for an API that does not answer, the next one asks again.
//! Answers are read here and not by the client, which would log a body that it cannot read, and with it perhaps a secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Method, Request};
use kube::Client;
use kube::client::Body;
use kube::config::{AuthInfo, Config};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
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
    client: Option<(Client, String)>,
    remaining: Duration,
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

    fn client(&self) -> Result<Client, Error> {
        let refuse = |reason: String| Error::ServiceAccount(reason);
        let url = format!("https://{}", self.server).parse();
        let mut config = Config::new(url.map_err(|_| refuse(format!("{} is no address", self.server)))?);
        let ca = self.read("ca.crt")?;
        let roots: Result<Vec<Vec<u8>>, _> = CertificateDer::pem_slice_iter(ca.as_bytes())
            .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
            .collect();
        config.root_cert = Some(roots.map_err(|_| refuse("ca.crt is no certificate".to_owned()))?);
        // Read by the client, which never shows it.
        let token = self.service_account.join("token").to_string_lossy().into_owned();
        config.auth_info = AuthInfo { token_file: Some(token), ..AuthInfo::default() };
        config.connect_timeout = Some(PATIENCE);
        config.default_retry = false;
        Client::try_from(config).map_err(|error| refuse(error.to_string()))
    }
}

impl Connection {
    /// Opened by its first call.
    pub fn new(access: Access) -> Self {
        Self { access, client: None, remaining: PATIENCE }
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
        let (client, namespace) = self.opened()?;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{api}/namespaces/{namespace}/{path}"))
            .header("accept", "application/json");
        if let Some((content_type, _)) = body {
            request = request.header("content-type", content_type);
        }
        let body = body.map(|(_, body)| body.to_string().into_bytes()).unwrap_or_default();
        let request = request.body(Body::from(body)).map_err(|error| Error::Answer(error.to_string()))?;
        let begun = Instant::now();
        let exchange = tokio::time::timeout(self.remaining, exchange(&client, request)).await;
        self.remaining = self.remaining.saturating_sub(begun.elapsed());
        exchange.unwrap_or(Err(Error::Timeout)).and_then(|answer| {
            serde_json::from_slice(&answer)
                .map_err(|_| Error::Answer("it is not the object that was asked for".into()))
        })
    }

    fn opened(&mut self) -> Result<(Client, String), Error> {
        if let Some(opened) = &self.client {
            return Ok(opened.clone());
        }
        let opened = (self.access.client()?, self.access.namespace()?);
        Ok(self.client.insert(opened).clone())
    }
}

/// One request; the body of its answer if that is a success.
async fn exchange(client: &Client, request: Request<Body>) -> Result<Vec<u8>, Error> {
    let response = client.send(request).await.map_err(|error| Error::transport(&error))?;
    let status = response.status();
    let body = response.into_body().collect_bytes().await.map_err(|error| Error::transport(&error))?;
    if body.len() > LARGEST {
        return Err(Error::Answer("it is too long".to_owned()));
    }
    if status.is_success() { Ok(body.to_vec()) } else { Err(Error::refused(status.as_u16(), &body)) }
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
}

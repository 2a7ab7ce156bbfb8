//! What the double of Kubernetes refuses.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper of a test may fail like the test itself"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "a test starts programs, and looks at the clock and the environment"
)]

use std::sync::Arc;

use kubernetes_double::Kubernetes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const STATEFUL_SET: &str = "/apis/apps/v1/namespaces/lab/statefulsets/kratos";
const APPLY: &str = "application/apply-patch+yaml";

/// The code of the answer to one request.
async fn code(api: &Kubernetes, token: &str, line: &str, content_type: &str, body: &str) -> u16 {
    let environment = api.environment("kratos").unwrap();
    let (host, port) = (&environment["KUBERNETES_SERVICE_HOST"], &environment["KUBERNETES_SERVICE_PORT"]);
    let mut roots = rustls::RootCertStore::empty();
    let ca = std::fs::read(api.service_account("kratos").join("ca.crt")).unwrap();
    roots.add(CertificateDer::from_pem_slice(&ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(format!("{host}:{port}")).await.unwrap();
    let name = ServerName::try_from(host.clone()).unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    // The server may end the connection without saying so.
    let _ = stream.read_to_string(&mut answer).await;
    answer[9..12].parse().unwrap()
}

#[tokio::test]
async fn it_refuses_what_the_real_one_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let api = Kubernetes::start(folder.path(), "lab").await.unwrap();
    api.sync(&[("kratos".to_owned(), 1, true), ("plain".to_owned(), 1, false)]);
    let (trusted, plain) = ("token.of.kratos", "token.of.plain");
    let get = |path: &str| format!("GET {path}");
    assert_eq!(code(&api, trusted, &get(STATEFUL_SET), "", "").await, 200);
    assert_eq!(code(&api, "nobody's", &get(STATEFUL_SET), "", "").await, 401);
    assert_eq!(code(&api, plain, &get(STATEFUL_SET), "", "").await, 403);
    assert_eq!(
        code(&api, trusted, &get("/apis/apps/v1/namespaces/other/statefulsets/kratos"), "", "").await,
        404
    );
    assert_eq!(code(&api, trusted, &get("/api/v1/namespaces/lab/configmaps/x"), "", "").await, 404);

    let patch = format!("PATCH {STATEFUL_SET}?fieldManager=m");
    let body =
        |spec: &str| format!("{{\"apiVersion\":\"apps/v1\",\"kind\":\"StatefulSet\",\"spec\":{spec}}}");
    let limit = |name: &str| {
        body(&format!(
            "{{\"template\":{{\"spec\":{{\"containers\":[{{\"name\":\"{name}\",\"resources\":{{\"limits\":{{\"cpu\":\"1\"}}}}}}]}}}}}}"
        ))
    };
    let table = [
        (patch.clone(), "application/merge-patch+json", limit("kratos"), 415),
        (format!("PATCH {STATEFUL_SET}"), APPLY, limit("kratos"), 422),
        (patch.clone(), APPLY, limit("nobody"), 422),
        (patch.clone(), APPLY, "{}".to_owned(), 400),
        (patch.clone(), APPLY, body("{\"serviceName\":\"else\"}"), 409),
        (format!("{patch}&force=true"), APPLY, body("{\"serviceName\":\"else\"}"), 422),
        (patch, APPLY, limit("kratos"), 200),
    ];
    for (line, content_type, body, expected) in table {
        assert_eq!(code(&api, trusted, &line, content_type, &body).await, expected, "{line} {body}");
    }

    let create = "POST /api/v1/namespaces/lab/configmaps?fieldManager=kratos";
    let map = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"}}";
    assert_eq!(code(&api, trusted, create, "text/plain", map).await, 415);
    assert_eq!(code(&api, trusted, create, "application/json", map).await, 201);
    assert_eq!(code(&api, trusted, create, "application/json", map).await, 409);
}

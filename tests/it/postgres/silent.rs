//! A server that stops answering: nothing of ours waits for it longer than it may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kratos_operator::postgres::{Connection, HostPort, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{PATIENCE, block_on, dsn, shared};

/// A way to the server at `server` that stays open and carries nothing any more once `is_silent`.
async fn relay(server: HostPort, is_silent: Arc<AtomicBool>) -> HostPort {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let session = TcpStream::connect(server.to_string()).await.unwrap();
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), session.into_split());
            tokio::spawn(carry(from_client, to_server, Arc::clone(&is_silent)));
            tokio::spawn(carry(from_server, to_client, Arc::clone(&is_silent)));
        }
    });
    HostPort { host: "127.0.0.1".to_owned(), port }
}

async fn carry(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    is_silent: Arc<AtomicBool>,
) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if is_silent.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[test]
fn a_server_that_goes_silent_is_given_up_soon_after_its_own_limit() {
    let server = shared();
    block_on(async {
        let direct = server.database().await;
        let is_silent = Arc::new(AtomicBool::new(false));
        let endpoint = relay(server.endpoint(), Arc::clone(&is_silent)).await;
        let name = direct.username();
        let dsn = dsn(name, &format!("pass of {name}"), name, vec![endpoint], Tls::Prefer);
        let connection = Connection::open(&dsn, "silent", PATIENCE).await.unwrap();
        connection.limit_statements(Duration::from_millis(100)).await.unwrap();
        is_silent.store(true, Ordering::SeqCst);
        // Each kind of question, the first after its limit and the others at once.
        let explained = |error| connection.explain(&error);
        let client = connection.client();
        let errors = [
            client.query_one("SELECT 1", &[]).await.map_err(explained).unwrap_err(),
            client.query("SELECT 1", &[]).await.map_err(explained).unwrap_err(),
            client.query_opt("SELECT 1", &[]).await.map_err(explained).unwrap_err(),
            client.execute("SELECT 1", &[]).await.map_err(explained).unwrap_err(),
            client.batch_execute("SELECT 1").await.map_err(explained).unwrap_err(),
            client.simple_query("SELECT 1").await.map_err(explained).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), "lost");
            assert!(error.to_string().contains("no answer within 3 s"), "{error}");
        }
    });
}

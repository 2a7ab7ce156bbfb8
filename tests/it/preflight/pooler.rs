//! A proxy that pools transactions, as PgBouncer does with `pool_mode = transaction`, as far as it takes to be one.
//!
//! Each client logs in at a session of the server of its own; once it is in, that session is anybody's: whoever
//! begins a transaction gets the session that was used last and is free.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Free = Arc<Mutex<VecDeque<TcpStream>>>;

/// Listens on a free port of `host` for the server at `server`; tells the port. Ends with the runtime.
pub async fn start(host: &str, server: String) -> u16 {
    let listener = TcpListener::bind((host, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let free = Free::default();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server.clone(), free.clone()));
        }
    });
    port
}

async fn serve(mut client: TcpStream, server: String, free: Free) -> Option<()> {
    let mut session = TcpStream::connect(server).await.ok()?;
    log_in(&mut client, &mut session).await?;
    free.lock().unwrap().push_back(session);
    loop {
        let mut message = read_message(&mut client).await?;
        if message.first() == Some(&b'X') {
            return None;
        }
        let mut session = free.lock().unwrap().pop_back()?;
        loop {
            session.write_all(&message).await.ok()?;
            // A simple query, a Sync or the end of a transaction: the server says when it is ready.
            if matches!(message.first(), Some(b'Q' | b'S')) {
                let idle = loop {
                    let answer = read_message(&mut session).await?;
                    client.write_all(&answer).await.ok()?;
                    if answer.first() == Some(&b'Z') {
                        break answer.last() == Some(&b'I');
                    }
                };
                if idle {
                    break;
                }
            }
            message = read_message(&mut client).await?;
        }
        free.lock().unwrap().push_back(session);
    }
}

/// Passes everything on until the server is ready for the first query.
async fn log_in(client: &mut TcpStream, session: &mut TcpStream) -> Option<()> {
    // The first message has no type; TLS is refused.
    loop {
        let length = client.read_i32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).ok()? - 4];
        client.read_exact(&mut body).await.ok()?;
        if body == 80_877_103i32.to_be_bytes() {
            client.write_all(b"N").await.ok()?;
            continue;
        }
        session.write_all(&length.to_be_bytes()).await.ok()?;
        session.write_all(&body).await.ok()?;
        break;
    }
    loop {
        tokio::select! {
            message = read_message(session) => {
                let message = message?;
                client.write_all(&message).await.ok()?;
                if message.first() == Some(&b'Z') {
                    return Some(());
                }
            }
            readable = client.readable() => {
                readable.ok()?;
                let mut piece = [0; 4096];
                match client.try_read(&mut piece) {
                    Ok(0) => return None,
                    Ok(count) => session.write_all(&piece[..count]).await.ok()?,
                    Err(_) => {}
                }
            }
        }
    }
}

/// A whole message with its type and length.
async fn read_message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut message = vec![0; 5];
    stream.read_exact(&mut message).await.ok()?;
    let length = i32::from_be_bytes([message[1], message[2], message[3], message[4]]);
    message.resize(usize::try_from(length).ok()? + 1, 0);
    stream.read_exact(&mut message[5..]).await.ok()?;
    Some(message)
}

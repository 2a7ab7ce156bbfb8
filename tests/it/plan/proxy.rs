//! A proxy that leads every database name to one database, as PgBouncer does with `* = dbname=…`.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Listens on a free port for the server at `server`; returns the port. Ends with the runtime.
pub async fn start(server: String, database: String) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, server.clone(), database.clone()));
        }
    });
    port
}

/// Replaces the database in the first message, and passes on everything else.
async fn serve(mut client: TcpStream, server: String, database: String) -> std::io::Result<()> {
    let length = client.read_u32().await?;
    let mut body = vec![0; length as usize - 4];
    client.read_exact(&mut body).await?;
    let (version, parameters) = body.split_at(4);
    let mut mapped = version.to_vec();
    let mut is_database = false;
    for (index, field) in parameters.split(|byte| *byte == 0).enumerate() {
        let is_value = index % 2 == 1;
        mapped.extend_from_slice(if is_value && is_database { database.as_bytes() } else { field });
        mapped.push(0);
        is_database = !is_value && field == b"database";
    }
    // The split ends with an empty piece behind the last zero.
    mapped.pop();
    let mut session = TcpStream::connect(server).await?;
    session.write_u32(u32::try_from(mapped.len()).unwrap() + 4).await?;
    session.write_all(&mapped).await?;
    tokio::io::copy_bidirectional(&mut client, &mut session).await?;
    Ok(())
}

//! A client that opens a stream of lines and holds it for as long as the app does.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::results::Streams;

/// How a chunked answer ends in good order.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// What became of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Ended,
    Cut,
}

/// Streams that were opened in the course of a turn. Dropping them lets go of all.
#[derive(Debug, Default)]
pub struct Open(Vec<JoinHandle<Fate>>);

impl Open {
    /// Opens one more.
    pub fn add(&mut self, target: SocketAddr) {
        self.0.push(tokio::spawn(follow(target)));
    }

    /// Lets go of those that are still alive, and counts.
    pub async fn count(mut self) -> Streams {
        let mut streams = Streams::default();
        for task in std::mem::take(&mut self.0) {
            streams.opened += 1;
            if !task.is_finished() {
                task.abort();
                streams.alive += 1;
                continue;
            }
            match task.await {
                Ok(Fate::Ended) => streams.ended += 1,
                Ok(Fate::Cut) | Err(_) => streams.cut += 1,
            }
        }
        streams
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn follow(target: SocketAddr) -> Fate {
    match read(target).await {
        Ok(true) => Fate::Ended,
        Ok(false) | Err(_) => Fate::Cut,
    }
}

/// Reads to the end; whether it was in good order.
async fn read(target: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(target).await?;
    let request = format!("GET /stream HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut buffer, mut tail) = ([0; 1024], Vec::new());
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(tail.ends_with(LAST_CHUNK));
        }
        tail.extend_from_slice(&buffer[..count]);
        tail.drain(..tail.len().saturating_sub(LAST_CHUNK.len()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers one request with these bytes and closes.
    async fn server(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            stream.write_all(answer).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn is_an_end_in_good_order_told_from_a_cut() {
        let good =
            server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbye\r\n0\r\n\r\n").await;
        assert_eq!(follow(good).await, Fate::Ended);
        let cut = server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbye\r\n").await;
        assert_eq!(follow(cut).await, Fate::Cut);
    }
}

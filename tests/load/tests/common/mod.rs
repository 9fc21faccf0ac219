//! A server that does what a test tells it to, connection by connection.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// What to do with one request.
#[derive(Clone, Debug)]
pub enum Act {
    /// Answer 200 in this color.
    Answer(&'static str),
    /// Answer 200 in this color, then close without having said so.
    AnswerAndClose(&'static str),
    /// Answer with this status.
    Status(u16),
    /// Answer after a while.
    Wait(Duration),
    /// Close in good order without an answer.
    Close,
    /// Reset the connection.
    Reset,
    /// Announce more bytes than are sent.
    BreakOff,
    /// Answer with something that isn't HTTP.
    Nonsense,
    /// Never answer.
    Hang,
}

pub struct Server {
    pub address: SocketAddr,
    pub clients: Arc<Mutex<Vec<IpAddr>>>,
    requests: Arc<AtomicUsize>,
    /// Stops the server when dropped.
    _stop: oneshot::Sender<()>,
}

impl Server {
    /// Serves on a thread of its own; `act` gets the number of the request, from 0 on.
    pub fn start(act: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let clients = Arc::new(Mutex::new(Vec::new()));
        let requests = Arc::new(AtomicUsize::new(0));
        let (seen, count, act) = (clients.clone(), requests.clone(), Arc::new(act));
        let serve = async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, peer)) = listener.accept().await {
                seen.lock().unwrap().push(peer.ip());
                tokio::spawn(connection(stream, count.clone(), act.clone()));
            }
        };
        // A test that runs in a runtime can't own another, so a thread does.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { tokio::select!(() = serve => {}, _ = stopped => {}) });
        });
        Self { address, clients, requests, _stop: stop }
    }

    pub fn connections(&self) -> usize {
        self.clients.lock().unwrap().len()
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn connection(mut stream: TcpStream, count: Arc<AtomicUsize>, act: Arc<impl Fn(usize) -> Act>) {
    let mut received = Vec::new();
    loop {
        while !received.ends_with(b"\r\n\r\n") {
            let mut buffer = [0; 1024];
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => received.extend_from_slice(&buffer[..length]),
            }
        }
        received.clear();
        let act = act(count.fetch_add(1, Ordering::SeqCst));
        let ok = |color| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-App-Color: {color}\r\nX-App-Version: v1\r\n\
                 X-App-Pod: {color}-1\r\n\r\nok"
            )
        };
        let (answer, close) = match act {
            Act::Answer(color) => (ok(color), false),
            Act::AnswerAndClose(color) => (ok(color), true),
            Act::Status(status) => (format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"), false),
            Act::Wait(duration) => {
                tokio::time::sleep(duration).await;
                (ok("blue"), false)
            }
            Act::Close => return,
            Act::Reset => {
                // Closing with a linger of zero sends RST instead of FIN.
                stream.set_zero_linger().unwrap();
                return;
            }
            Act::BreakOff => ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(), true),
            Act::Nonsense => ("I am not a web server\r\n\r\n".to_owned(), true),
            Act::Hang => std::future::pending().await,
        };
        if stream.write_all(answer.as_bytes()).await.is_err() || close {
            return;
        }
    }
}

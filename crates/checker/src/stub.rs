//! Servers for tests, on loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ServerConfig, version};

/// What a server does with a connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// Reads the request, writes this, and closes.
    Answer(String),
    /// Reads the request, writes this, and then nothing for ever.
    Stall(String),
    /// Reads the request, writes the first part, waits, writes the second, and closes.
    Pause(String, Duration, String),
    /// Waits for the request and resets the connection.
    Reset,
}

/// A server. It ends with the test.
pub struct Stub {
    /// The port on loopback.
    pub port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    names: Arc<Mutex<Vec<String>>>,
    serving: JoinSet<()>,
}

impl Stub {
    /// Does one step for each connection, the last one for all that follow.
    pub async fn start(steps: impl Into<Vec<Step>>) -> Self {
        Self::with(steps.into(), None).await
    }

    /// The same with TLS, and a certificate for `name` that has signed itself. Also gives the certificate as PEM.
    pub async fn start_tls(name: &str, steps: impl Into<Vec<Step>>) -> (Self, String) {
        let own = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        (Self::with(steps.into(), Some(TlsAcceptor::from(Arc::new(config)))).await, own.cert.pem())
    }

    async fn with(steps: Vec<Step>, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, names) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (heard, asked) = (requests.clone(), names.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = JoinSet::new();
            for index in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let step = steps.get(index).or(steps.last()).unwrap().clone();
                let (heard, asked, tls) = (heard.clone(), asked.clone(), tls.clone());
                open.spawn(async move {
                    match tls {
                        None => serve(stream, step, &heard).await,
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            let name = stream.get_ref().1.server_name().unwrap_or("none").to_owned();
                            asked.lock().unwrap().push(name);
                            serve(stream, step, &heard).await;
                        }
                    }
                });
            }
        });
        Self { port, requests, names, serving }
    }

    /// Closes the port and every connection.
    pub async fn stop(mut self) {
        self.serving.shutdown().await;
    }

    /// The heads of the requests so far: one for each connection.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The names that TLS was asked for.
    pub fn names(&self) -> Vec<String> {
        self.names.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, step: Step, heard: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // What is not read makes the kernel reset the connection.
        if matches!(step, Step::Reset) && !head.is_empty() {
            return;
        }
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    heard.lock().unwrap().push(String::from_utf8(head).unwrap());
    match step {
        Step::Answer(answer) => {
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Step::Stall(answer) => {
            let _ = stream.write_all(answer.as_bytes()).await;
            std::future::pending::<()>().await;
        }
        Step::Pause(first, pause, second) => {
            let _ = stream.write_all(first.as_bytes()).await;
            tokio::time::sleep(pause).await;
            let _ = stream.write_all(second.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Step::Reset => {}
    }
}

/// An answer with a body.
pub fn answer(status: &str, body: &str) -> Step {
    Step::Answer(format!("{}{body}", head(status, body.len())))
}

/// The head of an answer.
pub fn head(status: &str, length: usize) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n")
}

/// A port on which nobody listens.
pub async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// A port that answers no more connections, as behind a NetworkPolicy: its queue is full. It ends with what is returned.
pub async fn deaf_port() -> (u16, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        queued.push(stream.unwrap());
        assert!(queued.len() < 9, "the queue does not end");
    }
    (address.port(), listener, queued)
}

//! What extensions of the API server are reached by: it insists on TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::server::TlsStream;

/// A listener for axum, on a free port of `localhost`.
pub struct Tls {
    /// The certificate, which is its own authority: what a `caBundle` holds.
    pub certificate: String,
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Makes a certificate and takes a port.
    pub async fn bind() -> Result<Self> {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![pair.cert.der().clone()], key)
            .context("the certificate")?;
        let tcp = TcpListener::bind("localhost:0").await?;
        Ok(Self { certificate: pair.cert.pem(), tcp, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// The port that was free.
    pub fn port(&self) -> Result<u16> {
        Ok(self.tcp.local_addr()?.port())
    }
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            // Whoever does not get as far as a handshake is of no interest.
            if let Ok((stream, address)) = self.tcp.accept().await
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

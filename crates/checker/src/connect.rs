//! One connection: address, TCP, TLS.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::trouble::{Trouble, causes};

/// A connection, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect to, and how.
#[derive(Clone)]
pub struct Target {
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TLS, with the name that the server is asked for.
    pub tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// A new TCP connection.
    ///
    /// # Errors
    /// There is no address, or none answers.
    pub async fn connect_tcp(&self) -> Result<TcpStream, Trouble> {
        self.tcp().await.map_err(Trouble::before_connected)
    }

    /// Adds TLS to a connection if the target has it.
    ///
    /// # Errors
    /// The handshake fails.
    pub async fn with_tls(&self, stream: TcpStream) -> Result<Box<dyn Stream>, Trouble> {
        let Some((config, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let tls = TlsConnector::from(config.clone()).connect(name.clone(), stream).await;
        let tls = tls.map_err(|error| Trouble::after_connected(format!("TLS failed: {}", causes(&error))))?;
        Ok(Box::new(tls))
    }

    /// Tries the addresses in the order in which the system names them: those that this machine can reach come first.
    async fn tcp(&self) -> Result<TcpStream, String> {
        let Self { host, port, .. } = self;
        let addresses = tokio::net::lookup_host((host.as_str(), *port)).await;
        let addresses =
            addresses.map_err(|error| format!("can't find the address of {host}: {}", causes(&error)))?;
        let mut last = format!("{host} has no address");
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("can't connect to {address}: {}", causes(&error)),
            }
        }
        Err(last)
    }
}

/// TLS that takes every certificate, as the kubelet's probes do: the check asks whether the app answers, and has no secrets.
///
/// # Errors
/// Never with the cryptography that is built in.
pub fn without_verification() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(AnyCertificate(provider.clone()));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// TLS that trusts the CAs in this file, or those that Mozilla trusts: the image has no list of its own.
///
/// # Errors
/// The file can't be read, or holds no certificate.
pub fn with_verification(ca_file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(file) => {
            let refused = |error: &(dyn Error + 'static)| {
                format!("can't use --ca-file {}: {}", file.display(), causes(error))
            };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| refused(&error))? {
                let certificate = certificate.map_err(|error| refused(&error))?;
                roots.add(certificate).map_err(|error| refused(&error))?;
            }
            if roots.is_empty() {
                return Err(format!("--ca-file {} holds no certificate in PEM", file.display()));
            }
        }
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let verifier = verifier.build().map_err(|error| causes(&error))?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| causes(&error))?;
    Ok(builder.with_webpki_verifier(verifier).with_no_client_auth())
}

/// Takes every certificate, also one that it can't read.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

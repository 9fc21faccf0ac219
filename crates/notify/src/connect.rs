//! One connection to a receiver: address, TCP, TLS. Nothing of a message is sent here, so what fails here can be tried again.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::url::Url;

/// A connection, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to connect to, and how.
#[derive(Clone)]
pub struct Target {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// The CAs of this PEM, or those that Mozilla trusts: the image has no list of its own.
///
/// # Errors
/// It holds no certificate, or one that can't be read.
pub fn roots(ca: Option<&str>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|_| "must be certificates in PEM".to_owned())?;
                roots.add(certificate).map_err(|_| "has a certificate that can't be used".to_owned())?;
            }
            if roots.is_empty() {
                return Err("must be certificates in PEM, and holds none".to_owned());
            }
        }
    }
    Ok(roots)
}

impl Target {
    /// The server of this URL.
    ///
    /// # Errors
    /// The certificates can't be used, or the host is no name that TLS can ask for.
    pub fn new(url: &Url, ca: Option<&str>) -> Result<Self, String> {
        let Url { https, host, port, .. } = url;
        let tls = if *https {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
            let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
            let config = builder.with_root_certificates(roots(ca)?).with_no_client_auth();
            let name =
                ServerName::try_from(host.clone()).map_err(|_| "must name a host that TLS can ask for")?;
            Some((TlsConnector::from(Arc::new(config)), name))
        } else {
            None
        };
        Ok(Self { host: host.clone(), port: *port, tls })
    }

    /// Connects, with TLS if the URL asks for it.
    ///
    /// # Errors
    /// Why there is no connection, without the address.
    pub async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let stream = self.tcp().await?;
        let Some((connector, name)) = &self.tls else { return Ok(Box::new(stream)) };
        let tls = connector.connect(name.clone(), stream).await;
        Ok(Box::new(tls.map_err(|error| format!("TLS failed: {error}"))?))
    }

    /// Tries the addresses in the order in which the system names them.
    async fn tcp(&self) -> Result<TcpStream, String> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let addresses = addresses.map_err(|_| "its address can't be found".to_owned())?;
        let mut last = "its name has no address".to_owned();
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("can't connect: {}", error.kind()),
            }
        }
        Err(last)
    }
}

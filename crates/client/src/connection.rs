//! The Kubernetes client for decisions and writes: it sends each request once, within a timeout and without delay.
//!
//! `kube` leaves Nagle's algorithm on. Of two short writes in a row, as at the end of a TLS handshake and the request after it,
//! the second then waits until the API server acknowledges the first, which Linux delays by 40 ms. A read that needs more
//! connections than are open would always cost that (measured: 48 ms instead of 9 ms), and after some seconds without
//! requests none is open.

use std::time::Duration;

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::{Body, ClientBuilder, ConfigExt};
use tower::{BoxError, ServiceBuilder};

/// Configures a client to send each request once, with this timeout for connecting, for reading and for writing. A write
/// that the client repeated by itself could take effect long after the decision that it belongs to.
#[must_use]
pub fn for_decisions(mut config: kube::Config, timeout: Duration) -> kube::Config {
    config.default_retry = false;
    config.connect_timeout = Some(timeout);
    config.read_timeout = Some(timeout);
    config.write_timeout = Some(timeout);
    config.reset_reader_on_write = true;
    config
}

/// Makes a client like `kube`'s own, but without Nagle's algorithm.
///
/// # Errors
/// When the configuration holds certificates or credentials that can't be used.
pub fn low_latency_client(config: kube::Config) -> kube::Result<Client> {
    if config.default_retry || config.proxy_url.is_some() {
        // Only `kube`'s own client supports these.
        return Client::try_from(config);
    }
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(tcp())?);
    connector.set_connect_timeout(config.connect_timeout);
    connector.set_read_timeout(config.read_timeout);
    connector.set_write_timeout(config.write_timeout);
    connector.set_reset_reader_on_write(config.reset_reader_on_write);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace).build())
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    /// The fence rests on that.
    #[test]
    fn a_client_for_decisions_repeats_no_request_by_itself() {
        let timeout = Duration::from_secs(3);
        let config = for_decisions(kube::Config::new("https://127.0.0.1".parse().unwrap()), timeout);
        assert!(!config.default_retry && config.reset_reader_on_write);
        let timeouts = [config.connect_timeout, config.read_timeout, config.write_timeout];
        assert_eq!(timeouts, [Some(timeout); 3]);
    }

    #[tokio::test]
    async fn a_connection_does_not_wait_for_a_full_packet() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap()).parse().unwrap();
        let stream = tcp().oneshot(address).await.unwrap();
        assert!(stream.inner().nodelay().unwrap());
    }
}

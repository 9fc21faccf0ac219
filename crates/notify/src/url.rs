//! PURE: the address of a receiver. It may hold a secret, so it is never printed.

use std::fmt;
use std::str::FromStr;

use http::{HeaderValue, Uri, uri::Scheme};

/// An `http://` or `https://` URL without a user and without a fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// With TLS.
    pub https: bool,
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// The port, also if the URL leaves it out.
    pub port: u16,
    /// The header `Host`.
    pub authority: HeaderValue,
    /// Path and query; at least `/`.
    pub path: Uri,
}

impl FromStr for Url {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri =
            Uri::from_str(text).map_err(|_| "must be a URL, such as https://chat.example.com/hooks/x")?;
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err("must begin with https:// or http://"),
        };
        let authority = uri.authority().ok_or("must name a host")?;
        // `Uri` reads a fragment and forgets it.
        if authority.as_str().contains('@') || text.contains('#') {
            return Err("must have no user and no fragment; write credentials into `token` or `headers`");
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("must name a host");
        }
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" => {
                if https {
                    443
                } else {
                    80
                }
            }
            port => port
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .filter(|port| *port > 0)
                .ok_or("must have a port between 1 and 65535, or none")?,
        };
        // A query may follow the host at once.
        let path = uri.path_and_query().map_or_else(String::new, ToString::to_string);
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Ok(Self {
            https,
            host: host.to_owned(),
            port,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| "must name a host")?,
            path: Uri::from_str(&path).map_err(|_| "must have a path that is percent-encoded")?,
        })
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Url(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_port_and_a_path() {
        for (text, https, host, port, path) in [
            ("https://hooks.example.com/services/T0/B0", true, "hooks.example.com", 443, "/services/T0/B0"),
            ("http://chat.ops:8065?a=b", false, "chat.ops", 8065, "/?a=b"),
            ("http://[fd00::1]:80/x", false, "fd00::1", 80, "/x"),
        ] {
            let url = Url::from_str(text).unwrap();
            assert_eq!((url.https, url.host.as_str(), url.port), (https, host, port), "{text}");
            assert_eq!(url.path.to_string(), path);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_word_of_it() {
        for text in [
            "hooks.example.com/s3cret",
            "ftp://s3cret",
            "https://u:s3cret@host/",
            "https://h/#s3cret",
            "https://s3cret:0/",
            "https://s3cret:99999/",
            "https://",
            "/s3cret",
            "",
        ] {
            let refused = Url::from_str(text).unwrap_err();
            assert!(refused.starts_with("must") && !refused.contains("s3cret"), "{text}: {refused}");
        }
        assert!(!format!("{:?}", Url::from_str("https://h/s3cret").unwrap()).contains("s3cret"));
    }
}

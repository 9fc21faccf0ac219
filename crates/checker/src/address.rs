//! The addresses and headers of flags.

use std::str::FromStr;

use http::{HeaderName, HeaderValue, Uri, header, uri::Scheme};

/// An `http://` or `https://` URL without a user and without a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// With TLS.
    pub https: bool,
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// The port, also if the URL leaves it out.
    pub port: u16,
    /// Host and port as the URL has them.
    pub authority: String,
    /// Path and query; at least `/`.
    pub path: Uri,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri = Uri::from_str(text).map_err(|error| error.to_string())?;
        let https = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            _ => return Err("must begin with http:// or https://".to_owned()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        // `Uri` reads a fragment and forgets it.
        if authority.as_str().contains('@') || text.contains('#') {
            return Err("must have no user and no fragment".to_owned());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            https,
            host: host.to_owned(),
            port: port(authority)?.unwrap_or(if https { 443 } else { 80 }),
            authority: authority.to_string(),
            path: Uri::from_str(path).map_err(|error| error.to_string())?,
        })
    }
}

impl Url {
    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

fn port(authority: &http::uri::Authority) -> Result<Option<u16>, String> {
    let after = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let Some(port) = after.strip_prefix(':') else { return Ok(None) };
    match port.parse() {
        Ok(port) if port > 0 => Ok(Some(port)),
        _ => Err(format!("has the port {port:?}, which is not between 1 and 65535")),
    }
}

/// `NAME: VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name.
    pub name: HeaderName,
    /// The value.
    pub value: HeaderValue,
}

/// These describe the connection and the body, which are the checker's: a `Content-Length` without a body would make the
/// server wait.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("must be written as `NAME: VALUE`")?;
        let name = HeaderName::from_str(name.trim()).map_err(|error| error.to_string())?;
        let value = HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?;
        if OF_THE_CONNECTION.contains(&name) {
            return Err(format!("{name} is about the connection or the body, and can't be set"));
        }
        Ok(Self { name, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::from_str("http://10.0.0.1:8080/healthz?a=b").unwrap();
        assert_eq!((url.https, url.host.as_str(), url.port), (false, "10.0.0.1", 8080));
        assert_eq!(
            (url.authority.as_str(), url.path.to_string().as_str()),
            ("10.0.0.1:8080", "/healthz?a=b")
        );
        let url = Url::from_str("https://[fd00::1]").unwrap();
        assert_eq!((url.https, url.host.as_str(), url.port), (true, "fd00::1", 443));
        assert_eq!((url.authority.as_str(), url.path.to_string().as_str()), ("[fd00::1]", "/"));
        let url = Url::from_str("https://[fd00::1]:9/x").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("fd00::1", 9));
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "",
            "hello",
            "/healthz",
            "ftp://hello",
            "http://",
            "http://:80/",
            "http://user@hello/",
            "http://user:password@hello/",
            "http://hello/#fragment",
            "http://hello:0/",
            "http://hello:65536/",
            "http://hello:/",
            "http://hel lo/",
        ] {
            assert!(Url::from_str(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_header_has_a_name_and_a_value_and_leaves_the_connection_alone() {
        let header = Header::from_str("X-Tenant:  a: b ").unwrap();
        assert_eq!((header.name.as_str(), header.value.to_str().unwrap()), ("x-tenant", "a: b"));
        for text in [
            "X",
            ": a",
            "a b: c",
            "X: a\nY: b",
            "content-length: 5",
            "Transfer-Encoding: chunked",
            "UPGRADE: h2c",
        ] {
            assert!(Header::from_str(text).is_err(), "{text}");
        }
    }
}

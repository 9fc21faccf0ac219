//! `check http`: tests that the app answers as it should.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::address::Url;
use crate::args::{HttpArgs, Statuses};
use crate::connect::{Target, without_verification};
use crate::exchange::{Answer, Get};
use crate::trouble::{Trouble, causes};
use crate::verdict::Measurement;
use crate::words::one_line;

/// How much of a body is read, and searched, in bytes.
pub const READ_OF_BODY: usize = 64 * 1024;

/// The measurements of `check http`.
pub struct Http {
    target: Target,
    get: Get,
    /// Method and URL, with the Service's name and not with its address.
    subject: String,
    status: Statuses,
    contains: Option<String>,
    max_milliseconds: Option<u32>,
    connected_before: bool,
}

impl Http {
    /// Prepares what every measurement needs.
    ///
    /// # Errors
    /// TLS can't be prepared.
    pub fn new(args: HttpArgs) -> Result<Self, String> {
        let HttpArgs { url, host, headers: more, status, contains, max_milliseconds, pace, message_file: _ } =
            args;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("bluegreen-operator"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        let set: Vec<_> = more.iter().map(|header| header.name.clone()).collect();
        for name in set {
            headers.remove(name);
        }
        for header in more {
            headers.append(header.name, header.value);
        }
        let host =
            headers.get(header::HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
        let host = host.unwrap_or_default();
        let tls = if url.https {
            let config = without_verification().map_err(|error| causes(&error))?;
            Some((Arc::new(config), server_name(&host, &url)?))
        } else {
            None
        };
        Ok(Self {
            subject: one_line(&format!("GET {}://{host}{}", url.scheme(), url.path), 256),
            target: Target { host: url.host, port: url.port, tls },
            get: Get { path: url.path, headers, timeout: pace.timeout(), limit: READ_OF_BODY },
            status,
            contains,
            max_milliseconds,
            connected_before: false,
        })
    }

    /// Asks once.
    pub async fn measure(&mut self) -> Measurement {
        let answer = self.get.send(&self.target).await;
        let connected = answer.as_ref().map_or_else(|trouble| trouble.connected, |_| true);
        self.connected_before |= connected;
        match answer {
            Ok(answer) => self.judge(&answer),
            Err(Trouble { words, .. }) if self.connected_before => {
                Measurement::bad(format!("{}: {words}", self.subject))
            }
            // A NetworkPolicy, or rules for this new pod that are not in place yet, would look the same.
            Err(Trouble { words, .. }) => Measurement::unknown(format!(
                "{}: {words}; check that the Service has ready endpoints and that a NetworkPolicy allows this pod to \
                 connect",
                self.subject
            )),
        }
    }

    fn judge(&self, answer: &Answer) -> Measurement {
        let Self { subject, status: Statuses { first, last }, .. } = self;
        let (status, took) = (answer.status.as_u16(), answer.took.as_millis());
        if !(*first..=*last).contains(&status) {
            return Measurement::bad(format!("{subject} answered {status} instead of {}", self.status));
        }
        if let Some(text) = self.contains.as_ref().filter(|text| !found(text.as_bytes(), &answer.body)) {
            let place = if answer.cut { "the first 64 KiB of its answer" } else { "its answer" };
            return Measurement::bad(format!("{subject} answered {status}, but {text:?} is not in {place}"));
        }
        if let Some(most) = self.max_milliseconds.filter(|most| took > u128::from(*most)) {
            return Measurement::bad(format!(
                "{subject} answered {status} after {took} ms, more than maxMilliseconds {most}"
            ));
        }
        Measurement::good(format!("{subject} answered {status} after {took} ms"))
    }
}

/// The name that TLS asks for: that of the header `Host`, since clients in the cluster use it; otherwise what the URL has.
fn server_name(host: &str, url: &Url) -> Result<ServerName<'static>, String> {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|digit| digit.is_ascii_digit()) { name } else { host }
    });
    let name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned());
    name.or_else(|_| ServerName::try_from(url.host.clone())).map_err(|error| causes(&error))
}

fn found(text: &[u8], body: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;

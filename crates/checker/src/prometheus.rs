//! `check prometheus`: tests that the answer of a query is within its limits.
//!
//! The query is sent as a GET: it only reads, proxies with rights for reading let it through, and the API limits its length.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::uri::Uri;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use tokio::io::AsyncReadExt;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::args::{Limit, PrometheusArgs};
use crate::connect::{Target, with_verification};
use crate::exchange::{Answer, Get};
use crate::expand::expand;
use crate::sample::{self, number};
use crate::trouble::causes;
use crate::verdict::Measurement;
use crate::words::one_line;

/// How much of an answer is read, in bytes. One number needs a few hundred; thousands of series would be too many anyway.
const READ_OF_ANSWER: usize = 1024 * 1024;

/// The longest token that is read, in bytes.
const READ_OF_TOKEN: u64 = 64 * 1024;

/// The measurements of `check prometheus`.
pub struct Prometheus {
    target: Target,
    get: Get,
    /// The address, for people.
    address: String,
    min: Option<Limit>,
    max: Option<Limit>,
    token_file: Option<PathBuf>,
}

impl Prometheus {
    /// Prepares what every measurement needs. `variable` has the environment.
    ///
    /// # Errors
    /// The flags contradict each other, the query names an unknown variable, or the file with the CA can't be used.
    pub fn new(args: PrometheusArgs, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let PrometheusArgs { address, query, min, max, token_file, ca_file, pace, message_file: _ } = args;
        if let (Some(min), Some(max)) = (&min, &max)
            && min.number > max.number
        {
            return Err(format!("--min {} is more than --max {}", min.text, max.text));
        }
        let timeout = format!("{}s", pace.timeout_seconds);
        let parameters = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", &expand(&query, variable)?)
            .append_pair("timeout", &timeout)
            .finish();
        let prefix = address.path.path().trim_end_matches('/');
        let path =
            Uri::try_from(format!("{prefix}/api/v1/query?{parameters}")).map_err(|error| causes(&error))?;
        let tls = if address.https {
            let name = ServerName::try_from(address.host.clone()).map_err(|error| causes(&error))?;
            Some((Arc::new(with_verification(ca_file.as_deref())?), name))
        } else {
            None
        };
        let mut headers = HeaderMap::new();
        headers
            .insert(header::HOST, HeaderValue::from_str(&address.authority).map_err(|error| causes(&error))?);
        headers.insert(header::USER_AGENT, HeaderValue::from_static("bluegreen-operator"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(Self {
            address: one_line(&format!("{}://{}{prefix}", address.scheme(), address.authority), 128),
            target: Target { host: address.host, port: address.port, tls },
            get: Get { path, headers, timeout: pace.timeout(), limit: READ_OF_ANSWER },
            min,
            max,
            token_file,
        })
    }

    /// Asks once.
    pub async fn measure(&mut self) -> Measurement {
        match self.ask().await {
            Ok(value) => self.judge(value),
            Err(words) => Measurement::unknown(format!("Prometheus at {}: {words}", self.address)),
        }
    }

    /// The number that the query answers, or why there is none.
    async fn ask(&mut self) -> Result<f64, String> {
        if let Some(file) = &self.token_file {
            let value = bearer(file).await.map_err(|words| format!("can't use the token: {words}"))?;
            self.get.headers.insert(header::AUTHORIZATION, value);
        }
        let answer = self.get.send(&self.target).await.map_err(|trouble| {
            let words = trouble.words;
            if words.contains("certificate") { format!("{words}; check `ca`") } else { words }
        })?;
        if answer.cut {
            return Err(
                "the answer is longer than 1 MiB; aggregate the series, for example with sum()".to_owned()
            );
        }
        if answer.status != StatusCode::OK {
            return Err(refused(&answer));
        }
        number(&answer.body)
    }

    fn judge(&self, value: f64) -> Measurement {
        if let Some(min) = self.min.as_ref().filter(|min| value < min.number) {
            return Measurement::bad(format!("the query answered {value}, less than min {}", min.text));
        }
        if let Some(max) = self.max.as_ref().filter(|max| value > max.number) {
            return Measurement::bad(format!("the query answered {value}, more than max {}", max.text));
        }
        let limits = [("min", &self.min), ("max", &self.max)]
            .map(|(name, limit)| limit.as_ref().map(|limit| format!("{name} {}", limit.text)));
        let limits = limits.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        Measurement::good(format!("the query answered {value}, which {limits} allows"))
    }
}

/// Why Prometheus, or a proxy before it, has refused.
fn refused(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    let words = match answer.status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "; check `tokenSecret`",
        status if status.is_redirection() => {
            "; redirects are not followed, so `address` must be the final one"
        }
        StatusCode::NOT_FOUND => "; check the path of `address`, which ends where /api/v1/query begins",
        _ => "",
    };
    match sample::error(&answer.body) {
        Some(error) => format!("answered {status}: {}{words}", one_line(&error, 256)),
        None => format!("answered {status}{words}"),
    }
}

/// The header with the token in this file. The error never has the token.
async fn bearer(file: &Path) -> Result<HeaderValue, String> {
    let failed = |error: std::io::Error| format!("{}: {}", file.display(), causes(&error));
    let mut token = String::new();
    let open = tokio::fs::File::open(file).await.map_err(failed)?;
    open.take(READ_OF_TOKEN).read_to_string(&mut token).await.map_err(failed)?;
    let token = token.trim();
    if token.is_empty() {
        return Err(format!("{} is empty", file.display()));
    }
    let value = HeaderValue::from_str(&format!("Bearer {token}"));
    let mut value = value.map_err(|_| format!("{} holds more than one line", file.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
#[path = "prometheus_tests.rs"]
mod tests;

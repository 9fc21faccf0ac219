//! PURE: which requests are let in, and which headers go out.
//!
//! A dashboard acts with the rights of the person who started it, and any page in that person's browser can send requests to
//! it. So the guard assumes that requests come from somebody else until they show otherwise:
//!
//! | rule | keeps out |
//! |---|---|
//! | the `Host` is `127.0.0.1:PORT` or `localhost:PORT` | a foreign name that was made to resolve to 127.0.0.1 (DNS rebinding) |
//! | the cookie of the session, for which the token in the printed address is exchanged once | other users and programs of this machine |
//! | the browser says that the request comes from this page (`Sec-Fetch-Site`), where it says anything | pages of other ports of 127.0.0.1, which get the cookie, too |
//! | what is sent has the `Origin` of this page and is JSON | forms and scripts of other sites |

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::secret::Secret;

/// What each answer says to the browser.
///
/// Nothing is loaded from anywhere else, no other page may frame this one or refer to it, nothing stays in a cache, and no script
/// can turn text into elements.
pub const HEADERS: [(HeaderName, HeaderValue); 7] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'; \
             require-trusted-types-for 'script'; trusted-types 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
];

/// A request that is not let in: the status of the answer, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused(pub StatusCode, pub &'static str);

/// What becomes of a request that is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is of the session.
    Session,
    /// It brings the token: the answer is to bring the cookie.
    Token,
}

/// What the guard knows.
pub struct Guard {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// What the printed address holds.
    pub token: Secret,
    /// What the cookie holds.
    pub session: Secret,
}

impl Guard {
    /// Judges a request.
    ///
    /// # Errors
    /// [`Refused`] when it is not let in.
    pub fn judge(&self, request: &Parts) -> Result<Entry, Refused> {
        let host = one(&request.headers, HOST).filter(|host| self.hosts().contains(&(*host).to_owned()));
        let host =
            host.ok_or(Refused(StatusCode::MISDIRECTED_REQUEST, "this dashboard has another address"))?;
        if ![Method::GET, Method::POST].contains(&request.method) {
            return Err(Refused(StatusCode::METHOD_NOT_ALLOWED, "only GET and POST"));
        }
        if request.method == Method::GET && request.uri.path() == "/" {
            // A link on another page may lead here, and learns nothing by it.
            if self.has_session(&request.headers) {
                return Ok(Entry::Session);
            }
            let token = request.uri.query().and_then(|query| query.strip_prefix("token="));
            let refused = Refused(
                StatusCode::UNAUTHORIZED,
                "open the address that the dashboard has printed when it was started",
            );
            return token.filter(|token| self.token.is(token)).map(|_| Entry::Token).ok_or(refused);
        }
        if !self.has_session(&request.headers) {
            return Err(Refused(StatusCode::UNAUTHORIZED, "no session: open the printed address first"));
        }
        let site = one(&request.headers, HeaderName::from_static("sec-fetch-site"));
        if site.is_some_and(|site| site != "same-origin") {
            return Err(Refused(StatusCode::FORBIDDEN, "a request of another page"));
        }
        if request.method == Method::POST {
            let origin = one(&request.headers, ORIGIN);
            if origin != Some(format!("http://{host}").as_str()) {
                return Err(Refused(StatusCode::FORBIDDEN, "an edit of another page"));
            }
            if one(&request.headers, CONTENT_TYPE) != Some("application/json") {
                return Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "an edit is JSON"));
            }
        }
        Ok(Entry::Session)
    }

    /// The value of `Set-Cookie`. A browser keeps one cookie of a name for all ports of a host, so the name holds the port.
    #[must_use]
    pub fn cookie(&self) -> String {
        format!("{}={}; HttpOnly; SameSite=Strict; Path=/", self.cookie_name(), self.session.reveal())
    }

    fn cookie_name(&self) -> String {
        format!("bluegreen-{}", self.port)
    }

    fn hosts(&self) -> [String; 2] {
        ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", self.port))
    }

    fn has_session(&self, headers: &HeaderMap) -> bool {
        let name = self.cookie_name();
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies =
            cookies.flat_map(|value| value.split("; ")).filter_map(|cookie| cookie.split_once('='));
        cookies.any(|(key, value)| key == name && self.session.is(value))
    }
}

/// The value of a header that is there once.
fn one(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "guard_tests.rs"]
mod tests;

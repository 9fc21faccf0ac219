//! One request that is let in, and what becomes of it when one thing about it is different.

use super::*;

fn guard() -> Guard {
    Guard { port: 8700, token: Secret::new().unwrap(), session: Secret::new().unwrap() }
}

/// A request of the page itself; `None` leaves a header out.
fn request(guard: &Guard, method: &Method, path: &str, changes: &[(&str, Option<&str>)]) -> Parts {
    let cookie = format!("other=1; bluegreen-8700={}", guard.session.reveal());
    let mut headers = vec![
        ("host", Some("127.0.0.1:8700")),
        ("cookie", Some(cookie.as_str())),
        ("origin", Some("http://127.0.0.1:8700")),
        ("content-type", Some("application/json")),
        ("sec-fetch-site", Some("same-origin")),
    ];
    headers.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let mut request = http::Request::builder().method(method).uri(path);
    for (name, value) in headers.iter().chain(changes) {
        if let Some(value) = value {
            request = request.header(*name, *value);
        }
    }
    request.body(()).unwrap().into_parts().0
}

const EDIT: &str = "/api/apps/shop/hello/edit";

fn code(guard: &Guard, method: &Method, path: &str, changes: &[(&str, Option<&str>)]) -> Option<u16> {
    guard.judge(&request(guard, method, path, changes)).err().map(|Refused(code, _)| code.as_u16())
}

#[test]
fn what_the_page_asks_for_is_let_in() {
    let guard = guard();
    let local = [("host", Some("localhost:8700")), ("origin", Some("http://localhost:8700"))];
    for (method, path) in [(Method::GET, "/"), (Method::GET, "/app.js"), (Method::POST, EDIT)] {
        for changes in [&[][..], &local, &[("sec-fetch-site", None)]] {
            let judged = guard.judge(&request(&guard, &method, path, changes));
            assert_eq!(judged, Ok(Entry::Session), "{method} {path} {changes:?}");
        }
    }
}

#[test]
fn a_foreign_host_is_refused_everywhere() {
    let guard = guard();
    for host in
        ["evil.example:8700", "127.0.0.1", "127.0.0.1:8701", "localhost", "127.0.0.1.evil.example:8700"]
    {
        for (method, path) in [(Method::GET, "/"), (Method::GET, "/app.js"), (Method::POST, EDIT)] {
            let origin = format!("http://{host}");
            let changes = [("host", Some(host)), ("origin", Some(origin.as_str()))];
            assert_eq!(code(&guard, &method, path, &changes), Some(421), "{method} {path} {host}");
        }
    }
    assert_eq!(code(&guard, &Method::GET, "/", &[("host", None)]), Some(421));
    let twice = [("host", Some("127.0.0.1:8700")), ("host", Some("evil.example:8700"))];
    assert_eq!(code(&guard, &Method::GET, "/", &twice), Some(421));
}

#[test]
fn without_the_cookie_there_is_nothing_but_the_exchange_of_the_token() {
    let guard = guard();
    let other = format!("bluegreen-8700={}", Secret::new().unwrap().reveal());
    let of_another_port = format!("bluegreen-8701={}", guard.session.reveal());
    let token_as_cookie = format!("bluegreen-8700={}", guard.token.reveal());
    for cookie in [None, Some(other.as_str()), Some(of_another_port.as_str()), Some(token_as_cookie.as_str())]
    {
        for (method, path) in [(Method::GET, "/"), (Method::GET, "/app.js"), (Method::POST, EDIT)] {
            assert_eq!(code(&guard, &method, path, &[("cookie", cookie)]), Some(401), "{method} {path}");
        }
    }
    let exchange =
        |query: &str| guard.judge(&request(&guard, &Method::GET, &format!("/?{query}"), &[("cookie", None)]));
    assert_eq!(exchange(&format!("token={}", guard.token.reveal())), Ok(Entry::Token));
    for query in ["token=".to_owned(), format!("token={}", guard.session.reveal()), "token".to_owned()] {
        assert!(exchange(&query).is_err(), "{query}");
    }
    let elsewhere = format!("/app.js?token={}", guard.token.reveal());
    assert_eq!(code(&guard, &Method::GET, &elsewhere, &[("cookie", None)]), Some(401));
}

#[test]
fn a_request_of_another_page_is_refused_even_with_the_cookie() {
    let guard = guard();
    for site in ["cross-site", "same-site", "none"] {
        let changes = [("sec-fetch-site", Some(site))];
        assert_eq!(code(&guard, &Method::GET, "/api/apps", &changes), Some(403), "{site}");
    }
    for origin in [None, Some("null"), Some("http://evil.example"), Some("http://localhost:8700")] {
        let changes = [("origin", origin), ("sec-fetch-site", None)];
        assert_eq!(code(&guard, &Method::POST, EDIT, &changes), Some(403), "{origin:?}");
    }
    for kind in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        assert_eq!(code(&guard, &Method::POST, EDIT, &[("content-type", kind)]), Some(415), "{kind:?}");
    }
    assert_eq!(code(&guard, &Method::PUT, EDIT, &[]), Some(405));
}

#[test]
fn the_cookie_is_kept_from_scripts_and_from_other_sites() {
    let guard = guard();
    let cookie = guard.cookie();
    assert!(cookie.starts_with(&format!("bluegreen-8700={};", guard.session.reveal())), "{cookie}");
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Strict"), "{cookie}");
}

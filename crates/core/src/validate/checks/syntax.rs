//! The syntax of what the checker's flags take, as its rules in `bluegreen_api::rules` have it.

use std::net::{Ipv4Addr, Ipv6Addr};

use bluegreen_api::rules::QUERY_NAMES;

pub(in crate::validate) fn is_name(name: &str) -> bool {
    let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= 20
        && bytes.first().is_some_and(is_edge)
        && bytes.last().is_some_and(is_edge)
        && bytes.iter().all(|byte| is_edge(byte) || *byte == b'-')
}

pub(in crate::validate) fn is_status(text: &str) -> bool {
    let is_code = |code: &str| {
        let bytes = code.as_bytes();
        bytes.len() == 3
            && bytes.first().is_some_and(|first| (b'1'..=b'5').contains(first))
            && bytes.iter().all(u8::is_ascii_digit)
    };
    text.split_once('-')
        .map_or_else(|| is_code(text), |(from, to)| is_code(from) && is_code(to) && from <= to)
}

pub(in crate::validate) fn is_address(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let Some(rest) = rest else { return false };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let (is_host, port) = match authority.strip_prefix('[').map(|inner| inner.split_once(']')) {
        Some(Some((inner, port))) => (inner.parse::<Ipv6Addr>().is_ok(), port),
        Some(None) => (false, ""),
        None => {
            let (host, port) = authority.find(':').map_or((authority, ""), |colon| authority.split_at(colon));
            (host.parse::<Ipv4Addr>().is_ok() || is_domain(host), port)
        }
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    is_host && is_port && is_path(path) && !path.contains(['?', '@'])
}

/// A name that TLS can ask for, too: its last part is no number.
fn is_domain(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_edge = |it: &u8| it.is_ascii_alphanumeric() || *it == b'_';
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && bytes.first().is_some_and(is_edge)
            && bytes.last().is_some_and(is_edge)
            && bytes.iter().all(|it| is_edge(it) || *it == b'-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.split('.').all(is_label) && !last.starts_with(|first: char| first.is_ascii_digit())
}

fn is_made_of(text: &str, is_known: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_known)
}

fn is_port(text: &str) -> bool {
    let is_number = is_made_of(text, |it| it.is_ascii_digit()) && !text.starts_with('0');
    is_number && text.parse::<u16>().is_ok()
}

/// What may stand in both the path and the query of a URL.
pub(in crate::validate) fn is_path(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_graphic() && !b"\"#<>`".contains(&it))
}

/// A token of RFC 9110.
pub(in crate::validate) fn is_header_name(text: &str) -> bool {
    is_made_of(text, |it| it.is_ascii_alphanumeric() || b"-!#$%&'*+.^_`|~".contains(&it))
}

/// Returns true if each `$(NAME)` of a query is a variable of the check. `$$(NAME)` stands for `$(NAME)` itself.
pub(in crate::validate) fn has_known_names(query: &str) -> bool {
    let mut dollars = 0_usize;
    let mut rest = query;
    while let Some(character) = rest.chars().next() {
        rest = rest.strip_prefix(character).unwrap_or_default();
        match character {
            '$' => dollars += 1,
            '(' if dollars == 1 && name(rest).is_some_and(|name| !QUERY_NAMES.contains(&name)) => {
                return false;
            }
            _ => dollars = 0,
        }
    }
    true
}

/// The name in `NAME)…`.
fn name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once(')')?;
    let is_first = |it: u8| it.is_ascii_alphabetic() || it == b'_';
    let fits = name.bytes().next().is_some_and(is_first)
        && is_made_of(name, |it| it.is_ascii_alphanumeric() || it == b'_');
    fits.then_some(name)
}

/// A limit as a number; none if it is no number, or not there.
pub(in crate::validate) fn number(text: Option<&str>) -> Option<f64> {
    text.filter(|text| is_decimal(text))?.parse().ok()
}

pub(in crate::validate) fn is_decimal(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let has_digits = !whole.is_empty() || !part.is_empty();
    has_digits
        && all_digits(whole)
        && all_digits(part)
        && exponent.is_none_or(|it| (1..=2).contains(&it.len()) && all_digits(it))
}

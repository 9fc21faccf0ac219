//! The syntax checks of the rules. They are written by hand because each is small, so the operator needs no library
//! for regular expressions. A test generates strings from the patterns in the CEL expressions and checks that they
//! are accepted here.

use bluegreen_api::rules::NAME_MAX;

const fn is_lower_alphanumeric(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

/// Returns true for a DNS-1035 label that is short enough for the names of all children.
pub(super) fn is_app_name(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.ends_with(is_lower_alphanumeric)
        && name.chars().all(|c| is_lower_alphanumeric(c) || c == '-')
}

/// Returns true if an app with this name could collide with the children of another app.
pub(super) fn has_reserved_suffix(name: &str) -> bool {
    ["-blue", "-green", "-preview"].iter().any(|suffix| name.ends_with(suffix))
}

/// Returns true for an IANA service name, which the name of a port must be.
pub(super) fn is_port_name(name: &str) -> bool {
    is_probe_port_name(name) && name.contains(|c: char| c.is_ascii_lowercase()) && !name.contains("--")
}

/// Returns true for a text that may be the port of a probe. The check is less strict, because Kubernetes only looks
/// the name up among the container's ports.
pub(super) fn is_probe_port_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.chars().all(|c| is_lower_alphanumeric(c) || c == '-')
        && name.starts_with(is_lower_alphanumeric)
        && name.ends_with(is_lower_alphanumeric)
}

/// Returns true for `[domain/]name`.
pub(super) fn is_app_protocol(protocol: &str) -> bool {
    let (domain, name) = match protocol.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, protocol),
    };
    let domain_fits = domain.is_none_or(|domain| {
        domain.starts_with(is_lower_alphanumeric)
            && domain.ends_with(is_lower_alphanumeric)
            && domain.chars().all(|c| is_lower_alphanumeric(c) || c == '-' || c == '.')
    });
    domain_fits
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Returns true for what looks like a range of addresses. Which numbers an address may have is left to the API server.
pub(super) fn is_source_range(range: &str) -> bool {
    let Some((address, prefix)) = range.split_once('/') else { return false };
    let is_number = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit())
    };
    if address.contains(':') {
        // Before the first colon comes no dot.
        let first = address.split(':').next().unwrap_or_default();
        let fits = address.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
        return fits && !first.contains('.') && is_number(prefix, 3);
    }
    is_number(prefix, 2)
        && address.split('.').count() == 4
        && address.split('.').all(|number| is_number(number, 3))
}

/// Returns true for the key of a label or, in lower case, of an annotation.
pub(super) fn is_label_key(key: &str) -> bool {
    let name = key.rsplit('/').next().unwrap_or(key);
    key.len() <= 317 && (1..=63).contains(&name.len()) && is_app_protocol(key)
}

/// Returns true for the value of a label.
pub(super) fn is_label_value(value: &str) -> bool {
    value.is_empty() || (value.len() <= 63 && !value.contains('/') && is_app_protocol(value))
}

/// Returns true for a percentage of at least `1%`.
pub(super) fn is_positive_percentage(text: &str) -> bool {
    text.strip_suffix('%').is_some_and(|digits| {
        (1..=6).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.chars().all(|c| c.is_ascii_digit())
    })
}

/// Returns true for an OCI tag.
pub(super) fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// Returns true for an OCI digest with one of the algorithms that registries use.
pub(super) fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let digits = match algorithm {
        "sha256" => 64,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == digits && hex.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

/// Returns true if the image has a part that belongs into `tag` or `digest`. The port of a registry is not such a
/// part, because a `/` comes after it.
pub(super) fn has_tag_or_digest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    image.contains('@') || last.contains(':')
}

/// Returns true for `[host[:port]/]path[/path…]`.
pub(super) fn is_repository(image: &str) -> bool {
    if image.split('/').all(is_path_component) {
        return true;
    }
    image
        .split_once('/')
        .is_some_and(|(host, path)| is_registry(host) && path.split('/').all(is_path_component))
}

fn is_registry(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    port.is_none_or(|port| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
}

/// Returns true for lower-case letters and digits with `.`, `_`, `__` or any number of `-` between them.
fn is_path_component(component: &str) -> bool {
    component.starts_with(is_lower_alphanumeric)
        && component.ends_with(is_lower_alphanumeric)
        && component.split(is_lower_alphanumeric).all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|c| c == '-')
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::checks::syntax as of_checks;
    use super::*;
    use bluegreen_api::rules;
    use proptest::prelude::*;

    /// Returns the pattern in the nth `matches('…')` of a rule.
    fn pattern(rule: rules::StaticRule, nth: usize) -> String {
        let patterns: Vec<&str> = rule.cel.split("matches('").skip(1).collect();
        patterns[nth].split("')").next().unwrap().to_owned()
    }

    /// Checks that `accepts` accepts every string that the rule's pattern matches.
    fn check(rule: rules::StaticRule, nth: usize, accepts: impl Fn(&str) -> bool) {
        // RE2, which the API server uses, takes a bracket in a class for itself.
        let pattern = pattern(rule, nth).replace("[[]", r"\[");
        let strategy = proptest::string::string_regex(pattern.trim_matches(['^', '$'])).unwrap();
        let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        runner
            .run(&strategy, |text| {
                prop_assert!(accepts(&text), "{pattern} matches {text:?}, the function refuses it");
                Ok(())
            })
            .unwrap();
    }

    #[test]
    fn what_the_cel_patterns_match_is_accepted_here_too() {
        check(rules::NAME_SYNTAX, 0, |text| text.len() > NAME_MAX || is_app_name(text));
        check(rules::TAG_SYNTAX, 0, is_tag);
        check(rules::DIGEST_SYNTAX, 0, is_digest);
        check(rules::IMAGE_SYNTAX, 1, is_repository);
        check(rules::APP_PROTOCOL_SYNTAX, 0, is_app_protocol);
        check(rules::MAX_SURGE, 0, is_positive_percentage);
        check(rules::SOURCE_RANGE_SYNTAX, 0, is_source_range);
        let is_long =
            |text: &str| text.len() > 317 || text.rsplit('/').next().is_some_and(|name| name.len() > 63);
        check(rules::LABEL_SYNTAX, 0, |text| is_long(text) || is_label_key(text));
        check(rules::LABEL_SYNTAX, 1, |text| text.len() > 63 || is_label_value(text));
        check(rules::CHECK_PATH, 0, of_checks::is_path);
        check(rules::CHECK_STATUS_SYNTAX, 0, |text| text.len() == 7 || of_checks::is_status(text));
        check(rules::CHECK_DECIMAL, 0, of_checks::is_decimal);
        let is_long = |text: &str| text.len() > 253 || text.contains('[');
        check(rules::CHECK_ADDRESS, 0, |text| is_long(text) || of_checks::is_address(text));
        check(rules::PROBE_PORT, 0, is_probe_port_name);
        check(rules::PORT_NAME_SYNTAX, 0, |text| {
            text.len() > 15
                || text.contains("--")
                || !text.contains(|c: char| c.is_ascii_lowercase())
                || is_port_name(text)
        });
    }
}

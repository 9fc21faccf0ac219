//! `$(NAME)` in a query.
//!
//! Kubernetes expands the same notation in `args` and `env` of a container, as plain text. In a query a value is part of a
//! string of PromQL, so it has to be escaped: this is why the checker expands queries itself.

/// The variables of a check.
pub const NAMES: [&str; 7] = [
    "BLUEGREEN_APP",
    "BLUEGREEN_NAMESPACE",
    "BLUEGREEN_COLOR",
    "BLUEGREEN_REVISION",
    "BLUEGREEN_IMAGE",
    "BLUEGREEN_TAG",
    "BLUEGREEN_URL",
];

/// Replaces each `$(NAME)` of [`NAMES`] by its value, escaped for a string of PromQL. `$$(` stands for `$(`, as in Kubernetes.
///
/// # Errors
/// Another `$(NAME)`, or a variable without a value. Neither can be meant: after `$`, the end of a string, nothing matches. To
/// leave it as it is would turn a typing error into a query that finds nothing, and with `or vector(0)` into one that is
/// always good.
pub fn expand(query: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut expanded = String::with_capacity(query.len());
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix("$(") {
            expanded.push_str("$(");
            rest = after;
            continue;
        }
        match variable(after) {
            Some((name, after)) if NAMES.contains(&name) => {
                let value =
                    value(name).ok_or_else(|| format!("the environment variable {name} is not set"))?;
                expanded.push_str(&escape(&value));
                rest = after;
            }
            Some((name, _)) => {
                return Err(format!(
                    "--query names $({name}), but only {} are known; write $$({name}) if it is meant as it is",
                    NAMES.join(", ")
                ));
            }
            None => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The name in `(NAME)…`, and what follows.
fn variable(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('(')?.split_once(')')?;
    let mut characters = name.chars();
    let first = characters.next()?;
    let fits = (first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || character == '_');
    fits.then_some((name, after))
}

/// Escapes a value so that it can't end the string it is in. Quotes are written by their numbers, because PromQL knows `\"` only
/// between double quotes and `\'` only between single ones. Between backticks there are no escapes: there a value with
/// special characters stays inside the string, and matches nothing.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => escaped.push_str(r"\\"),
            '"' | '\'' | '`' => escaped.push_str(&format!(r"\x{:02x}", u32::from(character))),
            character if character.is_control() => {
                escaped.push_str(&format!(r"\u{:04x}", u32::from(character)));
            }
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(query: &str) -> Result<String, String> {
        expand(query, |name| match name {
            "BLUEGREEN_TAG" => Some("v2".to_owned()),
            "BLUEGREEN_IMAGE" => Some(r#"a"b'c\d`e"#.to_owned() + "\n"),
            "BLUEGREEN_COLOR" => Some("$(BLUEGREEN_TAG)".to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_variables_of_a_check_are_replaced() {
        assert_eq!(with(r#"up{v="$(BLUEGREEN_TAG)",w="$(BLUEGREEN_TAG)"}"#).unwrap(), r#"up{v="v2",w="v2"}"#);
    }

    #[test]
    fn a_value_cannot_end_its_string() {
        assert_eq!(with("$(BLUEGREEN_IMAGE)").unwrap(), r"a\x22b\x27c\\d\x60e\u000a");
    }

    #[test]
    fn a_value_is_not_expanded_once_more() {
        assert_eq!(with("$(BLUEGREEN_COLOR)").unwrap(), "$(BLUEGREEN_TAG)");
    }

    #[test]
    fn other_dollars_stay() {
        for query in [r#"{a=~"x$"}"#, r#"{a=~"(x|y)$|z$()"}"#, "$", "$(", "$(a b)", "$(1)", "$$"] {
            assert_eq!(with(query).unwrap(), query);
        }
        assert_eq!(with("$$(BLUEGREEN_TAG)").unwrap(), "$(BLUEGREEN_TAG)");
    }

    #[test]
    fn another_name_is_refused_and_so_is_one_without_a_value() {
        let words = with("$(BLUEGREEN_TAGS) or vector(0)").unwrap_err();
        assert!(words.contains("$(BLUEGREEN_TAGS)") && words.contains("BLUEGREEN_URL"), "{words}");
        assert_eq!(
            with("$(BLUEGREEN_APP)").unwrap_err(),
            "the environment variable BLUEGREEN_APP is not set"
        );
    }

    proptest! {
        #[test]
        fn no_value_has_a_quote_or_a_line_break_left(value in any::<String>()) {
            let expanded = expand("$(BLUEGREEN_TAG)", |_| Some(value.clone())).unwrap();
            prop_assert!(!expanded.contains(['"', '\'', '`', '\n', '\r', '\0']), "{expanded}");
            // An odd number of backslashes at the end would escape the quote that follows.
            let tail = expanded.chars().rev().take_while(|character| *character == '\\').count();
            prop_assert_eq!(tail % 2, 0);
        }
    }
}

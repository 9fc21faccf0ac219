//! Label selectors, as far as the operator and its clients use them.

use serde_json::Value;

/// What objects must say in their labels. Empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    OneOf(String, Vec<String>),
}

impl Selector {
    /// Reads `k=v,k in (a,b),k`.
    pub fn parse(text: &str) -> Self {
        Self(split(text).into_iter().map(requirement).collect())
    }

    /// Whether the object's labels meet every requirement.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.0.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => labels.get(key).is_some(),
            Requirement::OneOf(key, values) => {
                labels[key].as_str().is_some_and(|value| values.iter().any(|v| v == value))
            }
        })
    }
}

/// At commas that are not inside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0;
    text.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
    .collect()
}

fn requirement(text: &str) -> Requirement {
    if let Some((key, values)) = text.split_once(" in ") {
        let values = values.trim().trim_start_matches('(').trim_end_matches(')');
        return Requirement::OneOf(
            key.trim().to_owned(),
            values.split(',').map(|v| v.trim().to_owned()).collect(),
        );
    }
    match text.split_once('=') {
        Some((key, value)) => {
            Requirement::OneOf(key.trim().to_owned(), vec![value.trim_start_matches('=').trim().to_owned()])
        }
        None => Requirement::Exists(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selects_by_value_set_and_key() {
        let object = json!({ "metadata": { "labels": { "a": "1", "b": "2" } } });
        for (selector, matches) in [
            ("", true),
            ("a", true),
            ("c", false),
            ("a=1", true),
            ("a==1", true),
            ("a=2", false),
            ("a=1,b=2", true),
            ("a=1,b=3", false),
            ("a in (0,1),b", true),
            ("a in (0,2)", false),
        ] {
            assert_eq!(Selector::parse(selector).matches(&object), matches, "{selector}");
        }
    }
}

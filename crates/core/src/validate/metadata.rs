//! The rules about labels and annotations of the objects that the operator makes.

use std::collections::BTreeMap;

use super::{Found, syntax};
use bluegreen_api::{CommonMetadata, rules};

/// The largest number of labels, and of annotations, in `spec.commonMetadata`.
const MOST: usize = 32;

pub(super) fn check(found: &mut Found, common: &CommonMetadata) {
    let CommonMetadata { labels, annotations } = common;
    self::labels(found, "spec.commonMetadata.labels", labels, MOST);
    let at = "spec.commonMetadata.annotations";
    found.keys(at, annotations, MOST);
    found.check(at, rules::ANNOTATION_SYNTAX, annotations.keys().all(|key| syntax::is_label_key(key)));
    let others = |key: &String| {
        key == "kubectl.kubernetes.io/last-applied-configuration"
            || key.starts_with("deployment.kubernetes.io/")
    };
    found.check(at, rules::OTHERS_ANNOTATIONS, !annotations.keys().any(others));
    for (key, value) in annotations {
        found.longest(&format!("{at}.{key}"), value, 4096);
    }
}

/// Checks labels for objects that the operator makes; there may be this many.
pub(super) fn labels(found: &mut Found, at: &str, labels: &BTreeMap<String, String>, most: usize) {
    found.keys(at, labels, most);
    let valid = labels.iter().all(|(key, value)| syntax::is_label_key(key) && syntax::is_label_value(value));
    found.check(at, rules::LABEL_SYNTAX, valid);
    let own = ["app.kubernetes.io/name", "app.kubernetes.io/managed-by"];
    found.check(at, rules::OPERATORS_LABELS, own.iter().all(|key| !labels.contains_key(*key)));
}

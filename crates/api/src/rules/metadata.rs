//! The rules about labels and annotations of the objects that the operator makes. The API server would refuse an object with
//! one that is not valid, and with the live Service the next switch.

use super::{StaticRule, rule};

/// Attached to maps of labels for objects.
pub const LABEL_SYNTAX: StaticRule = rule(
    "self.all(key, size(key) <= 317 && size(key.substring(key.lastIndexOf('/') + 1)) <= 63 && \
     key.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$') && \
     self[key].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))",
    "must have keys and values of at most 63 letters, digits, '-', '_' and '.', each with a letter or digit first and last; a key may have a DNS name and '/' before it",
);

/// Attached to maps of labels for objects that the operator makes.
pub const OPERATORS_LABELS: StaticRule = rule(
    "!('app.kubernetes.io/name' in self) && !('app.kubernetes.io/managed-by' in self)",
    "must not contain app.kubernetes.io/name or app.kubernetes.io/managed-by: the operator sets those itself; remove them",
);

/// Attached to maps of annotations for objects.
pub const ANNOTATION_SYNTAX: StaticRule = rule(
    "self.all(key, size(key) <= 317 && size(key.substring(key.lastIndexOf('/') + 1)) <= 63 && \
     key.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'))",
    "must have keys of at most 63 letters, digits, '-', '_' and '.', with a letter or digit first and last, and a DNS name and '/' before it if need be",
);

/// Attached to maps of annotations for objects that the operator makes.
pub const OTHERS_ANNOTATIONS: StaticRule = rule(
    "self.all(key, key != 'kubectl.kubernetes.io/last-applied-configuration' && !key.startsWith('deployment.kubernetes.io/'))",
    "must not contain kubectl.kubernetes.io/last-applied-configuration or keys that start with deployment.kubernetes.io/: kubectl and the Deployment controller keep their records there; remove them",
);

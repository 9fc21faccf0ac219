//! The rules of `spec.checks`.
//!
//! Whatever they accept, the checker must be able to run: `tests/golden/checker.rs` tries it.

use super::{StaticRule, rule, rule_at};

/// Attached to a check's `name`.
pub const CHECK_NAME: StaticRule = rule(
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "the name of a check must be 1 to 20 characters of a-z, 0-9 and '-', and start and end with a letter or digit",
);

/// Attached to a check.
pub const CHECK_ONE_KIND: StaticRule = rule(
    "[has(self.job), has(self.http), has(self.prometheus)].filter(given, given).size() == 1",
    "a check must have exactly one of job, http and prometheus: add one, or remove the others",
);

/// How many seconds of its deadline a short form needs beside its measurements: for the node, the image and the start.
pub const CHECK_SLACK: i32 = 60;

/// Attached to a check. See [`CHECK_SLACK`].
pub const CHECK_IN_TIME: StaticRule = rule_at(
    ".deadlineSeconds",
    "[has(self.http) ? \
     (has(self.http.delaySeconds) ? self.http.delaySeconds : (self.when == 'After' ? 10 : 0)) + \
     (has(self.http.forSeconds) ? self.http.forSeconds : (self.when == 'After' ? 10 : 0)) + 60 : 0, \
     has(self.prometheus) ? \
     (has(self.prometheus.delaySeconds) ? self.prometheus.delaySeconds : (self.when == 'After' ? 10 : 0)) + \
     (has(self.prometheus.forSeconds) ? self.prometheus.forSeconds : (self.when == 'After' ? 10 : 0)) + 60 : 0\
     ].all(needed, self.deadlineSeconds >= needed)",
    "deadlineSeconds of a check must be at least delaySeconds + forSeconds + 60, or it could never finish in time: raise it, or lower the others",
);

/// Attached to a check.
pub const CHECK_AFTER_LASTS: StaticRule = rule(
    "self.when != 'After' || [has(self.http) && has(self.http.forSeconds) ? self.http.forSeconds : 10, \
     has(self.prometheus) && has(self.prometheus.forSeconds) ? self.prometheus.forSeconds : 10].all(lasts, lasts >= 10)",
    "forSeconds of a check with `when: After` must be at least 10: one measurement says little about a version under load",
);

/// Attached to a check's `job`.
pub const CHECK_TEMPLATE_RESTART: StaticRule = rule_at(
    ".template",
    "!has(self.template.spec.restartPolicy) || self.template.spec.restartPolicy == 'Never'",
    "restartPolicy of a check's job.template must be Never, because each exit is a verdict: set it to Never, or remove it",
);

/// The prefix of the label keys with which Kubernetes' Job controller marks a Job's pods.
pub const JOB_PREFIX: &str = "batch.kubernetes.io/";

/// Attached to a check's `job`. The keys that start with `bluegreen.dev/` are refused by [`RESERVED_KEYS`].
pub const CHECK_TEMPLATE_LABELS: StaticRule = rule_at(
    ".template",
    "!has(self.template.metadata) || !has(self.template.metadata.labels) || \
     self.template.metadata.labels.all(key, !key.startsWith('batch.kubernetes.io/') && key != 'job-name' && key != 'controller-uid')",
    "labels of a check's job.template must not be those of the Job controller (batch.kubernetes.io/, job-name, controller-uid): remove them",
);

/// Attached to a check's `http`.
pub const CHECK_STATUS_SYNTAX: StaticRule = rule_at(
    ".status",
    "!has(self.status) || (self.status.matches('^[1-5][0-9][0-9](-[1-5][0-9][0-9])?$') && \
     (size(self.status) != 7 || self.status.substring(0, 3) <= self.status.substring(4)))",
    "status must be a status code such as `200`, or a range such as `200-399`, with the smaller one first",
);

/// Attached to `path` of a check. What may stand in both the path and the query of a URL.
pub const CHECK_PATH: StaticRule = rule(
    "self.matches('^[!$-;=?-_a-~]*$')",
    "path of a check must be ASCII without spaces, quotes, `#`, `<`, `>` and backticks: percent-encode them, such as %20 for a space",
);

/// Attached to `name` of a check's header: a token of RFC 9110.
pub const CHECK_HEADER_NAME: StaticRule = rule(
    "self.matches(\"^[-!#$%&'*+.^_`|~0-9A-Za-z]+$\")",
    "the name of a header must be letters, digits and '-', without ':' and spaces",
);

/// The headers that are about the connection and the body. These are the checker's: a `Content-Length` without a body, for example,
/// would make the server wait.
pub const HEADERS_OF_THE_CONNECTION: [&str; 7] =
    ["connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "upgrade"];

/// Attached to `name` of a check's header. See [`HEADERS_OF_THE_CONNECTION`].
pub const CHECK_HEADER_OF_THE_CONNECTION: StaticRule = rule(
    "!(self.lowerAscii() in ['connection', 'content-length', 'expect', 'te', 'trailer', 'transfer-encoding', 'upgrade'])",
    "a check can't set headers that are about the connection or the body (Connection, Content-Length, Expect, TE, Trailer, Transfer-Encoding, Upgrade): remove it",
);

/// Attached to `value` of a check's header.
pub const CHECK_HEADER_VALUE: StaticRule = rule(
    "!self.matches('[[:cntrl:]]')",
    "the value of a header must not have control characters, such as line breaks: remove them",
);

/// Attached to a check's `prometheus`.
pub const CHECK_MIN_OR_MAX: StaticRule = rule(
    "has(self.min) || has(self.max)",
    "a prometheus check must have min, max or both: say which values are good",
);

/// Attached to `min` and `max` of a check. Two digits of the exponent keep it finite.
pub const CHECK_DECIMAL: StaticRule = rule(
    "self.matches('^-?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,2})?$')",
    "must be a decimal number such as \"0.01\", in quotes",
);

/// Attached to a check's `prometheus`. What is no number is refused by [`CHECK_DECIMAL`].
pub const CHECK_MIN_BELOW_MAX: StaticRule = rule_at(
    ".min",
    "!has(self.min) || !has(self.max) || \
     ![self.min, self.max].all(n, n.matches('^-?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]{1,2})?$')) || \
     double(self.min) <= double(self.max)",
    "min of a prometheus check must not be more than max, or no value would be good: lower min, or raise max",
);

/// The variables of a check, as a query names them.
pub const QUERY_NAMES: [&str; 7] = [
    "BLUEGREEN_APP",
    "BLUEGREEN_NAMESPACE",
    "BLUEGREEN_COLOR",
    "BLUEGREEN_REVISION",
    "BLUEGREEN_IMAGE",
    "BLUEGREEN_TAG",
    "BLUEGREEN_URL",
];

/// Attached to `query` of a check. See [`QUERY_NAMES`]. A doubled dollar sign stands for one. One expression, because the API server
/// can't bound the cost of what `findAll` finds: a character, or a dollar sign with what may follow it.
pub const CHECK_QUERY_NAMES: StaticRule = rule(
    "self.matches('^([^$]|([$][(]([A-Za-z_][A-Za-z0-9_]*)?)*([$]{2,}|[$]$|[$][^$(]|\
     [$][(]BLUEGREEN_(APP|NAMESPACE|COLOR|REVISION|IMAGE|TAG|URL)[)]|[$][(]([A-Za-z_][A-Za-z0-9_]*)?[^A-Za-z0-9_$)]|\
     [$][(]([A-Za-z_][A-Za-z0-9_]*)?$|[$][(][0-9)]))*$')",
    "query names a variable that a check does not have: use BLUEGREEN_APP, _NAMESPACE, _COLOR, _REVISION, _IMAGE, _TAG or _URL, or write $$(NAME) for $(NAME) itself",
);

/// Attached to `address` of a check. An expression of an IPv6 address would not fit; the operator tells of a wrong one.
pub const CHECK_ADDRESS: StaticRule = rule(
    "self.matches('^https?://(([A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?[.])*[A-Za-z_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?[.]?|\
     ((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])|\
     [[]([0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}[]])(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?(/[!$-;=A-_a-~]*)?$')",
    "address must be the address of a Prometheus server, such as `http://prometheus.monitoring:9090`, without user, query and fragment",
);

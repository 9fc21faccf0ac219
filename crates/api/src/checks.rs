//! `spec.checks`: tests that gate a switch (`Before`), and tests that guard it (`After`).

mod job;
mod pace;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::Scheme;
use super::rules;
pub use job::{JobCheck, JobContainer, JobPodSpec, JobTemplate};
pub use pace::Pace;

/// How many checks an app may have.
pub const CHECKS_MAX: usize = 8;

/// A test of a color: a Job, whose exit code is the verdict. `http` and `prometheus` are short forms of a Job that runs
/// the operator's own image.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::CHECK_ONE_KIND,
    validation = rules::CHECK_IN_TIME,
    validation = rules::CHECK_AFTER_LASTS
)]
pub struct Check {
    /// Name of the check, at most 20 characters of a-z, 0-9 and '-'.
    #[x_kube(validation = rules::CHECK_NAME)]
    #[schemars(length(min = 1, max = 20))]
    pub name: String,

    /// `Before` gates the switch and asks the Service `NAME-COLOR` of the target. `After` guards the switch and asks the
    /// live Service; if it fails, the operator switches back.
    pub when: CheckTime,

    /// False: the check runs and reports, and decides nothing. Default true.
    #[serde(default = "enforced")]
    pub enforce: bool,

    /// Seconds from the start of the check to its verdict, the wait for a node included, 1 to 3600. Default 600. A check
    /// without a verdict by then can't tell.
    #[serde(default = "default_deadline_seconds")]
    #[schemars(range(min = 1, max = 3600))]
    pub deadline_seconds: i32,

    /// A Job with containers of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobCheck>,

    /// An HTTP GET of this app's own Service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpCheck>,

    /// An instant query of a Prometheus server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<PrometheusCheck>,
}

/// When a check runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum CheckTime {
    /// Before the switch, once its target is ready.
    Before,
    /// After the switch, once no endpoint of the old color is behind the live Service.
    After,
}

impl CheckTime {
    /// As it is written in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            CheckTime::Before => "Before",
            CheckTime::After => "After",
        }
    }
}

/// An HTTP GET of this app's own Service. A connection that never comes about can't tell.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::CHECK_STATUS_SYNTAX)]
pub struct HttpCheck {
    /// Path and query of the request. Default `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::CHECK_PATH)]
    #[schemars(length(max = 2048))]
    pub path: Option<String>,

    /// `HTTP` (default) or `HTTPS`. The certificate is not checked, as by a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,

    /// Headers of the request. `Host` replaces the name of the Service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub http_headers: Vec<CheckHeader>,

    /// Status codes that are good: one, or a range such as `200-399`, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7))]
    pub status: Option<String>,

    /// Text that the first 64 KiB of the answer must contain, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub contains: Option<String>,

    /// Milliseconds that an answer may take. Default: no limit but `timeoutSeconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_milliseconds: Option<i32>,

    /// Seconds before the first measurement, 0 to 3600. Default 0; with `After` 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub delay_seconds: Option<i32>,

    /// Seconds between measurements, 1 to 600. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600))]
    pub period_seconds: Option<i32>,

    /// Seconds after which one measurement is over, 1 to 60. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: Option<i32>,

    /// Seconds for which it is measured, 0 to 3600. Default 0, which is one measurement; with `After` at least 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub for_seconds: Option<i32>,

    /// Measurements that may be bad. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub max_failures: Option<i32>,
}

impl HttpCheck {
    /// When and how often it is measured.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        let Self { delay_seconds, period_seconds, timeout_seconds, for_seconds, max_failures, .. } = self;
        Pace {
            delay_seconds: *delay_seconds,
            period_seconds: *period_seconds,
            timeout_seconds: *timeout_seconds,
            for_seconds: *for_seconds,
            max_failures: *max_failures,
        }
    }
}

/// One header of a check's request.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckHeader {
    /// The header's name; not one that is about the connection or the body.
    #[x_kube(validation = rules::CHECK_HEADER_NAME, validation = rules::CHECK_HEADER_OF_THE_CONNECTION)]
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// The header's value, without control characters.
    #[x_kube(validation = rules::CHECK_HEADER_VALUE)]
    #[schemars(length(max = 4096))]
    pub value: String,
}

/// An instant query of a Prometheus server, which must answer with exactly one sample. No answer, no sample, several
/// samples, or one that is not a number, can't tell.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::CHECK_MIN_OR_MAX, validation = rules::CHECK_MIN_BELOW_MAX)]
pub struct PrometheusCheck {
    /// Address of the server, such as `http://prometheus.monitoring:9090`; without user, query and fragment.
    #[x_kube(validation = rules::CHECK_ADDRESS)]
    #[schemars(length(max = 512))]
    pub address: String,

    /// The query. $(BLUEGREEN_APP), $(BLUEGREEN_NAMESPACE), $(BLUEGREEN_COLOR), $(BLUEGREEN_REVISION), $(BLUEGREEN_IMAGE)
    /// and $(BLUEGREEN_TAG) stand for their values, escaped as label values. $$(NAME) stands for $(NAME) itself.
    #[x_kube(validation = rules::CHECK_QUERY_NAMES)]
    #[schemars(length(min = 1, max = 4096))]
    pub query: String,

    /// The smallest good value, as a quoted decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::CHECK_DECIMAL)]
    #[schemars(length(max = 32))]
    pub min: Option<String>,

    /// The largest good value, as a quoted decimal number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::CHECK_DECIMAL)]
    #[schemars(length(max = 32))]
    pub max: Option<String>,

    /// Key of a Secret with a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret: Option<SecretKey>,

    /// Key of a ConfigMap with the certificates of the authorities to trust. Default: those that Mozilla lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<ConfigKey>,

    /// Seconds before the first measurement, 0 to 3600. Default 0; with `After` 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub delay_seconds: Option<i32>,

    /// Seconds between measurements, 1 to 600. Default 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 600))]
    pub period_seconds: Option<i32>,

    /// Seconds after which one measurement is over, 1 to 60. Default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 60))]
    pub timeout_seconds: Option<i32>,

    /// Seconds for which it is measured, 0 to 3600. Default 0, which is one measurement; with `After` at least 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub for_seconds: Option<i32>,

    /// Measurements that may be bad. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub max_failures: Option<i32>,
}

impl PrometheusCheck {
    /// When and how often it is measured.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        let Self { delay_seconds, period_seconds, timeout_seconds, for_seconds, max_failures, .. } = self;
        Pace {
            delay_seconds: *delay_seconds,
            period_seconds: *period_seconds,
            timeout_seconds: *timeout_seconds,
            for_seconds: *for_seconds,
            max_failures: *max_failures,
        }
    }
}

/// A key of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

/// A key of a ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigKey {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub config_map: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

const fn enforced() -> bool {
    true
}

const fn default_deadline_seconds() -> i32 {
    600
}

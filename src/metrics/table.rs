//! Every series the operator exports, in one place.

/// One exported metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Name as exported.
    pub name: &'static str,
    /// Kind of metric.
    pub kind: Kind,
    /// Its labels, in the order in which the code fills them.
    pub labels: &'static [&'static str],
    /// The `# HELP` line.
    pub help: &'static str,
}

/// Kind of metric, as in the `# TYPE` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Exported as `_bucket`, `_sum` and `_count`.
    Histogram,
}

impl Kind {
    /// The word in the `# TYPE` line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Every value of a condition's status; for each type exactly one of the three is 1.
pub const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// The colors of an app.
pub const APP_INFO: Series = Series {
    name: "bluegreenapp_info",
    kind: Kind::Gauge,
    labels: &["namespace", "name", "active", "desired"],
    help: "Always 1. `active` is the color that the live Service selects (`none` before the first activation), \
           `desired` is spec.active.",
};

/// The conditions of an app.
pub const CONDITION: Series = Series {
    name: "bluegreenapp_condition",
    kind: Kind::Gauge,
    labels: &["namespace", "name", "type", "status"],
    help: "1 for the status that a condition has, 0 for the two others. A condition that is absent has no series.",
};

/// How switches ended.
pub const SWITCHES: Series = Series {
    name: "bluegreenapp_switches_total",
    kind: Kind::Counter,
    labels: &["from", "to", "result"],
    help: "Switches that ended, by result: succeeded, canceled, failed. `from` is none for a first activation.",
};

/// How long successful switches took.
pub const SWITCH_DURATION: Series = Series {
    name: "bluegreenapp_switch_duration_seconds",
    kind: Kind::Histogram,
    labels: &[],
    help: "Time from the start of a switch to its success.",
};

/// Which build this is.
pub const BUILD_INFO: Series = Series {
    name: "bluegreenapp_build_info",
    kind: Kind::Gauge,
    labels: &["version", "revision"],
    help: "Always 1. Version and source revision of the operator.",
};

/// Which replica acts.
pub const LEADER: Series = Series {
    name: "bluegreen_leader",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 on the replica that acts, 0 on a standby.",
};

/// What the operator asked of the API server.
pub const WRITES: Series = Series {
    name: "bluegreen_api_writes_total",
    kind: Kind::Counter,
    labels: &["kind", "outcome"],
    help: "Write requests by Kubernetes kind and outcome: ok, conflict, rejected, unknown, not_leader.",
};

/// As controller-runtime exports it, so that existing dashboards fit.
pub const RECONCILES: Series = Series {
    name: "controller_runtime_reconcile_total",
    kind: Kind::Counter,
    labels: &["controller", "result"],
    help: "Reconciles by result: success, requeue_after, error.",
};

/// As controller-runtime exports it.
pub const RECONCILE_ERRORS: Series = Series {
    name: "controller_runtime_reconcile_errors_total",
    kind: Kind::Counter,
    labels: &["controller"],
    help: "Reconciles that failed.",
};

/// As controller-runtime exports it.
pub const RECONCILE_TIME: Series = Series {
    name: "controller_runtime_reconcile_time_seconds",
    kind: Kind::Histogram,
    labels: &["controller"],
    help: "Duration of one reconcile.",
};

/// All of the above. The `process_*` series of the Prometheus client library come on top, on Linux.
pub const ALL: [Series; 10] = [
    APP_INFO,
    CONDITION,
    SWITCHES,
    SWITCH_DURATION,
    BUILD_INFO,
    LEADER,
    WRITES,
    RECONCILES,
    RECONCILE_ERRORS,
    RECONCILE_TIME,
];

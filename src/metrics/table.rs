//! The list of every series that the operator exports.

/// One exported metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Name as exported.
    pub name: &'static str,
    /// Kind of metric.
    pub kind: Kind,
    /// Its labels, in the order in which the code passes their values.
    pub labels: &'static [&'static str],
    /// The `# HELP` line.
    pub help: &'static str,
}

/// Kind of metric, as in the `# TYPE` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
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

/// Every status that a condition can have. Of the three series of a condition exactly one is 1.
pub const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// The colors of an app.
pub const APP_INFO: Series = Series {
    name: "bluegreenapp_info",
    kind: Kind::Gauge,
    labels: &["namespace", "name", "active", "desired"],
    help: "Always 1. `active` is the color that the live Service selects (`none` before the first activation), \
           `desired` is spec.active. Exported by the leader only.",
};

/// The conditions of an app.
pub const CONDITION: Series = Series {
    name: "bluegreenapp_condition",
    kind: Kind::Gauge,
    labels: &["namespace", "name", "type", "status"],
    help: "1 for the status that a condition has, 0 for the two others. A condition that is absent has no series. \
           Exported by the leader only.",
};

/// How switches ended.
pub const SWITCHES: Series = Series {
    name: "bluegreenapp_switches_total",
    kind: Kind::Counter,
    labels: &["from", "to", "result"],
    help: "Switches that ended, by result: succeeded, canceled. `from` is none for a first activation. A switch whose \
           target does not become ready goes on, and is counted when it ends.",
};

/// How long successful switches took.
pub const SWITCH_DURATION: Series = Series {
    name: "bluegreenapp_switch_duration_seconds",
    kind: Kind::Histogram,
    labels: &[],
    help: "Time from the start of a switch until the Service selects the target.",
};

/// How checks ended.
pub const CHECKS: Series = Series {
    name: "bluegreen_checks_total",
    kind: Kind::Counter,
    labels: &["when", "result"],
    help: "Checks that have a verdict, by when they ran (Before, After) and by what they found: Passed, Failed, Inconclusive.",
};

/// How many switches checks have taken back.
pub const SWITCHES_BACK: Series = Series {
    name: "bluegreen_switches_back_total",
    kind: Kind::Counter,
    labels: &[],
    help: "Switches that were taken back because a check failed after them.",
};

/// What checks have refused.
pub const REJECTED: Series = Series {
    name: "bluegreenapp_rejected",
    kind: Kind::Gauge,
    labels: &["namespace", "name", "color", "check"],
    help: "1 while this check has refused what the spec asks for (status.rejected). Exported by the leader only.",
};

/// Which build this is.
pub const BUILD_INFO: Series = Series {
    name: "bluegreenapp_build_info",
    kind: Kind::Gauge,
    labels: &["version", "revision"],
    help: "Always 1. Version and source revision of the operator.",
};

/// Which replica leads.
pub const LEADER: Series = Series {
    name: "bluegreen_leader",
    kind: Kind::Gauge,
    labels: &[],
    help: "1 on the replica that leads and acts, 0 on any other one.",
};

/// The operator's write requests to the API server.
pub const WRITES: Series = Series {
    name: "bluegreen_api_writes_total",
    kind: Kind::Counter,
    labels: &["kind", "outcome"],
    help: "Write requests by Kubernetes kind and outcome: ok, conflict, rejected, failed, unknown, not_leader.",
};

/// How passes ended. Named as in controller-runtime, so that existing dashboards fit.
pub const RECONCILES: Series = Series {
    name: "controller_runtime_reconcile_total",
    kind: Kind::Counter,
    labels: &["controller", "result"],
    help: "Reconciles by result: success, error.",
};

/// How many passes failed. Named as in controller-runtime.
pub const RECONCILE_ERRORS: Series = Series {
    name: "controller_runtime_reconcile_errors_total",
    kind: Kind::Counter,
    labels: &["controller"],
    help: "Reconciles that failed.",
};

/// How long passes took. Named as in controller-runtime.
pub const RECONCILE_TIME: Series = Series {
    name: "controller_runtime_reconcile_time_seconds",
    kind: Kind::Histogram,
    labels: &["controller"],
    help: "Duration of one reconcile.",
};

/// How often watches failed.
pub const WATCH_ERRORS: Series = Series {
    name: "bluegreen_watch_errors_total",
    kind: Kind::Counter,
    labels: &["kind", "watched_namespace"],
    help: "Failures of the watch of this Kubernetes kind. Each is followed by another try. `watched_namespace` is set where \
           the operator watches several namespaces. Exported by every replica.",
};

/// For how long watches have failed.
pub const WATCH_FAILING: Series = Series {
    name: "bluegreen_watch_failing_seconds",
    kind: Kind::Gauge,
    labels: &["kind", "watched_namespace"],
    help: "For how long the watch of this Kubernetes kind has failed again and again; 0 while it works. /readyz fails \
           above 120, except where one namespace among several does not allow the watch (`watched_namespace`). Exported by \
           every replica.",
};

/// Objects that can't be decoded.
pub const UNREADABLE: Series = Series {
    name: "bluegreen_unreadable_objects",
    kind: Kind::Gauge,
    labels: &["kind"],
    help: "Objects of this Kubernetes kind that the operator can't decode and therefore leaves alone. An Event on each \
           says why. Exported by every replica.",
};

/// Edits without an answer.
pub const UNOBSERVED: Series = Series {
    name: "bluegreen_oldest_unobserved_generation_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "Age of the oldest edit of an app that no status has answered yet (observedGeneration is less than \
           generation); 0 if there is none. Exported by every replica.",
};

/// Every series of this file. On Linux the `process_*` series of the Prometheus client library are exported as well.
pub const ALL: [Series; 17] = [
    APP_INFO,
    CONDITION,
    SWITCHES,
    SWITCH_DURATION,
    CHECKS,
    SWITCHES_BACK,
    REJECTED,
    BUILD_INFO,
    LEADER,
    WRITES,
    RECONCILES,
    RECONCILE_ERRORS,
    RECONCILE_TIME,
    WATCH_ERRORS,
    WATCH_FAILING,
    UNREADABLE,
    UNOBSERVED,
];

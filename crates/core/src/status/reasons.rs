//! Every reason that a condition can have.

/// Every reason, for the documentation's test.
pub const REASONS: &[&str] = &[
    "Absent",
    "CheckFailed",
    "CheckInconclusive",
    "Checking",
    "Collecting",
    CONTESTED,
    "FenceConflict",
    "Fencing",
    "InvalidSpec",
    "LiveColorEditHeld",
    "LiveNotReady",
    "NameConflict",
    "NotReady",
    "Paused",
    "Pausing",
    "ProgressDeadlineExceeded",
    "Reduced",
    "Refused",
    "ScaledDown",
    "Scaling",
    "Serving",
    "StandbyUpdating",
    "Switching",
    "TwoOperators",
    "Unreadable",
    "Updating",
    "WaitingForTarget",
    "Warm",
    "WriteFailed",
];

/// The reason while somebody reverts what the operator writes.
pub(super) const CONTESTED: &str = "Contested";

/// A reason and its message.
pub(super) type Why = (&'static str, String);

//! The metrics of the notifier.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

/// A series: its name, its labels and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Series {
    /// The name.
    pub name: &'static str,
    /// The labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
}

/// Messages that ended.
pub const MESSAGES: Series = Series {
    name: "bluegreen_notify_messages_total",
    labels: &["receiver", "result"],
    help: "Messages by what became of them: told, refused, unknown, dropped, expired or inexpressible.",
};

/// Tries after the first one.
pub const RETRIES: Series = Series {
    name: "bluegreen_notify_retries_total",
    labels: &["receiver"],
    help: "Tries of messages that were certainly not delivered before.",
};

/// Messages that wait.
pub const WAITING: Series = Series {
    name: "bluegreen_notify_waiting",
    labels: &["receiver"],
    help: "Messages that wait for the receiver.",
};

/// Every series.
pub const ALL: [Series; 3] = [MESSAGES, RETRIES, WAITING];

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Told,
    /// The receiver does not want it.
    Refused,
    /// Nobody knows whether the receiver has it.
    Unknown,
    /// The queue was full, or the process ended.
    Dropped,
    /// It waited for too long.
    Expired,
    /// The format of the receiver has no word for it.
    Inexpressible,
}

impl Fate {
    /// Every fate.
    pub const ALL: [Self; 6] =
        [Self::Told, Self::Refused, Self::Unknown, Self::Dropped, Self::Expired, Self::Inexpressible];

    /// The value of the label `result`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
            Self::Dropped => "dropped",
            Self::Expired => "expired",
            Self::Inexpressible => "inexpressible",
        }
    }
}

/// The counters, in a registry of their own.
#[derive(Clone, Debug)]
pub struct Counts {
    registry: Registry,
    messages: IntCounterVec,
    retries: IntCounterVec,
    waiting: IntGaugeVec,
}

impl Counts {
    /// All at zero.
    ///
    /// # Errors
    /// When a series has an invalid name: a mistake in the table.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        let options = |series: Series| Opts::new(series.name, series.help);
        let messages = IntCounterVec::new(options(MESSAGES), MESSAGES.labels)?;
        let retries = IntCounterVec::new(options(RETRIES), RETRIES.labels)?;
        let waiting = IntGaugeVec::new(options(WAITING), WAITING.labels)?;
        let collectors: [Box<dyn Collector>; 3] =
            [Box::new(messages.clone()), Box::new(retries.clone()), Box::new(waiting.clone())];
        for collector in collectors {
            registry.register(collector)?;
        }
        Ok(Self { registry, messages, retries, waiting })
    }

    /// Where the series are.
    #[must_use]
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// Shows all series of this receiver at zero.
    pub(crate) fn introduce(&self, receiver: &str) {
        for fate in Fate::ALL {
            self.messages.with_label_values(&[receiver, fate.as_str()]);
        }
        self.retries.with_label_values(&[receiver]);
        self.waiting.with_label_values(&[receiver]);
    }

    pub(crate) fn ended(&self, receiver: &str, fate: Fate) {
        self.messages.with_label_values(&[receiver, fate.as_str()]).inc();
    }

    pub(crate) fn retried(&self, receiver: &str) {
        self.retries.with_label_values(&[receiver]).inc();
    }

    pub(crate) fn waiting(&self, receiver: &str, count: usize) {
        self.waiting.with_label_values(&[receiver]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many messages of this receiver ended so.
    #[must_use]
    pub fn count(&self, receiver: &str, fate: Fate) -> u64 {
        self.messages.with_label_values(&[receiver, fate.as_str()]).get()
    }
}

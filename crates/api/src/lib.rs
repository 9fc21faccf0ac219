//! The `BlueGreenApp` resource: what a person writes (`spec`), what the operator reports (`status`), and the rules
//! that admission enforces. It is pure data: nothing here talks to a cluster.

mod bounds;
mod checks;
mod common;
mod crd;
mod lists;
mod ports;
mod probe;
pub mod rules;
mod service;
mod spec;
mod status;
mod verdicts;
pub mod version;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use bounds::{SPEC_BYTES, most_items};
pub use checks::{
    CHECKS_MAX, Check, CheckHeader, CheckTime, ConfigKey, HttpCheck, JobCheck, JobContainer, JobPodSpec,
    JobTemplate, Pace, PrometheusCheck, SecretKey,
};
pub use common::CommonMetadata;
pub use crd::{CONDITION_MESSAGE, CrdError, crd, crd_yaml};
pub use lists::KeyedList;
pub use ports::{ExtraPort, Protocol};
pub use probe::{ExecProbe, GrpcProbe, HttpGetProbe, HttpHeader, ReadinessProbe, Scheme, TcpProbe};
pub use service::{
    ClientIpConfig, IpFamily, IpFamilyPolicy, ServiceSpec, ServiceType, SessionAffinity,
    SessionAffinityConfig, TrafficDistribution, TrafficPolicy,
};
pub use spec::{
    ActiveUpdatePolicy, BlueGreenApp, BlueGreenAppSpec, ColorSpec, Standby, Template, TemplateMetadata,
};
pub use status::{
    BlueGreenAppStatus, ColorStatus, DrainStatus, HistoryEntry, Phase, READY, RECONCILING, STALLED,
    STANDBY_READY, ServiceGuards, ServiceStatus, SwitchStatus,
};
pub use verdicts::{Cause, CheckResult, CheckStatus, Rejection};

/// The name of the application's container, in the pods and in `spec.template`.
pub const APP_CONTAINER: &str = "app";

/// One of the two sides of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(description = "")]
pub enum Color {
    /// The blue side.
    Blue,
    /// The green side.
    Green,
}

impl Color {
    /// Both colors, in the order in which they are shown.
    pub const ALL: [Color; 2] = [Color::Blue, Color::Green];

    /// Returns the other color.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Color::Blue => Color::Green,
            Color::Green => Color::Blue,
        }
    }

    /// Returns the color as it is written in manifests, labels and names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Color::Blue => "blue",
            Color::Green => "green",
        }
    }

    /// Returns the color with this name, or `None` for anything else, such as the label value `none`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|color| color.as_str() == text)
    }
}

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One value for each color, so that "both colors" can't be forgotten where one is handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PerColor<T> {
    /// Blue's value.
    pub blue: T,
    /// Green's value.
    pub green: T,
}

impl<T> PerColor<T> {
    /// Builds both values with one function.
    pub fn from_fn(mut value: impl FnMut(Color) -> T) -> Self {
        let blue = value(Color::Blue);
        let green = value(Color::Green);
        Self { blue, green }
    }

    /// Returns the value of one color.
    pub const fn get(&self, color: Color) -> &T {
        match color {
            Color::Blue => &self.blue,
            Color::Green => &self.green,
        }
    }

    /// Returns the value of one color for a change.
    pub const fn get_mut(&mut self, color: Color) -> &mut T {
        match color {
            Color::Blue => &mut self.blue,
            Color::Green => &mut self.green,
        }
    }

    /// Converts both values with one function.
    pub fn map<U>(self, mut convert: impl FnMut(T) -> U) -> PerColor<U> {
        let Self { blue, green } = self;
        let blue = convert(blue);
        let green = convert(green);
        PerColor { blue, green }
    }

    /// Borrows both values.
    pub const fn as_ref(&self) -> PerColor<&T> {
        PerColor { blue: &self.blue, green: &self.green }
    }
}

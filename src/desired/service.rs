//! The live Service and the two Services of the colors.

use k8s_openapi::api::core::v1::Service;
use serde_json::Value;

use crate::api::{BlueGreenApp, Color, PerColor};

/// What the live Service should say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveService<'a> {
    /// The color that its selector names; `None` selects no pod at all.
    pub selects: Option<Color>,
    /// The color last committed.
    pub active: Option<Color>,
    /// For each color the revision that served last.
    pub served: PerColor<Option<i64>>,
    /// The fencing token, at most 63 characters of a label value.
    pub fence: &'a str,
    /// The operator's Lease, as `namespace/name`.
    pub operator: &'a str,
    /// The recorded nodePort to ask for when the Service is created again; `spec.service.nodePort` wins.
    pub node_port: Option<i32>,
    /// The recorded clusterIP to ask for when the Service is created again.
    pub cluster_ip: Option<String>,
}

/// What a live Service's selector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Selection {
    /// Exactly this app's pods of one color.
    Color(Color),
    /// Exactly the selector that matches no pod.
    None_,
    /// Anything else: somebody edited it.
    Foreign,
}

/// Server-side apply body of the permanent ClusterIP Service `NAME-COLOR`.
#[must_use]
pub fn color_service(app: &BlueGreenApp, color: Color) -> Value {
    let _ = (app, color);
    todo!()
}

/// Server-side apply body of the live Service `NAME`.
#[must_use]
pub fn live_service(app: &BlueGreenApp, live: &LiveService) -> Value {
    let _ = (app, live);
    todo!()
}

/// What the Service's selector exactly is.
#[must_use]
pub fn selects(service: &Service, app_name: &str) -> Selection {
    let _ = (service, app_name);
    todo!()
}

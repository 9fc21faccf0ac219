//! The Deployment of one color.

use serde_json::Value;

use crate::api::{BlueGreenApp, Color};

use super::Stored;

/// Server-side apply body of the Deployment `NAME-COLOR`, from the stored revision alone.
#[must_use]
pub fn deployment(app: &BlueGreenApp, color: Color, stored: &Stored, replicas: i32, fence: &str) -> Value {
    let _ = (app, color, stored, replicas, fence);
    todo!()
}

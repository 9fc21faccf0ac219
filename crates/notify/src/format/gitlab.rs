//! PURE: deployments of a project in GitLab: `POST /api/v4/projects/:id/deployments`.
//!
//! GitLab needs the commit. It is the tag of the color's image, as a pipeline sets it with `$CI_COMMIT_SHA` or
//! `$CI_COMMIT_SHORT_SHA`. An image with another tag makes no deployment.

use http::Uri;
use serde_json::{Value, json};

use crate::transition::{Kind, Transition};

/// Where deployments are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitLab {
    /// Path or number of the project.
    pub project: String,
    /// Name of the environment.
    pub environment: String,
    /// The branch or tag that is deployed.
    pub ref_: String,
}

impl GitLab {
    pub(super) fn path(&self) -> Option<Uri> {
        let project = self.project.replace('/', "%2F");
        format!("/api/v4/projects/{project}/deployments").parse().ok()
    }

    /// The body; none for what is no deployment, or names no commit.
    pub(super) fn body(&self, transition: &Transition) -> Option<Value> {
        let status = status(transition.kind)?;
        let sha = commit(transition.image.as_deref()?)?;
        let Self { environment, ref_, .. } = self;
        Some(json!({
            "environment": environment, "sha": sha, "ref": ref_, "tag": false, "status": status,
        }))
    }
}

/// The status of a deployment: what became live, or what a check has refused.
fn status(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Activated | Kind::Switched | Kind::RolledBack | Kind::SwitchedBack => Some("success"),
        Kind::CheckFailed => Some("failed"),
        Kind::SwitchStarted
        | Kind::SwitchCanceled
        | Kind::SwitchBlocked
        | Kind::Stalled
        | Kind::Recovered
        | Kind::Paused
        | Kind::Resumed
        | Kind::CheckPassed
        | Kind::CheckInconclusive
        | Kind::Drained
        | Kind::LiveDegraded
        | Kind::LiveRecovered => None,
    }
}

/// The tag of an image, if it can be a commit: 7 to 40 hexadecimal digits.
fn commit(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit('/').next()?.rsplit_once(':')?;
    let is_hex = tag.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    ((7..=40).contains(&tag.len()) && is_hex).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_tag_of_hexadecimal_digits_is_a_commit() {
        for (image, wanted) in [
            ("registry:5000/shop/hello:0a1b2c3d", Some("0a1b2c3d")),
            ("shop/hello:0a1b2c3d@sha256:00", Some("0a1b2c3d")),
            ("shop/hello:v1", None),
            ("shop/hello:0a1b2c", None),
            ("shop/hello@sha256:0a1b2c3d", None),
            ("registry:5000/hello", None),
            ("shop/hello:0A1B2C3D", None),
        ] {
            assert_eq!(commit(image), wanted, "{image}");
        }
    }
}

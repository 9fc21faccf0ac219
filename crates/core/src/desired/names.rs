//! Names, labels and annotations of the children.

use bluegreen_api::Color;

/// Field manager of every write by the operator.
pub const MANAGER: &str = "bluegreen-operator";

/// Label: the app's name. In the selectors.
pub const APP: &str = "bluegreen.dev/app";
/// Label: `blue`, `green`, or `none` in the live Service's selector before the first activation. In the selectors.
pub const COLOR: &str = "bluegreen.dev/color";
/// Label: number of the color's stored revision.
pub const REVISION: &str = "bluegreen.dev/revision";
/// Label of a Deployment: hash of the color's own block when its pods were rendered, so that a stored revision that was
/// lost can be made anew without a guess. Labels bump no generation.
pub const BLOCK: &str = "bluegreen.dev/block";
/// Label of a Deployment: hash of all that the rendering read, as [`BLOCK`].
pub const INPUTS: &str = "bluegreen.dev/inputs";
/// Label: the token of the operator and generation that wrote last. A label, because a changed
/// annotation would bump a Deployment's `metadata.generation`.
pub const FENCE: &str = "bluegreen.dev/fence";

/// Kubernetes' common label: the application's name. Not in selectors; the overlay may set it on pods.
pub const KUBE_NAME: &str = "app.kubernetes.io/name";
/// Kubernetes' common label: who looks after the object. Not in selectors.
pub const KUBE_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Annotation of the live Service: the color last committed to it.
pub const ACTIVE: &str = "bluegreen.dev/active";
/// Annotation of the live Service: number of the revision of blue that served last.
pub const SERVED_BLUE: &str = "bluegreen.dev/served-blue";
/// Annotation of the live Service: number of the revision of green that served last.
pub const SERVED_GREEN: &str = "bluegreen.dev/served-green";
/// Annotation of the live Service: the operator's Lease, as `namespace/name`.
pub const OPERATOR: &str = "bluegreen.dev/operator";
/// Annotation of Services: hash of what we declare, so that a field which is no longer declared (and
/// which a comparison with the live object can't miss) leads to an apply that removes it.
pub const DECLARED: &str = "bluegreen.dev/declared";
/// Annotation by a person: the app that may take over this object.
pub const ADOPT: &str = "bluegreen.dev/adopt";

/// Value of [`COLOR`] that no pod carries.
pub const NO_COLOR: &str = "none";

/// The annotation that holds the revision of that color that served last.
#[must_use]
pub const fn served(color: Color) -> &'static str {
    match color {
        Color::Blue => SERVED_BLUE,
        Color::Green => SERVED_GREEN,
    }
}

/// `NAME-COLOR`.
#[must_use]
pub fn deployment_name(app: &str, color: Color) -> String {
    format!("{app}-{color}")
}

/// `NAME-COLOR`, the permanent ClusterIP Service of one color.
#[must_use]
pub fn color_service_name(app: &str, color: Color) -> String {
    format!("{app}-{color}")
}

/// `NAME`, the Service that clients use.
#[must_use]
pub fn live_service_name(app: &str) -> String {
    app.to_owned()
}

/// `NAME-COLOR-NUMBER`, the ControllerRevision that keeps what a color runs.
#[must_use]
pub fn revision_name(app: &str, color: Color, number: i64) -> String {
    format!("{app}-{color}-{number}")
}

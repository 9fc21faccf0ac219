//! The names, labels and annotations of the children.

use bluegreen_api::Color;

/// The field manager of the operator's writes.
pub const MANAGER: &str = "bluegreen-operator";
/// The field manager of the stamp alone, so that a stamp declares nothing else about an object.
pub const FENCE_MANAGER: &str = "bluegreen-operator-fence";

/// Label: the app's name. Part of the selectors.
pub const APP: &str = "bluegreen.dev/app";
/// Label: `blue` or `green`. Part of the selectors; in the live Service's it is `none` before the first activation.
pub const COLOR: &str = "bluegreen.dev/color";
/// Label: the number of the color's stored revision.
pub const REVISION: &str = "bluegreen.dev/revision";
/// Label of a Deployment: the hash of the color's own block when the pod template was rendered. With it, a stored
/// revision that was lost can be recovered without a guess. It is a label because a label does not change the
/// generation.
pub const BLOCK: &str = "bluegreen.dev/block";
/// Label of a Deployment: the hash of every field of the spec that the rendering used. See [`BLOCK`].
pub const INPUTS: &str = "bluegreen.dev/inputs";
/// Label of a Deployment: the hash of `spec.commonMetadata`, if there is any.
pub const COMMON: &str = "bluegreen.dev/common";
/// Label: the fencing token of the leader that stamped the object last. It is a label because an annotation would
/// change a Deployment's `metadata.generation`.
pub const FENCE: &str = "bluegreen.dev/fence";

/// Kubernetes' common label for the name of the application. Not part of the selectors; `spec.template` may set it on
/// pods.
pub const KUBE_NAME: &str = "app.kubernetes.io/name";
/// Kubernetes' common label for the tool that manages the object. Not part of the selectors.
pub const KUBE_MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Annotation of the live Service: the live color, as the operator last selected it.
pub const ACTIVE: &str = "bluegreen.dev/active";
/// Annotation of the live Service: the number of the revision of blue that was live last.
pub const SERVED_BLUE: &str = "bluegreen.dev/served-blue";
/// Annotation of the live Service: the number of the revision of green that was live last.
pub const SERVED_GREEN: &str = "bluegreen.dev/served-green";
/// Annotation of the live Service: the operator's Lease, as `namespace/name`.
pub const OPERATOR: &str = "bluegreen.dev/operator";
/// Annotation of Services: the hash of what the operator declares.
///
/// A comparison with the live object does not notice a field that is no longer declared. The hash changes then, so
/// the Service is applied again, and the apply removes the field.
pub const DECLARED: &str = "bluegreen.dev/declared";
/// Annotation that a person sets. On an object: the app that may take it over. On an app, with the value [`ADOPT_ALL`]: the app
/// takes over what carries its label and has no controller.
pub const ADOPT: &str = "bluegreen.dev/adopt";
/// See [`ADOPT`].
pub const ADOPT_ALL: &str = "true";
/// Mark, in the memory of this program only, of an object that can't be decoded, with the reason. It is kept among the
/// annotations, and no object in a cluster has it: the API server refuses a name with a space.
pub const UNREADABLE: &str = "can't be decoded";

/// The value of [`COLOR`] that no pod carries.
pub const NO_COLOR: &str = "none";

/// The largest number of a revision. Labels and annotations with a larger one are not believed: nothing could come after the
/// largest number that there is, and no app ever has so many revisions.
const REVISION_MAX: i64 = 1_000_000_000;

/// Reads the number of a revision, from a label, an annotation or a name.
#[must_use]
pub fn revision_number(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| is_revision(*number))
}

/// Returns true if a revision may have this number.
#[must_use]
pub const fn is_revision(number: i64) -> bool {
    1 <= number && number <= REVISION_MAX
}

/// Returns the annotation for the revision of this color that was live last.
#[must_use]
pub const fn served(color: Color) -> &'static str {
    match color {
        Color::Blue => SERVED_BLUE,
        Color::Green => SERVED_GREEN,
    }
}

/// `NAME-COLOR`, the Deployment of one color.
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

/// `NAME-preview`, the Service of whichever color is idle. No app can have such a name.
#[must_use]
pub fn preview_service_name(app: &str) -> String {
    format!("{app}-preview")
}

/// `NAME-COLOR-NUMBER`, the ControllerRevision that keeps what a color runs.
#[must_use]
pub fn revision_name(app: &str, color: Color, number: i64) -> String {
    format!("{app}-{color}-{number}")
}

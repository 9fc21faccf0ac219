//! `spec`: everything that a person decides.

mod template;

use k8s_openapi::api::core::v1::EnvVar;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BlueGreenAppStatus, Check, Color, CommonMetadata, ReadinessProbe, ServiceSpec, rules};
pub use template::{Template, TemplateMetadata};

/// What to run on each color, and which color is live.
///
/// The live color's pods never change, unless you ask for it with `activeUpdatePolicy: RollingUpdate`. The color that
/// was live last keeps what it ran until its own block (`blue`, `green`) is edited, so that going back to it brings back
/// its code and its configuration. A color that has not been live since its last edit follows every edit, also of the
/// shared fields.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "bluegreen.dev",
    version = "v1alpha1",
    kind = "BlueGreenApp",
    plural = "bluegreenapps",
    namespaced,
    status = "BlueGreenAppStatus",
    shortname = "bga",
    category = "bluegreen",
    derive = "PartialEq",
    doc = "An app in two colors, blue and green, and a Service that moves from one to the other only when the target is provably ready.",
    validation = rules::NAME_SYNTAX,
    validation = rules::NAME_SUFFIX,
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Active",
        type_ = "string",
        json_path = ".status.active",
        description = "The live color, which the Service selects"
    ),
    printcolumn(
        name = "Desired",
        type_ = "string",
        json_path = ".spec.active",
        description = "The color that should be live"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the color in spec.active is live and fully ready"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "The reason of the condition Ready"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Blue",
        type_ = "string",
        json_path = ".status.blue.image",
        description = "Image that blue runs",
        priority = 1
    ),
    printcolumn(
        name = "Green",
        type_ = "string",
        json_path = ".status.green.image",
        description = "Image that green runs",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = rules::ACTIVE_BLOCK_PRESENT,
    validation = rules::MIN_READY_BELOW_DEADLINE,
    validation = rules::SERVICE_PORT_STAYS,
    validation = rules::APP_PORT_NOT_IN_TEMPLATE,
    validation = rules::APP_UNDER_ANOTHER_NAME,
    validation = rules::VARIABLES_BOUNDED,
    validation = rules::EXTRA_PORT_NAME_FREE,
    validation = rules::EXTRA_PORTS_DIFFER
)]
pub struct BlueGreenAppSpec {
    /// The color that should be live. The Service selects it only once it is fully ready; until then the other
    /// color stays live.
    pub active: Color,

    /// Image repository without tag or digest, for example `registry.example.com/team/hello`. Each
    /// color adds its own tag or digest.
    #[x_kube(validation = rules::IMAGE_WITHOUT_TAG, validation = rules::IMAGE_SYNTAX)]
    #[schemars(length(max = 255))]
    pub image: String,

    /// What blue runs. May be absent until there is something to run; removing it later removes
    /// blue's objects after the drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blue: Option<ColorSpec>,

    /// What green runs. May be absent until there is something to run; removing it later removes
    /// green's objects after the drain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub green: Option<ColorSpec>,

    /// Number of pods of the live color, and of the color that is to be live next. A switch needs no more pods of its
    /// target than the live color has ready at that moment. Default 1.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 1))]
    pub replicas: i32,

    /// How the idle color is kept. By default it stays at full size, so that switching back is immediate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Standby>,

    /// TCP port that the container listens on, 1 to 65535. A color takes a new value with its next edit. It can only
    /// be changed while `service.port` is set.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,

    /// Name of that port, at most 15 characters of a-z, 0-9 and '-'. Default `http`. The Services
    /// find the pods' port by this name, so it can't be changed later.
    #[serde(default = "default_port_name")]
    #[x_kube(validation = rules::PORT_NAME_SYNTAX, validation = rules::PORT_NAME_IMMUTABLE)]
    #[schemars(length(min = 1, max = 15))]
    pub port_name: String,

    /// Application protocol of the Services' port, for gateways and meshes, for example
    /// `kubernetes.io/h2c`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::APP_PROTOCOL_SYNTAX)]
    #[schemars(length(max = 317))]
    pub app_protocol: Option<String>,

    /// When a pod can take requests. Default: an HTTP GET of `/` on the app's port succeeds.
    #[serde(default)]
    pub readiness_probe: ReadinessProbe,

    /// The Service that clients use; it has the app's name.
    #[serde(default)]
    pub service: ServiceSpec,

    /// Everything else about the pods: labels, annotations, volumes, sidecars, ServiceAccount,
    /// affinity, and the container named `app` as a base for the app's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Template>,

    /// Labels and annotations for everything that the operator makes for the app: Services, Deployments, ControllerRevisions. Not
    /// for pods, which have those of `template.metadata`. An edit takes effect at once and replaces no pod; stored revisions
    /// keep what they have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_metadata: Option<CommonMetadata>,

    /// Seconds that a new pod must stay ready before it counts as available. Default 0. Must be less than
    /// `progressDeadlineSeconds`. An edit takes effect on both colors and replaces no pod.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub min_ready_seconds: i32,

    /// Seconds without progress after which a color's rollout, or a switch, is reported as failed. Progress is
    /// one more pod that becomes available, or an edit of the color. Default 600. Must be greater than
    /// `minReadySeconds`. An edit takes effect on both colors and replaces no pod.
    #[serde(default = "default_progress_deadline_seconds")]
    #[schemars(range(min = 1))]
    pub progress_deadline_seconds: i32,

    /// Seconds that the old color keeps running after a switch, for requests that are still under way,
    /// counted from when no endpoint of it is behind the Service any more. Until then it may grow with
    /// `replicas`, and nothing else. Default 30, at most 86400. An edit replaces no pod: the pods' default grace
    /// period, which is longer than this, follows with the color's next revision.
    #[serde(default = "default_drain_seconds")]
    #[schemars(range(min = 0, max = 86400))]
    pub drain_seconds: i32,

    /// Pods above `replicas` while a color is rolled: a number, or a percentage such as `25%`. Default `25%`. At
    /// least 1, because no pod is removed before a new one is ready. An edit takes effect on both colors and replaces
    /// no pod.
    #[serde(default = "default_max_surge")]
    #[x_kube(validation = rules::MAX_SURGE)]
    pub max_surge: IntOrString,

    /// What happens to an edit of the live color's block. `Freeze`, the default, holds it until that
    /// color is idle; `RollingUpdate` rolls the live pods in place, never fewer than `replicas`.
    #[serde(default)]
    pub active_update_policy: ActiveUpdatePolicy,

    /// Tests that gate a switch to a new revision, and tests that guard it. A switch back to a revision that has served
    /// well waits for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 8))]
    pub checks: Vec<Check>,

    /// While true, the operator changes nothing, and reports that the app is paused. Only the number of the live color's
    /// pods follows `replicas`, as that of a paused Deployment does. Default false.
    #[serde(default)]
    pub paused: bool,
}

impl BlueGreenAppSpec {
    /// The block of one color; `None` while that side is not in use.
    #[must_use]
    pub const fn color(&self, color: Color) -> Option<&ColorSpec> {
        match color {
            Color::Blue => self.blue.as_ref(),
            Color::Green => self.green.as_ref(),
        }
    }

    /// The complete image reference of one color: `repository[:tag][@digest]`. `None` when the color
    /// has no block, or no tag and no digest (which admission refuses).
    #[must_use]
    pub fn image_of(&self, color: Color) -> Option<String> {
        let block = self.color(color)?;
        let repository = block.image.as_deref().unwrap_or(&self.image);
        match (&block.tag, &block.digest) {
            (Some(tag), Some(digest)) => Some(format!("{repository}:{tag}@{digest}")),
            (Some(tag), None) => Some(format!("{repository}:{tag}")),
            (None, Some(digest)) => Some(format!("{repository}@{digest}")),
            (None, None) => None,
        }
    }

    /// The port that clients connect to on the Services: `service.port`, or else the app's own.
    #[must_use]
    pub fn service_port(&self) -> i32 {
        self.service.port.unwrap_or(self.port)
    }
}

/// What one color runs. Changing anything in here makes a new revision of that color.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::TAG_OR_DIGEST)]
pub struct ColorSpec {
    /// Image tag, for example `v1.2.0`. Quote it where it looks like a number. `tag` or `digest` is
    /// required; with both, the digest decides what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::TAG_SYNTAX)]
    #[schemars(length(max = 128))]
    pub tag: Option<String>,

    /// Image digest, for example `sha256:` and 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::DIGEST_SYNTAX)]
    #[schemars(length(max = 135))]
    pub digest: Option<String>,

    /// Repository for this color alone, without tag or digest. Default: `spec.image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::IMAGE_WITHOUT_TAG, validation = rules::IMAGE_SYNTAX)]
    #[schemars(length(max = 255))]
    pub image: Option<String>,

    /// Environment variables for this color; they replace those of the same name in the template's
    /// container `app`. Variables of either list can refer to those of the other, as `$(NAME)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(validation = rules::ENV_ONE_SOURCE)]
    #[schemars(length(max = 256))]
    pub env: Vec<EnvVar>,

    /// Any text. Changing it makes a new revision with nothing else changed, for example to take
    /// over shared fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub revision: Option<String>,
}

/// How the idle color waits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct Standby {
    /// Pods of the idle color once it is reduced, never more than `spec.replicas`. Default 0 when
    /// `scaleDownAfterSeconds` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,

    /// Seconds after which the idle color is reduced to `standby.replicas`, counted from the end of
    /// the drain or from its last edit. Default: with `standby.replicas` at once, without it never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub scale_down_after_seconds: Option<i32>,
}

/// What happens to an edit of the live color's block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum ActiveUpdatePolicy {
    /// The edit is held until the color is idle.
    #[default]
    Freeze,
    /// The live pods are rolled in place, never fewer available than `replicas`.
    RollingUpdate,
}

const fn default_replicas() -> i32 {
    1
}

fn default_port_name() -> String {
    "http".to_owned()
}

const fn default_progress_deadline_seconds() -> i32 {
    600
}

const fn default_drain_seconds() -> i32 {
    30
}

fn default_max_surge() -> IntOrString {
    IntOrString::String("25%".to_owned())
}

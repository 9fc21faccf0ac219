//! The validation rules of the API: for each, the CEL expression that the API server evaluates and the message that a
//! person reads.
//!
//! `validate` in the crate `bluegreen-core` checks the same rules in Rust, with the same messages. A test runs both over the same inputs.
//!
//! All rules are attached to `spec` or below, except for the two about the name, which never changes. So the operator
//! can still write the status of an object that breaks a rule of a later version: the API server checks only what has
//! changed.

mod checks;
mod metadata;
mod service;

use kube::core::Rule;

pub use checks::*;
pub use metadata::*;
pub use service::*;

/// A rule with its CEL expression and its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticRule {
    /// The CEL expression. It is true if the value is accepted. `self` is the value to which the rule is attached.
    pub cel: &'static str,
    /// The message. It names the field and the remedy, in one line, as the API server requires.
    pub message: &'static str,
    /// The field that the API server names, relative to the value to which the rule is attached. `None` means that
    /// value itself.
    pub field_path: Option<&'static str>,
}

impl From<StaticRule> for Rule {
    fn from(rule: StaticRule) -> Self {
        let StaticRule { cel, message, field_path } = rule;
        let rule = Rule::new(cel).message(message);
        match field_path {
            Some(path) => rule.field_path(path),
            None => rule,
        }
    }
}

const fn rule(cel: &'static str, message: &'static str) -> StaticRule {
    StaticRule { cel, message, field_path: None }
}

const fn rule_at(field_path: &'static str, cel: &'static str, message: &'static str) -> StaticRule {
    StaticRule { cel, message, field_path: Some(field_path) }
}

/// The longest name of an app, in characters. `NAME-preview`, and the names of a Deployment's pods, must still fit
/// into a label.
pub const NAME_MAX: usize = 55;

/// The prefix of the operator's own label and annotation keys.
pub const RESERVED_PREFIX: &str = "bluegreen.dev/";

/// Attached to the root.
pub const NAME_SYNTAX: StaticRule = rule(
    "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 55",
    "metadata.name must be at most 55 characters of a-z, 0-9 and '-', start with a letter and end with a letter or digit, because Services are named after it",
);

/// Attached to the root.
pub const NAME_SUFFIX: StaticRule = rule(
    "!self.metadata.name.endsWith('-blue') && !self.metadata.name.endsWith('-green') && !self.metadata.name.endsWith('-preview')",
    "metadata.name must not end in -blue, -green or -preview: those names belong to the objects of another app; choose another name",
);

/// Attached to `spec`.
pub const ACTIVE_BLOCK_PRESENT: StaticRule = rule_at(
    ".active",
    "self.active == 'blue' ? has(self.blue) : has(self.green)",
    "spec.active names a color without a block: add that block (`blue: {tag: …}` or `green: {tag: …}`), or set spec.active to the other color",
);

/// Attached to `spec`.
pub const MIN_READY_BELOW_DEADLINE: StaticRule = rule_at(
    ".minReadySeconds",
    "self.minReadySeconds < self.progressDeadlineSeconds",
    "spec.minReadySeconds must be less than spec.progressDeadlineSeconds, or no rollout could ever finish in time",
);

/// Attached to `spec`. It is a transition rule, so only admission can check it.
pub const SERVICE_PORT_STAYS: StaticRule = rule_at(
    ".port",
    "self.port == oldSelf.port || has(self.service.port)",
    "spec.port can only be changed while spec.service.port is set: set spec.service.port to the port that clients use (the old spec.port, to keep it), or they would lose the Service at once",
);

/// Attached to `spec`.
pub const APP_PORT_NOT_IN_TEMPLATE: StaticRule = rule_at(
    ".template",
    "!has(self.template) || !has(self.template.spec) || !has(self.template.spec.containers) || \
     !self.template.spec.containers.exists(c, has(c.ports) && c.ports.exists(p, \
     (p.containerPort == self.port && (!has(p.protocol) || p.protocol == 'TCP')) || \
     (has(p.name) && p.name == self.portName)))",
    "spec.template.spec.containers[].ports must not contain the app's port or its name: the operator adds it from spec.port and spec.portName; remove that entry, and if its container is the application itself, name that container `app`",
);

/// Attached to `spec`. A container is the application itself if it runs an image of that name, from whichever
/// registry, and none is named `app`.
pub const APP_UNDER_ANOTHER_NAME: StaticRule = rule_at(
    ".template",
    "!has(self.template) || !has(self.template.spec) || !has(self.template.spec.containers) || \
     self.template.spec.containers.exists(c, c.name == 'app') || \
     [self.image, has(self.blue) && has(self.blue.image) ? self.blue.image : self.image, \
     has(self.green) && has(self.green.image) ? self.green.image : self.image].all(i, \
     !self.template.spec.containers.exists(c, has(c.image) && c.image.matches('(^|/)' + \
     i.substring(i.lastIndexOf('/') + 1).replace('.', '[.]') + '(:[^/]*)?(@[^/]*)?$')))",
    "spec.template.spec.containers has no container `app`, and one with the app's image, so each pod would run the application twice: name that container `app` and remove its image; if it is a sidecar, add a container named `app` beside it",
);

/// The largest number of variables of all containers of `spec.template`. A variable of a few bytes takes some hundred
/// bytes of memory, so the size of the spec alone does not bound them.
pub const VARIABLES_MAX: usize = 2048;

/// Attached to `spec`. See [`VARIABLES_MAX`].
pub const VARIABLES_BOUNDED: StaticRule = rule_at(
    ".template",
    "!has(self.template) || !has(self.template.spec) || \
     (has(self.template.spec.containers) ? \
     self.template.spec.containers.map(c, has(c.env) ? size(c.env) : 0).sum() : 0) + \
     (has(self.template.spec.initContainers) ? \
     self.template.spec.initContainers.map(c, has(c.env) ? size(c.env) : 0).sum() : 0) <= 2048",
    "spec.template.spec has more than 2048 variables in all of its containers: keep them in a ConfigMap or Secret, and name that in `envFrom`",
);

/// Attached to every repository.
pub const IMAGE_WITHOUT_TAG: StaticRule = rule(
    "!self.contains('@') && !self.matches(':[^/]*$')",
    "image must be a repository without tag or digest: move what follows ':' or '@' to the `tag` or `digest` of the color",
);

/// Attached to every repository. It accepts what [`IMAGE_WITHOUT_TAG`] refuses, so that there is only one message.
pub const IMAGE_SYNTAX: StaticRule = rule(
    "self.contains('@') || self.matches(':[^/]*$') || \
     self.matches('^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]+)?/)?[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([.]|_|__|-+)[a-z0-9]+)*)*$')",
    "image must be a repository such as `team/hello` or `registry.example.com:5000/team/hello`, in lower case, without scheme or spaces",
);

/// Attached to a color's block.
pub const TAG_OR_DIGEST: StaticRule =
    rule("has(self.tag) || has(self.digest)", "tag or digest is required: say which image this color runs");

/// Attached to `tag`.
pub const TAG_SYNTAX: StaticRule = rule(
    "self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$')",
    "tag must be 1 to 128 characters of A-Z, a-z, 0-9, '_', '.' and '-', and not start with '.' or '-'",
);

/// Attached to `digest`.
pub const DIGEST_SYNTAX: StaticRule = rule(
    "self.matches('^(sha256:[a-f0-9]{64}|sha512:[a-f0-9]{128})$')",
    "digest must be `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits",
);

/// Attached to a color's `env`.
pub const ENV_ONE_SOURCE: StaticRule = rule(
    "self.all(e, !(has(e.valueFrom) && has(e.value) && e.value != ''))",
    "env must not give one variable both `value` and `valueFrom`: remove one of them",
);

/// Attached to a list whose items are told apart by these keys, each with its default.
pub(crate) fn items_differ(keys: &[(&str, &str)]) -> Rule {
    let value = |item: &str, (key, default): &(&str, &str)| match *default {
        "" => format!("{item}.{key}"),
        default => format!("(has({item}.{key}) && {item}.{key} != '' ? {item}.{key} : '{default}')"),
    };
    let equal: Vec<_> =
        keys.iter().map(|key| format!("{} == {}", value("a", key), value("b", key))).collect();
    let names: Vec<_> = keys.iter().map(|(key, _)| *key).collect();
    let words =
        format!("must not have two entries with the same {}: remove one of them", names.join(" and "));
    Rule::new(format!("self.all(a, self.exists_one(b, {}))", equal.join(" && "))).message(words.as_str())
}

/// The message about an item that a list has twice. At admission, the schema has a message of its own.
pub const DUPLICATE: &str = "is there twice: remove one of the entries";

/// The message about a text that is not a quantity. At admission, the pattern in the schema has a message of its own.
pub const QUANTITY: &str = "is not a quantity such as `500m`, `0.5` (quoted) or `256Mi`";

/// Attached to `portName`.
pub const PORT_NAME_SYNTAX: StaticRule = rule(
    "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && self.matches('[a-z]') && !self.contains('--') && size(self) <= 15",
    "spec.portName must be at most 15 characters of a-z, 0-9 and single '-', with at least one letter, and '-' neither first nor last",
);

/// Attached to `portName`. It is a transition rule, so only admission can check it.
pub const PORT_NAME_IMMUTABLE: StaticRule = rule(
    "self == oldSelf",
    "spec.portName can't be changed: the Services find the pods of both colors by it; set it back, or make another app",
);

/// Attached to `appProtocol`.
pub const APP_PROTOCOL_SYNTAX: StaticRule = rule(
    "self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",
    "spec.appProtocol must be a protocol name such as `http`, or one with a domain such as `kubernetes.io/h2c`",
);

/// Attached to `maxSurge`.
pub const MAX_SURGE: StaticRule = rule(
    "type(self) == int ? self >= 1 : self.matches('^[1-9][0-9]{0,5}%$')",
    "spec.maxSurge must be a number of pods of at least 1 or a percentage of at least 1%: pods are never taken away before new ones are ready, so 0 could not make progress",
);

/// Attached to `service`.
pub const NODE_PORT_TYPE: StaticRule = rule_at(
    ".nodePort",
    "!has(self.nodePort) || self.type != 'ClusterIP'",
    "spec.service.nodePort needs spec.service.type NodePort or LoadBalancer: change the type or remove nodePort",
);

/// Attached to `service`.
pub const TRAFFIC_POLICY_TYPE: StaticRule = rule_at(
    ".externalTrafficPolicy",
    "!has(self.externalTrafficPolicy) || self.type != 'ClusterIP'",
    "spec.service.externalTrafficPolicy needs spec.service.type NodePort or LoadBalancer: change the type or remove externalTrafficPolicy",
);

/// Attached to `service`.
pub const LOAD_BALANCER_CLASS_TYPE: StaticRule = rule_at(
    ".loadBalancerClass",
    "!has(self.loadBalancerClass) || self.type == 'LoadBalancer'",
    "spec.service.loadBalancerClass needs spec.service.type LoadBalancer: change the type or remove loadBalancerClass",
);

/// Attached to every map of labels or annotations.
pub const RESERVED_KEYS: StaticRule = rule(
    "self.all(key, !key.startsWith('bluegreen.dev/'))",
    "must not contain keys that start with `bluegreen.dev/`: the operator sets those itself; remove them",
);

/// Attached to the probe.
pub const PROBE_ONE_HANDLER: StaticRule = rule(
    "[has(self.httpGet), has(self.tcpSocket), has(self.grpc), has(self.exec)].filter(given, given).size() <= 1",
    "spec.readinessProbe must have at most one of httpGet, tcpSocket, grpc and exec: remove the others",
);

/// Attached to a probe's `port`.
pub const PROBE_PORT: StaticRule = rule(
    "type(self) == int ? (self >= 1 && self <= 65535) : self.matches('^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$')",
    "port must be a number from 1 to 65535 or the name of a port of the container",
);

/// Attached to `template.spec`.
pub const RESTART_POLICY: StaticRule = rule_at(
    ".restartPolicy",
    "!has(self.restartPolicy) || self.restartPolicy == 'Always'",
    "spec.template.spec.restartPolicy must be Always: the pods belong to a Deployment; remove it",
);

/// Attached to `template.spec`.
pub const NO_ACTIVE_DEADLINE: StaticRule = rule_at(
    ".activeDeadlineSeconds",
    "!has(self.activeDeadlineSeconds)",
    "spec.template.spec.activeDeadlineSeconds is not possible for the pods of a Deployment: remove it",
);

/// Attached to `template.spec`.
pub const NO_EPHEMERAL_CONTAINERS: StaticRule = rule_at(
    ".ephemeralContainers",
    "!has(self.ephemeralContainers) || size(self.ephemeralContainers) == 0",
    "spec.template.spec.ephemeralContainers is not possible in a template: remove it",
);

/// Attached to `template.spec`.
pub const APP_NOT_AN_INIT_CONTAINER: StaticRule = rule_at(
    ".initContainers",
    "!has(self.initContainers) || !self.initContainers.exists(c, c.name == 'app')",
    "spec.template.spec.initContainers must not contain the name `app`, which is the application's own container: rename it",
);

/// Attached to `template.spec`. A container without an image runs that of the color. That this is meant is said by a container
/// `app` beside it: a pasted Deployment has none.
pub const SIDECAR_IMAGE: StaticRule = rule_at(
    ".containers",
    "!has(self.containers) || self.containers.exists(c, c.name == 'app') || self.containers.all(c, has(c.image) && c.image != '')",
    "spec.template.spec.containers: a sidecar must set image; if the container is the application itself, name it `app`; if it is to run the image of the color beside the application, add a container named `app`",
);

/// Attached to `template.spec`.
pub const APP_IMAGE_NOT_IN_TEMPLATE: StaticRule = rule_at(
    ".containers",
    "!has(self.containers) || !self.containers.exists(c, c.name == 'app' && has(c.image))",
    "spec.template.spec.containers: container `app` must not set image: use spec.image and the tag or digest of the color",
);

/// Attached to `template.spec`.
pub const APP_PROBE_NOT_IN_TEMPLATE: StaticRule = rule_at(
    ".containers",
    "!has(self.containers) || !self.containers.exists(c, c.name == 'app' && has(c.readinessProbe))",
    "spec.template.spec.containers: container `app` must not set readinessProbe: use spec.readinessProbe",
);

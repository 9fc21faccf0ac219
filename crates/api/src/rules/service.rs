//! The rules about the Services: their ports, and what Kubernetes asks of the fields of a Service.

use super::{StaticRule, rule, rule_at};

/// Attached to the name of an extra port.
pub const EXTRA_PORT_NAME_SYNTAX: StaticRule = rule(
    "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$') && self.matches('[a-z]') && !self.contains('--') && size(self) <= 15",
    "name must be at most 15 characters of a-z, 0-9 and single '-', with at least one letter, and '-' neither first nor last",
);

/// The pattern of an extra port's `targetPort`, if it is a name. It is in the schema: the API server takes a text that may
/// also be a number for one of unlimited length, for which a rule would cost too much.
pub const TARGET_PORT_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$";

/// The message about a `targetPort`. At admission, the schema has messages of its own.
pub const TARGET_PORT: &str =
    "must be a number from 1 to 65535 or the name of a port of a container in spec.template";

/// Attached to an extra port's `appProtocol`.
pub const EXTRA_APP_PROTOCOL: StaticRule = rule(
    "self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",
    "appProtocol must be a protocol name such as `http`, or one with a domain such as `kubernetes.io/h2c`",
);

/// Attached to `spec`.
pub const EXTRA_PORT_NAME_FREE: StaticRule = rule_at(
    ".service.extraPorts",
    "!has(self.service.extraPorts) || !self.service.extraPorts.exists(p, p.name == self.portName)",
    "spec.service.extraPorts must not contain the name of the app's own port (spec.portName): give the extra port another name",
);

/// Attached to `spec`.
pub const EXTRA_PORTS_DIFFER: StaticRule = rule_at(
    ".service.extraPorts",
    "!has(self.service.extraPorts) || self.service.extraPorts.all(p, \
     self.service.extraPorts.exists_one(q, q.port == p.port && q.protocol == p.protocol) && \
     (p.protocol != 'TCP' || p.port != (has(self.service.port) ? self.service.port : self.port)))",
    "spec.service.extraPorts must not have two ports of the same number and protocol, and none with the TCP port of the app itself (spec.service.port, or else spec.port): give one of them another number",
);

/// Attached to `service`.
pub const EXTRA_NODE_PORT_TYPE: StaticRule = rule_at(
    ".extraPorts",
    "!has(self.extraPorts) || self.type != 'ClusterIP' || self.extraPorts.all(p, !has(p.nodePort))",
    "spec.service.extraPorts[].nodePort needs spec.service.type NodePort or LoadBalancer: change the type or remove nodePort",
);

/// Attached to `service`. Kubernetes gives out a number once for each protocol.
pub const EXTRA_NODE_PORTS_DIFFER: StaticRule = rule_at(
    ".extraPorts",
    "!has(self.extraPorts) || self.extraPorts.all(p, !has(p.nodePort) || \
     (self.extraPorts.exists_one(q, has(q.nodePort) && q.nodePort == p.nodePort && q.protocol == p.protocol) && \
     !(p.protocol == 'TCP' && has(self.nodePort) && self.nodePort == p.nodePort)))",
    "spec.service must not give the same nodePort to two ports of one protocol: give one of them another nodePort, or remove it",
);

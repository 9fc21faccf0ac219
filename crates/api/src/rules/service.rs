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

/// Attached to `service`.
pub const SOURCE_RANGES_TYPE: StaticRule = rule_at(
    ".loadBalancerSourceRanges",
    "!has(self.loadBalancerSourceRanges) || size(self.loadBalancerSourceRanges) == 0 || self.type == 'LoadBalancer'",
    "spec.service.loadBalancerSourceRanges needs spec.service.type LoadBalancer: change the type or remove loadBalancerSourceRanges",
);

/// Attached to `loadBalancerSourceRanges`. Which numbers an address may have is left to the API server.
pub const SOURCE_RANGE_SYNTAX: StaticRule = rule(
    "self.all(r, r.matches('^([0-9]{1,3}([.][0-9]{1,3}){3}/[0-9]{1,2}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*/[0-9]{1,3})$'))",
    "spec.service.loadBalancerSourceRanges must be address ranges such as `192.0.2.0/24` or `2001:db8::/32`, without blanks",
);

/// Attached to `service`.
pub const ALLOCATE_NODE_PORTS_TYPE: StaticRule = rule_at(
    ".allocateLoadBalancerNodePorts",
    "!has(self.allocateLoadBalancerNodePorts) || self.type == 'LoadBalancer'",
    "spec.service.allocateLoadBalancerNodePorts needs spec.service.type LoadBalancer: change the type or remove allocateLoadBalancerNodePorts",
);

/// Attached to `service`.
pub const AFFINITY_CONFIG_NEEDS_CLIENT_IP: StaticRule = rule_at(
    ".sessionAffinityConfig",
    "!has(self.sessionAffinityConfig) || (has(self.sessionAffinity) && self.sessionAffinity == 'ClientIP')",
    "spec.service.sessionAffinityConfig needs spec.service.sessionAffinity ClientIP: set it or remove sessionAffinityConfig",
);

/// Attached to `ipFamilies`.
pub const IP_FAMILIES_DIFFER: StaticRule = rule(
    "size(self) < 2 || self[0] != self[1]",
    "spec.service.ipFamilies must not name the same family twice: remove one of them",
);

/// Attached to `service`.
pub const TWO_FAMILIES_NEED_A_POLICY: StaticRule = rule_at(
    ".ipFamilies",
    "!has(self.ipFamilies) || size(self.ipFamilies) < 2 || (has(self.ipFamilyPolicy) && self.ipFamilyPolicy != 'SingleStack')",
    "spec.service.ipFamilies with two families needs spec.service.ipFamilyPolicy PreferDualStack or RequireDualStack: set it or remove one family",
);

/// Attached to `service`. It is a transition rule, so only admission can check it. Without it, the API server would refuse the
/// Services, and with them the next switch.
pub const IP_FAMILIES_STAY: StaticRule = rule_at(
    ".ipFamilies",
    "has(self.ipFamilies) == has(oldSelf.ipFamilies) && (!has(self.ipFamilies) || self.ipFamilies[0] == oldSelf.ipFamilies[0])",
    "spec.service.ipFamilies can be given only when the app is created, and its first family can't be changed, because Kubernetes does not change that of a Service: set it back, or make another app",
);

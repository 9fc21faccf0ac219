//! The rows of the matrix: what is switched where, and what goes wrong meanwhile. Data only.

use bluegreen_cluster::{Node, Options, ProxyMode};
use serde_json::{Value, json};

use crate::results::Entry;
use crate::sizes::Sizes;

/// The app's name, and that of its Service.
pub const APP: &str = "hello";

/// Seconds for which the old color is left alone after a switch. Longer than a long request takes.
const DRAIN_SECONDS: i32 = 5;

/// When something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the edit that asks for the switch.
    Before,
    /// A few milliseconds after the API server has taken that edit: another few at each switch.
    During,
    /// As soon as the Service has moved.
    After,
}

/// Who goes on after an operator was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Successor {
    /// The same one, started again.
    Restarted,
    /// Another one that stood by.
    Standby,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// A pod of the target says that it is not ready, and after some seconds that it is.
    UnreadyPod(When),
    /// The operator gets a SIGKILL.
    Killed(When, Successor),
    /// A second installation of the operator runs beside the first.
    Rival,
    /// kube-proxy is stopped and started again, in the middle of the switch.
    ProxyRestarted,
    /// The API server is frozen for ten seconds, in the middle of the switch.
    ApiServerFrozen,
    /// All pods of the target run on one of the two nodes that the live color serves on.
    Uncovered,
}

/// How a switch is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// `active` is edited, and the target stands ready.
    Active,
    /// `active` and the target's `revision` are edited in one: its pods are new.
    Redeployed,
    /// `active` is edited, and edited back while the drain runs: two switches.
    ThereAndBack,
    /// `active` stays; the live color's `revision` is edited, which rolls it in place.
    Rolled,
}

/// What the nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nodes {
    /// This many, with real containers.
    Real(usize),
    /// Without containers, and so without traffic.
    Simulated,
}

/// The cluster of a row. Rows of the same shape share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Its nodes.
    pub nodes: Nodes,
    /// kube-proxy uses nftables instead of iptables.
    pub nftables: bool,
    /// The most endpoints that one EndpointSlice takes, where that is not Kubernetes' own 100.
    pub endpoints_per_slice: Option<u8>,
}

const PLAIN: Shape = Shape { nodes: Nodes::Real(1), nftables: false, endpoints_per_slice: None };
const NFTABLES: Shape = Shape { nftables: true, ..PLAIN };
const SMALL_SLICES: Shape = Shape { endpoints_per_slice: Some(2), ..PLAIN };
const TWO_NODES: Shape = Shape { nodes: Nodes::Real(2), ..PLAIN };
const SIMULATED: Shape = Shape { nodes: Nodes::Simulated, ..SMALL_SLICES };

impl Shape {
    /// How to start such a cluster.
    pub fn options(self) -> Options {
        let Self { nodes, nftables, endpoints_per_slice } = self;
        let node = match nodes {
            Nodes::Real(count) => Node::Real { count },
            Nodes::Simulated => Node::Simulated { count: 3 },
        };
        let proxy_mode = if nftables { ProxyMode::Nftables } else { ProxyMode::Iptables };
        let controller_manager_args =
            endpoints_per_slice.map(|most| format!("--max-endpoints-per-slice={most}")).into_iter().collect();
        Options { node, proxy_mode, controller_manager_args, audit: false, ..Options::default() }
    }

    /// In words, for the report.
    pub fn words(self) -> String {
        let nodes = match self.nodes {
            Nodes::Real(1) => "1 node".to_owned(),
            Nodes::Real(count) => format!("{count} nodes"),
            Nodes::Simulated => "simulated nodes".to_owned(),
        };
        let proxy = match self.nodes {
            Nodes::Real(_) if self.nftables => ", nftables",
            Nodes::Real(_) => ", iptables",
            Nodes::Simulated => "",
        };
        let slices =
            self.endpoints_per_slice.map_or_else(String::new, |most| format!(", {most} endpoints per slice"));
        format!("{nodes}{proxy}{slices}")
    }
}

/// One row of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name on the command line and in the results.
    pub name: &'static str,
    /// What happens, in the report.
    pub words: &'static str,
    /// The cluster.
    pub shape: Shape,
    /// Pods of each color.
    pub replicas: i32,
    /// What the app's spec says besides, as YAML.
    pub spec: &'static str,
    /// How the switch is asked for.
    pub flip: Flip,
    /// What goes wrong.
    pub trouble: Trouble,
    /// What becomes of the size.
    pub sizes: Sizes,
    /// Switches that it takes to meet everything that the row is about.
    pub switches: u64,
    /// Part of the short run that belongs to `make test`.
    pub short: bool,
    /// Why requests are lost here whoever switches: a defect of Kubernetes' own, with its source.
    pub defect: Option<&'static str>,
}

const ROW: Row = Row {
    name: "",
    words: "",
    shape: PLAIN,
    replicas: 3,
    spec: "{}",
    flip: Flip::Active,
    trouble: Trouble::None,
    sizes: Sizes::Fixed,
    switches: 0,
    short: false,
    defect: None,
};

const EMPTY_CHAINS: &str = "kube-proxy v1.35.4, `pkg/proxy/nftables/proxier.go`. When a Service leaves its endpoints, their chains \
    are emptied at once and deleted in a later sync, a second or more after that; what waits to be deleted is remembered in the \
    process alone (`staleChains`). The first sync of a new process writes no rules into an endpoint's chain that is there already \
    (`epChainSkipUpdate`). So a kube-proxy that is restarted while the Service goes back to endpoints that it left, before any \
    other change in the cluster has made it sync again, leaves their chains empty: the packets find no destination, and the \
    node refuses them until the Service's endpoints change once more. `nft list table ip kube-proxy` shows it: the Service's chain \
    points at the right pods' chains, and there is nothing in these. The Service and its EndpointSlices are as they should be, so \
    no controller can see it; the same switch by `kubectl` alone, without the operator, lost 15518 of 43242 requests at commit `84c189ea8787`. In iptables mode, \
    `proxy-restart` loses none.";

const SLOW_START: &str = r#"
maxSurge: 100%
template: {spec: {containers: [{name: app, env: [{name: START_DELAY_SECONDS, value: "4"}]}]}}
"#;

/// One pod of a color on each node at least: what `externalTrafficPolicy: Local` asks of an app.
const LOCAL: &str = r"
maxSurge: 100%
service: {externalTrafficPolicy: Local}
template:
  spec:
    topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: DoNotSchedule
      nodeTaintsPolicy: Honor
      labelSelector: {matchLabels: {bluegreen.dev/app: hello}}
      matchLabelKeys: [bluegreen.dev/color, pod-template-hash]
";

/// The matrix, ordered by shape, so that each cluster is started once.
pub const ROWS: &[Row] = &[
    Row { name: "plain", words: "`active` is edited, the target stands ready", short: true, ..ROW },
    Row {
        name: "switch-back",
        words: "`active` is edited back while the drain runs",
        flip: Flip::ThereAndBack,
        ..ROW
    },
    Row {
        name: "slow-start",
        words: "new pods of the target, in the same edit, need 4 s to start",
        flip: Flip::Redeployed,
        spec: SLOW_START,
        ..ROW
    },
    Row {
        name: "unready-before",
        words: "a pod of the target is unready when the switch is asked for",
        trouble: Trouble::UnreadyPod(When::Before),
        ..ROW
    },
    Row {
        name: "unready-during",
        words: "a pod of the target says that it is unready in the moment of the edit",
        trouble: Trouble::UnreadyPod(When::During),
        ..ROW
    },
    Row {
        name: "unready-after",
        words: "a pod of the target goes unready right after the switch",
        trouble: Trouble::UnreadyPod(When::After),
        ..ROW
    },
    Row {
        name: "killed-before",
        words: "the operator is killed before the edit and started again after it",
        trouble: Trouble::Killed(When::Before, Successor::Restarted),
        ..ROW
    },
    Row {
        name: "killed-during",
        words: "the operator is killed milliseconds after the edit and started again",
        trouble: Trouble::Killed(When::During, Successor::Restarted),
        short: true,
        ..ROW
    },
    Row {
        name: "killed-after",
        words: "the operator is killed right after the switch and started again",
        trouble: Trouble::Killed(When::After, Successor::Restarted),
        ..ROW
    },
    Row {
        name: "standby-takes-over",
        words: "the leader is killed milliseconds after the edit, and the replica that did not lead goes on",
        trouble: Trouble::Killed(When::During, Successor::Standby),
        ..ROW
    },
    Row {
        name: "two-operators",
        words: "a second installation of the operator runs beside the first",
        trouble: Trouble::Rival,
        ..ROW
    },
    Row {
        name: "proxy-restart",
        words: "kube-proxy is restarted in the middle of the switch",
        trouble: Trouble::ProxyRestarted,
        short: true,
        ..ROW
    },
    Row {
        name: "apiserver-frozen",
        words: "the API server is frozen for 10 s in the middle of the switch",
        trouble: Trouble::ApiServerFrozen,
        ..ROW
    },
    Row {
        name: "standby-zero",
        words: "the idle color has no pods: started before the switch, ended after the drain",
        spec: "standby: {replicas: 0, scaleDownAfterSeconds: 0}",
        short: true,
        ..ROW
    },
    Row {
        name: "rolling-update",
        words: "the live color is edited with `RollingUpdate`: no switch, but its pods are replaced",
        spec: "activeUpdatePolicy: RollingUpdate",
        flip: Flip::Rolled,
        ..ROW
    },
    Row {
        name: "sizes",
        words: "the size goes 3 → 6 → 3, by one every 4 s, as an autoscaler writes it; every switch is taken back in its drain",
        flip: Flip::ThereAndBack,
        sizes: Sizes::UpAndDown,
        switches: 10,
        ..ROW
    },
    Row {
        name: "growth",
        words: "as `slow-start`, and from the edit on the size grows from 3 to 6, by one every 3 s: switched within one rollout from \
                when the last of these pods are ready",
        flip: Flip::Redeployed,
        spec: SLOW_START,
        sizes: Sizes::Grows,
        ..ROW
    },
    Row { name: "nftables", words: "as `plain`, with kube-proxy's nftables mode", shape: NFTABLES, ..ROW },
    Row {
        name: "nftables-proxy-restart",
        words: "as `proxy-restart`, with kube-proxy's nftables mode",
        shape: NFTABLES,
        trouble: Trouble::ProxyRestarted,
        defect: Some(EMPTY_CHAINS),
        ..ROW
    },
    Row {
        name: "many-slices",
        words: "six pods of each color in three EndpointSlices",
        shape: SMALL_SLICES,
        replicas: 6,
        ..ROW
    },
    Row {
        name: "local",
        words: "`externalTrafficPolicy: Local`, both colors on both nodes, traffic to both",
        shape: TWO_NODES,
        replicas: 4,
        spec: LOCAL,
        ..ROW
    },
    Row {
        name: "local-uncovered",
        words: "`externalTrafficPolicy: Local`, the target's new pods all on one node: waits until they cover both",
        shape: TWO_NODES,
        replicas: 4,
        spec: LOCAL,
        flip: Flip::Redeployed,
        trouble: Trouble::Uncovered,
        ..ROW
    },
    Row {
        name: "slices-simulated",
        words: "150 simulated pods of each color in 75 EndpointSlices, no traffic",
        shape: SIMULATED,
        replicas: 150,
        spec: "service: {type: ClusterIP}",
        ..ROW
    },
];

impl Row {
    /// Everything was as promised, or all that was not is a loss that no switch could prevent.
    pub fn accepts(&self, entry: &Entry) -> bool {
        entry.is_clean() || (self.defect.is_some() && entry.keeps_everything_but_requests())
    }

    /// The row of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.name == name)
    }

    /// Whether there are real pods to send requests to.
    pub fn has_traffic(&self) -> bool {
        match self.shape.nodes {
            Nodes::Real(_) => true,
            Nodes::Simulated => false,
        }
    }

    /// The app as it is declared at first.
    pub fn app(&self, node_port: Option<u16>) -> anyhow::Result<Value> {
        let service =
            node_port.map_or_else(|| json!({}), |port| json!({"type": "NodePort", "nodePort": port}));
        let mut spec = json!({
            "active": "blue",
            "image": "docker.io/library/hello",
            "blue": {"tag": version("blue")},
            "green": {"tag": version("green")},
            "replicas": self.replicas,
            "port": 8888,
            "readinessProbe": {"httpGet": {"path": "/healthz"}, "periodSeconds": 1},
            "service": service,
            "drainSeconds": DRAIN_SECONDS,
            "template": {"spec": {"containers": [{"name": "app"}]}},
        });
        merge(&mut spec, serde_yaml_ng::from_str(self.spec)?);
        let variables = &mut spec["template"]["spec"]["containers"][0]["env"];
        if !variables.is_array() {
            *variables = json!([]);
        }
        if let Some(variables) = variables.as_array_mut() {
            // The way to make a pod unready, and nothing else.
            variables.push(json!({"name": "ENABLE_ADMIN", "value": "1"}));
        }
        Ok(json!({
            "apiVersion": "bluegreen.dev/v1alpha1",
            "kind": "BlueGreenApp",
            "metadata": {"name": APP},
            "spec": spec,
        }))
    }
}

/// The version that a color's pods say.
pub fn version(color: &str) -> &'static str {
    if color == "blue" { "v1.0.0" } else { "v2.0.0" }
}

fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bluegreen_api::BlueGreenApp;

    use super::*;

    #[test]
    fn is_every_row_an_app_that_the_operator_understands() {
        for row in ROWS {
            let app: BlueGreenApp = serde_json::from_value(row.app(Some(30_000)).unwrap()).unwrap();
            assert_eq!(app.spec.replicas, row.replicas, "{}", row.name);
        }
    }

    #[test]
    fn are_rows_of_one_shape_next_to_each_other_and_their_names_different() {
        let mut shapes: Vec<Shape> = ROWS.iter().map(|row| row.shape).collect();
        shapes.dedup();
        assert_eq!(shapes.len(), shapes.iter().collect::<BTreeSet<_>>().len());
        assert_eq!(ROWS.iter().map(|row| row.name).collect::<BTreeSet<_>>().len(), ROWS.len());
    }
}

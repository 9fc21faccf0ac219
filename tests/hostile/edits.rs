//! Edits that a person, a script or an enemy could make: some meaningful, some from the CRD's own schema.

#[path = "edits/checks.rs"]
mod checks;

use bluegreen_proxy::Random;
use serde_json::{Map, Value, json};

use crate::schema;

/// One edit of the spec.
#[derive(Clone, Debug)]
pub enum Edit {
    /// A JSON merge patch of the spec: `null` takes a field away.
    Merge(Value),
    /// The spec as it was at first.
    Back,
}

/// The node port that somebody else's Service has.
pub const TAKEN_NODE_PORT: i32 = 30_007;

/// What every sequence begins with and must recover to. The port of the Service is fixed, so that the app's may change.
pub fn base(random: &mut Random) -> Value {
    let mut spec = json!({
        "active": "blue",
        "image": "team/hello",
        "blue": {"tag": "v1"},
        "green": {"tag": "v2"},
        "replicas": 1 + random.below(2),
        "port": 8888,
        "drainSeconds": random.below(2),
        "service": {"type": "ClusterIP", "port": 80},
    });
    match random.below(6) {
        0 => spec["standby"] = json!({"replicas": 0}),
        1 => spec["activeUpdatePolicy"] = json!("RollingUpdate"),
        2 => spec["checks"] = checks::passing(random),
        _ => {}
    }
    spec
}

/// Half of them mean something, half come from the schema; now and then everything is taken back.
pub fn edit(random: &mut Random) -> Edit {
    match random.below(20) {
        0..=1 => Edit::Back,
        2..=12 => Edit::Merge(meaningful(random)),
        _ => Edit::Merge(schema::edit(random)),
    }
}

fn pick<T: Clone>(random: &mut Random, of: &[T]) -> T {
    let index = usize::try_from(random.below(of.len() as u64)).unwrap_or(0);
    of[index].clone()
}

fn meaningful(random: &mut Random) -> Value {
    let kinds = [
        switch,
        switch,
        blocks,
        blocks,
        numbers,
        service,
        pods,
        broken_template,
        standby,
        checks::edit,
        checks::edit,
    ];
    let mut patch = pick(random, &kinds)(random);
    // Two things in one commit.
    if random.below(4) == 0 {
        merge(&mut patch, pick(random, &kinds)(random));
    }
    patch
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn color(random: &mut Random) -> &'static str {
    pick(random, &["blue", "green"])
}

fn tag(random: &mut Random) -> Value {
    json!(format!("v{}", 1 + random.below(5)))
}

fn switch(random: &mut Random) -> Value {
    let to = color(random);
    match random.below(5) {
        0 => json!({"active": to, to: {"tag": tag(random)}}),
        1 => json!({"active": to, "paused": true}),
        2 => json!({"paused": pick(random, &[true, false])}),
        _ => json!({"active": to}),
    }
}

fn blocks(random: &mut Random) -> Value {
    let of = color(random);
    let digest = format!("sha256:{:064x}", random.draw());
    let (tag, revision) = (tag(random), random.below(3).to_string());
    let block = pick(
        random,
        &[
            Value::Null,
            json!({"tag": tag}),
            json!({"tag": tag, "revision": revision}),
            json!({"tag": null, "digest": digest}),
            json!({"digest": null, "tag": "v1"}),
            json!({"tag": null, "digest": null}),
            json!({"tag": "-bad-"}),
            json!({"tag": "x".repeat(128)}),
            json!({"tag": "x".repeat(129)}),
            json!({"image": "other/hello"}),
            json!({"image": "Other:v1"}),
            json!({"image": null}),
            json!({"env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}),
            json!({"env": [{"name": "A=B", "value": "1"}]}),
            json!({"env": [{"name": "", "value": "1"}]}),
            json!({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "no.such.field"}}}]}),
            json!({"env": [{"name": "A", "valueFrom": {}}]}),
            json!({"env": null}),
            json!({"revision": "\u{1F4A5} \u{0000}\n"}),
        ],
    );
    let mut patch = json!({ of: block });
    if random.below(3) == 0 {
        patch["active"] = json!(color(random));
    }
    patch
}

fn numbers(random: &mut Random) -> Value {
    pick(
        random,
        &[
            json!({"replicas": 1}),
            json!({"replicas": 2}),
            json!({"replicas": 3}),
            json!({"replicas": 0}),
            json!({"replicas": -1}),
            // The quota stops it.
            json!({"replicas": 2_147_483_647}),
            json!({"replicas": 2_147_483_648_u64}),
            json!({"replicas": null}),
            json!({"replicas": 1.5}),
            json!({"minReadySeconds": 1}),
            json!({"minReadySeconds": 599}),
            json!({"minReadySeconds": 600}),
            json!({"minReadySeconds": null}),
            json!({"minReadySeconds": 2_147_483_646, "progressDeadlineSeconds": 2_147_483_647}),
            json!({"progressDeadlineSeconds": 1}),
            json!({"progressDeadlineSeconds": 2_147_483_647}),
            json!({"progressDeadlineSeconds": null}),
            json!({"drainSeconds": 0}),
            json!({"drainSeconds": 1}),
            json!({"drainSeconds": 86_400}),
            json!({"drainSeconds": 86_401}),
            json!({"maxSurge": 1}),
            json!({"maxSurge": "999999%"}),
            json!({"maxSurge": 2_147_483_647}),
            json!({"maxSurge": 9_223_372_036_854_775_807_u64}),
            json!({"maxSurge": "0%"}),
            json!({"maxSurge": null}),
            json!({"port": 9999}),
            json!({"port": 1}),
            json!({"port": 65_535, "portName": "other"}),
            json!({"port": 0}),
            json!({"port": null}),
            json!({"activeUpdatePolicy": "RollingUpdate"}),
            json!({"activeUpdatePolicy": "Freeze"}),
            json!({"activeUpdatePolicy": null}),
        ],
    )
}

fn service(random: &mut Random) -> Value {
    let service = pick(
        random,
        &[
            json!({"type": "NodePort"}),
            json!({"type": "NodePort", "nodePort": TAKEN_NODE_PORT}),
            // Out of the cluster's range, within the schema's.
            json!({"type": "NodePort", "nodePort": 1}),
            json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/lb"}),
            json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/other"}),
            json!({"type": "LoadBalancer", "loadBalancerClass": "no class at all"}),
            json!({"type": "LoadBalancer", "loadBalancerClass": null, "externalTrafficPolicy": "Local"}),
            json!({"type": "ClusterIP", "nodePort": null, "loadBalancerClass": null, "externalTrafficPolicy": null}),
            json!({"type": "ClusterIP"}),
            json!({"type": null, "nodePort": null}),
            json!({"port": 81}),
            json!({"port": 65_535}),
            json!({"port": null}),
            json!({"sessionAffinity": "ClientIP"}),
            json!({"sessionAffinity": "None"}),
            json!({"sessionAffinity": null}),
            json!({"annotations": {"example.com/a": "b"}}),
            json!({"annotations": {"not a key!": "b"}}),
            json!({"annotations": {"example.com/long": "x".repeat(300_000)}}),
            json!({"annotations": {"bluegreen.dev/active": "green"}}),
            json!({"annotations": null}),
            json!({"extraPorts": [{"name": "x", "port": 1}]}),
            json!({"extraPorts": [{"name": "http", "port": 1}]}),
            json!({"extraPorts": [{"name": "x", "port": 1, "targetPort": "nowhere"}]}),
            json!({"extraPorts": null}),
            json!({"preview": true}),
            json!({"preview": null}),
            json!({"labels": {"team": "a"}, "trafficDistribution": "PreferClose"}),
            json!({"ipFamilyPolicy": "RequireDualStack"}),
            json!({"type": "LoadBalancer", "loadBalancerSourceRanges": ["999.0.2.0/24"]}),
            Value::Null,
        ],
    );
    if random.below(4) == 0 {
        return json!({"service": service, "appProtocol": pick(random, &[json!("http"), json!("not a protocol"), Value::Null])});
    }
    json!({ "service": service })
}

fn annotations(annotations: Value) -> Value {
    json!({"template": {"metadata": {"annotations": annotations}}})
}

fn pods(random: &mut Random) -> Value {
    let of = color(random);
    let mut patch = pick(
        random,
        &[
            annotations(json!({"test.bluegreen.dev/ready": "never"})),
            annotations(json!({"test.bluegreen.dev/ready": "never"})),
            annotations(json!({"test.bluegreen.dev/ready": null})),
            annotations(json!({"test.bluegreen.dev/ready-after": "2s"})),
            annotations(json!({"test.bluegreen.dev/stop-after": "2s"})),
            annotations(Value::Null),
            json!({"readinessProbe": {"httpGet": {"path": "/nowhere", "port": "no-such-port"}}}),
            json!({"readinessProbe": {"httpGet": {"path": "not a path", "host": "not a host!"}}}),
            json!({"readinessProbe": {"httpGet": {"httpHeaders": [{"name": "not a header", "value": "x"}]}}}),
            json!({"readinessProbe": {"httpGet": null, "exec": {"command": ["/bin/false"]}}}),
            json!({"readinessProbe": {"httpGet": null, "grpc": {"port": 1}}}),
            json!({"readinessProbe": {"periodSeconds": 2_147_483_647, "timeoutSeconds": 2_147_483_647}}),
            json!({"readinessProbe": {"periodSeconds": 0}}),
            json!({"readinessProbe": {"tcpSocket": {}, "exec": {"command": ["x"]}}}),
            json!({"readinessProbe": null}),
            json!({"template": {"spec": {"nodeSelector": {"no": "such-node"}}}}),
            json!({"template": {"spec": {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1000000"}}}]}}}),
            json!({"template": {"spec": {"serviceAccountName": "nobody"}}}),
            json!({"template": {"spec": {"terminationGracePeriodSeconds": 9_223_372_036_854_775_807_u64}}}),
            json!({"template": null}),
        ],
    );
    // Its own block makes a color take it over.
    if random.below(2) == 0 {
        merge(&mut patch, json!({of: {"tag": tag(random)}}));
    }
    patch
}

/// What the schema lets through and the API server refuses, or admission.
fn broken_template(random: &mut Random) -> Value {
    let app = |fields: Value| {
        let mut container = json!({"name": "app"});
        merge(&mut container, fields);
        json!({"containers": [container]})
    };
    let spec = pick(
        random,
        &[
            app(json!({"volumeMounts": [{"name": "no-such-volume", "mountPath": "/x"}]})),
            app(json!({"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}})),
            app(json!({"resources": {"limits": {"cpu": "banana"}}})),
            app(json!({"resources": {"limits": {"cpu": "-1"}}})),
            app(json!({"ports": [{"containerPort": 8888}]})),
            app(json!({"ports": [{"containerPort": 70_000}]})),
            app(
                json!({"ports": [{"containerPort": 9000, "name": "a"}, {"containerPort": 9001, "name": "a"}]}),
            ),
            app(json!({"imagePullPolicy": "Sometimes"})),
            app(json!({"image": "x"})),
            app(json!({"lifecycle": {"preStop": {}}})),
            app(json!({"securityContext": {"runAsUser": -1}})),
            app(json!({"terminationMessagePath": "\u{0}"})),
            json!({"containers": [{"name": "Not A Name", "image": "x"}]}),
            json!({"containers": [{"name": "proxy"}]}),
            json!({"containers": [{"name": "proxy", "image": "x"}, {"name": "proxy", "image": "y"}]}),
            json!({"containers": [{"name": "", "image": "x"}]}),
            json!({"initContainers": [{"name": "app", "image": "x"}]}),
            json!({"initContainers": [{"name": "init"}]}),
            json!({"volumes": [{"name": "x"}, {"name": "y", "emptyDir": {}, "hostPath": {"path": "/"}}]}),
            json!({"volumes": [{"name": "x", "emptyDir": {"sizeLimit": "big"}}]}),
            json!({"restartPolicy": "Never"}),
            json!({"dnsPolicy": "Nope"}),
            json!({"hostNetwork": true}),
            json!({"priorityClassName": "no-such-class"}),
            json!({"runtimeClassName": "no-such-class"}),
            json!({"tolerations": [{"operator": "Exists", "effect": "Nope"}]}),
            json!({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "x", "whenUnsatisfiable": "DoNotSchedule"}]}),
            json!({"hostname": "Not.A.Name"}),
            json!({"activeDeadlineSeconds": 1}),
        ],
    );
    let of = color(random);
    let mut patch = json!({"template": {"spec": spec}});
    if random.below(4) == 0 {
        patch = json!({"template": {"metadata": {"labels": pick(random, &[
            json!({"not a key!": "x"}), json!({"a": "not a value!"}), json!({"bluegreen.dev/color": "green"}),
            json!({"pod-template-hash": "x"}), json!({"a": "x".repeat(64)}),
        ])}}});
    }
    if random.below(2) == 0 {
        merge(&mut patch, json!({of: {"tag": tag(random)}}));
    }
    patch
}

fn standby(random: &mut Random) -> Value {
    let standby = pick(
        random,
        &[
            json!({"replicas": 0}),
            json!({"replicas": 1}),
            json!({"replicas": 2_147_483_647}),
            json!({"replicas": -1}),
            json!({"scaleDownAfterSeconds": 0}),
            json!({"scaleDownAfterSeconds": 1}),
            json!({"scaleDownAfterSeconds": 2_147_483_647}),
            json!({"replicas": null}),
            json!({}),
            Value::Null,
        ],
    );
    let mut patch = Map::new();
    patch.insert("standby".to_owned(), standby);
    Value::Object(patch)
}

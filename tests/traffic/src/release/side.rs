//! What a user of each controller declares, and does for a release. Data only.

use bluegreen_api::Color;
use serde_json::{Value, json};

use crate::rows::version;

/// Seconds after the switch before the first measurement, so that the rate is one of the new version's own traffic.
const DELAY: u32 = 10;

/// Seconds from one measurement to the next.
const PERIOD: u32 = 2;

/// Seconds for which it is measured.
const FOR: u32 = 30;

/// Bad measurements that are allowed.
const ALLOWED: u32 = 2;

/// The largest share of failed requests that is good.
const MOST: &str = "0.01";

const IMAGE: &str = "docker.io/library/hello";

/// The version that fails.
const BAD: &str = "v2.0.0-bad";

/// Who switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This operator.
    Ours,
    /// Argo Rollouts.
    Argo,
}

impl Side {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "bluegreen-operator",
            Self::Argo => "Argo Rollouts",
        }
    }

    /// The kind of its app, as kubectl knows it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Ours => "bga",
            Self::Argo => "rollout",
        }
    }

    /// The label that tells the pods of two versions apart, in the live Service's selector, too.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ours => "bluegreen.dev/color",
            Self::Argo => "rollouts-pod-template-hash",
        }
    }

    /// What the user applies: the good version.
    pub fn objects(self, port: u16, prometheus: &str) -> Vec<Value> {
        let address = format!("http://{prometheus}");
        match self {
            Self::Ours => vec![app(port, &address)],
            Self::Argo => argo(port, &address),
        }
    }

    /// The edit that makes a bad version with new pods live.
    pub fn release(self, turn: usize) -> Value {
        let turn = turn.to_string();
        match self {
            Self::Ours => json!({"spec": {"active": "green", "green": {"revision": turn}}}),
            Self::Argo => json!({"spec": {"template": pods(BAD, &turn)}}),
        }
    }

    /// The edit that gives up on it, so that the next release is a new one.
    pub fn give_up(self) -> Value {
        match self {
            Self::Ours => json!({"spec": {"active": "blue"}}),
            Self::Argo => json!({"spec": {"template": pods(version(Color::Blue.as_str()), "good")}}),
        }
    }

    /// The app is as its newest edit asks.
    pub fn serves(self, app: &Value) -> bool {
        let generation = &app["metadata"]["generation"];
        match self {
            Self::Ours => ["Ready", "StandbyReady"].iter().all(|kind| is_true(app, kind, generation)),
            // A number in a string.
            Self::Argo => {
                app["status"]["phase"] == "Healthy"
                    && app["status"]["observedGeneration"].as_str() == Some(&generation.to_string())
            }
        }
    }

    /// What serves is something to go back to.
    pub fn is_proven(self, app: &Value) -> bool {
        match self {
            Self::Ours => {
                let passed = |check: &Value| check["color"] == "blue" && check["result"] == "Passed";
                let checks = app["status"]["checks"].as_array();
                checks.is_some_and(|all| all.iter().all(passed))
                    && app["status"]["blue"]["unprovenRevision"].is_null()
            }
            // Its analysis is of updates alone.
            Self::Argo => self.serves(app),
        }
    }

    /// The app says that the release has failed.
    pub fn blames(self, app: &Value) -> bool {
        match self {
            Self::Ours => is_true(app, "Stalled", &app["metadata"]["generation"]),
            Self::Argo => app["status"]["abort"] == true && app["status"]["phase"] == "Degraded",
        }
    }
}

fn is_true(app: &Value, kind: &str, generation: &Value) -> bool {
    let all = app["status"]["conditions"].as_array().into_iter().flatten();
    all.filter(|it| it["type"] == kind)
        .any(|it| it["status"] == "True" && it["observedGeneration"] == *generation)
}

/// The share of failed requests among those that the series with these labels count.
fn share(labels: &str) -> String {
    let sum = |more: &str| format!("sum(rate(hello_requests_total{{{labels}{more}}}[10s]))");
    format!("{} / {}", sum(r#",code="500""#), sum(""))
}

fn app(port: u16, prometheus: &str) -> Value {
    json!({
        "apiVersion": "bluegreen.dev/v1alpha1",
        "kind": "BlueGreenApp",
        "metadata": {"name": "hello"},
        "spec": {
            "active": "blue",
            "image": IMAGE,
            "blue": {"tag": version(Color::Blue.as_str())},
            "green": {"tag": BAD},
            "replicas": 3,
            "port": 8888,
            "service": {"type": "NodePort", "nodePort": port},
            "drainSeconds": 5,
            "readinessProbe": {"httpGet": {"path": "/healthz"}, "periodSeconds": 1},
            "checks": [{
                "name": "errors",
                "when": "After",
                "prometheus": {
                    "address": prometheus,
                    "query": share(r#"namespace="$(BLUEGREEN_NAMESPACE)",color="$(BLUEGREEN_COLOR)""#),
                    "max": MOST,
                    "delaySeconds": DELAY,
                    "periodSeconds": PERIOD,
                    "forSeconds": FOR,
                    "maxFailures": ALLOWED,
                },
            }],
        },
    })
}

fn pods(tag: &str, turn: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "hello"}, "annotations": {"turn": turn}},
        "spec": {"containers": [{
            "name": "app",
            "image": format!("{IMAGE}:{tag}"),
            "ports": [{"name": "http", "containerPort": 8888}],
            "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        }]},
    })
}

fn argo(port: u16, prometheus: &str) -> Vec<Value> {
    let service = |name: &str, more: Value| {
        let mut spec = json!({"selector": {"app": "hello"}, "ports": [{"name": "http", "port": 8888, "targetPort": "http"}]});
        for (key, value) in more.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    };
    let mut live = service("hello", json!({"type": "NodePort"}));
    live["spec"]["ports"][0]["nodePort"] = json!(port);
    vec![
        live,
        service("hello-preview", json!({})),
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": {"name": "errors"},
            "spec": {
                "args": [{"name": "hash"}],
                "metrics": [{
                    "name": "errors",
                    "initialDelay": format!("{DELAY}s"),
                    "interval": format!("{PERIOD}s"),
                    "count": FOR / PERIOD + 1,
                    "failureLimit": ALLOWED,
                    "successCondition": format!("result[0] <= {MOST}"),
                    "provider": {"prometheus": {"address": prometheus, "query": share(r#"hash="{{args.hash}}""#)}},
                }],
            },
        }),
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {"name": "hello"},
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {"app": "hello"}},
                "template": pods(version(Color::Blue.as_str()), "good"),
                "strategy": {"blueGreen": {
                    "activeService": "hello",
                    "previewService": "hello-preview",
                    "postPromotionAnalysis": {
                        "templates": [{"templateName": "errors"}],
                        "args": [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}],
                    },
                }},
            },
        }),
    ]
}

#[cfg(test)]
mod tests {
    use bluegreen_api::BlueGreenApp;

    use super::*;

    #[test]
    fn is_our_app_one_that_the_operator_understands_and_do_both_ask_the_same() {
        let app: BlueGreenApp = serde_json::from_value(app(30_100, "http://127.0.0.1:9090")).unwrap();
        let query = app.spec.checks[0].prometheus.as_ref().map(|it| it.query.clone()).unwrap();
        let theirs = argo(30_100, "http://127.0.0.1:9090");
        let metric = &theirs[2]["spec"]["metrics"][0];
        let theirs = metric["provider"]["prometheus"]["query"].as_str().unwrap();
        let ours = query.replace(
            r#"namespace="$(BLUEGREEN_NAMESPACE)",color="$(BLUEGREEN_COLOR)""#,
            r#"hash="{{args.hash}}""#,
        );
        assert_eq!(ours, theirs);
        assert_eq!(metric["count"], 16);
    }
}

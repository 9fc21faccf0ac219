//! The apps, their checks, and how each check is to end. Data only.

use anyhow::{Context, Result, ensure};
use bluegreen_api::CheckResult::{self, Failed, Inconclusive, Passed};
use bluegreen_api::CheckStatus;
use serde_json::{Value, json};

/// Seconds until a check that can't tell is given up: the least for the short forms. Where there is a verdict, the default leaves a
/// busy machine its time.
const DEADLINE: i32 = 60;

/// One app with its checks.
pub struct Story {
    pub app: &'static str,
    pub rows: Vec<Row>,
    pub end: End,
}

/// How an app is in the end: the live color, and a condition that is True for this reason.
#[derive(Clone, Copy)]
pub struct End {
    pub live: &'static str,
    pub condition: &'static str,
    pub reason: &'static str,
}

const PASSED: End = End { live: "green", condition: "Ready", reason: "Serving" };
const FAILED: End = End { live: "blue", condition: "Stalled", reason: "CheckFailed" };
const CANNOT_TELL: End = End { live: "blue", condition: "Stalled", reason: "CheckInconclusive" };

/// One check.
pub struct Row {
    check: Value,
    result: CheckResult,
    /// What its message says: one of these.
    words: &'static [&'static str],
    /// The exit code with which each of its containers ends, and the kubelet's reason for one at the least: containerd tells of memory
    /// that ran out apart from the end of the container, and where it comes late, the kubelet says "Error".
    pub tries: Option<(i32, &'static str)>,
}

impl Row {
    fn passes(check: Value) -> Self {
        Self { check, result: Passed, words: &["expected number of succeeded pods"], tries: None }
    }

    fn fails(check: Value, words: &'static [&'static str]) -> Self {
        Self { check, result: Failed, words, tries: None }
    }

    /// Can't tell, by its deadline. Two look at the clock: the operator and the Job controller.
    fn late(mut check: Value) -> Self {
        check["deadlineSeconds"] = json!(DEADLINE);
        let words = &["no verdict within", "active longer than specified deadline"];
        Self { check, result: Inconclusive, words, tries: None }
    }

    /// As [`Row::late`], after several tries that end like this.
    fn tried(check: Value, code: i32, reason: &'static str) -> Self {
        Self { tries: Some((code, reason)), ..Self::late(check) }
    }

    pub fn name(&self) -> &str {
        self.check["name"].as_str().unwrap_or_default()
    }

    /// Whether the status says what is expected.
    pub fn judge(&self, entry: Option<&CheckStatus>) -> Result<()> {
        let entry = entry.with_context(|| format!("nothing of {}", self.name()))?;
        ensure!(entry.result == self.result, "{}: not {:?}", self.name(), self.result);
        let message = entry.message.as_deref().unwrap_or_default();
        let says = self.words.iter().any(|words| message.contains(words));
        ensure!(says, "{}: none of {:?} is in {message:?}", self.name(), self.words);
        Ok(())
    }
}

impl Story {
    pub fn object(&self) -> Value {
        json!({
            "apiVersion": "bluegreen.dev/v1alpha1",
            "kind": "BlueGreenApp",
            "metadata": {"name": self.app},
            "spec": {
                "active": "blue",
                "image": "docker.io/library/hello",
                "blue": {"tag": "v1.0.0"},
                "green": {"tag": "v2.0.0"},
                "replicas": 1,
                "port": 8888,
                "service": {"type": "ClusterIP"},
                "drainSeconds": 1,
                "readinessProbe": {"httpGet": {"path": "/healthz"}, "periodSeconds": 1},
            },
        })
    }

    pub fn checks(&self) -> Vec<&Value> {
        self.rows.iter().map(|row| &row.check).collect()
    }
}

/// A check with a container of its own before the switch.
fn job(name: &str, mut container: Value) -> Value {
    container["name"] = json!("c");
    let pods = json!({
        "metadata": {"labels": {"check": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    });
    json!({"name": name, "when": "Before", "job": {"template": pods}})
}

/// The color's own image, which ends with 0 once it is told to stop. A busy machine has the time for that that Kubernetes' default
/// leaves it: otherwise it is killed, and has failed.
fn of_color(name: &str) -> Value {
    // Otherwise, it serves on for as long as the kubelet waits at the least, and it is chance whether it is killed.
    let mut check = job(name, json!({"env": [{"name": "SHUTDOWN_DELAY_SECONDS", "value": "0"}]}));
    check["job"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(30);
    check
}

/// Runs `ends` with these arguments.
fn ends(name: &str, arguments: &[&str]) -> Value {
    job(name, json!({"image": "localhost/ends:1", "args": arguments}))
}

/// A short form that measures once before the switch.
fn before(name: &str, form: &str, fields: Value) -> Value {
    json!({"name": name, "when": "Before", form: fields})
}

/// A short form that measures for ten seconds after the switch.
fn after(name: &str, form: &str, mut fields: Value) -> Value {
    for (key, value) in [("delaySeconds", 0), ("periodSeconds", 2), ("forSeconds", 10)] {
        fields[key] = json!(value);
    }
    json!({"name": name, "when": "After", form: fields})
}

/// All of them; `prometheus` is the address of one.
pub fn all(prometheus: &str) -> Vec<Story> {
    let story = |app, end, rows| Story { app, rows, end };
    let ask = |address: &str, query: &str, max: &str| json!({"address": format!("http://{address}"), "query": query, "max": max, "timeoutSeconds": 5});
    let query = |text: &str, max: &str| ask(prometheus, text, max);
    let page = |version: &str| json!({ "contains": format!("Version: {version}") });
    let own = "localhost/ends:1";
    let memory = json!({"image": own, "args": ["memory"], "resources": {"limits": {"memory": "32Mi"}}});
    let tell = vec![
        // One that passes is not enough while others can't tell.
        Row::passes(ends("exit-0", &["exit", "0"])),
        Row::tried(ends("exit-75", &["exit", "75"]), 75, "Error"),
        Row::tried(ends("exit-126", &["exit", "126"]), 126, "Error"),
        Row::tried(ends("exit-127", &["exit", "127"]), 127, "Error"),
        Row::tried(ends("exit-143", &["exit", "143"]), 143, "Error"),
        Row::tried(
            job("no-command", json!({"image": own, "command": ["/no/such/command"]})),
            128,
            "StartError",
        ),
        Row::tried(job("memory", memory), 137, "OOMKilled"),
        Row::late(job("no-image", json!({"image": "registry.invalid/team/check:1"}))),
    ];
    let late = vec![
        // Does not listen to SIGTERM, and is killed.
        Row::late(ends("no-end", &["later", "3600", "0"])),
        // The color's own image: told to stop at the deadline, it exits with 0.
        Row::late(of_color("ends-well")),
        // The same, evicted: Kubernetes believes an exit code of 0, whatever led to it.
        Row::passes(of_color("gentle")),
        Row::tried(before("no-series", "prometheus", query("absent_series", "1")), 75, "Error"),
        Row::tried(before("nobody", "prometheus", ask("127.0.0.1:1", "vector(1)", "1")), 75, "Error"),
    ];
    let good = vec![
        // What asks green gets green's answer, before the switch and after it.
        Row::passes(before("page", "http", page("v2.0.0"))),
        Row::passes(before("query", "prometheus", query("vector(1)", "1"))),
        Row::passes(ends("exit-0", &["exit", "0"])),
        // Long enough to be seen as it runs, also by a busy machine.
        Row::passes(ends("evicted", &["later", "30", "0"])),
        Row::passes(after("live", "http", page("v2.0.0"))),
        Row::passes(after("rate", "prometheus", query("vector(1)", "1"))),
    ];
    let other = Row {
        result: Inconclusive,
        ..Row::fails(ends("other", &["later", "3600", "0"]), &["another check has failed"])
    };
    let exits = |code: &str, words| Row::fails(ends("exits", &["exit", code]), words);
    vec![
        story("tell", CANNOT_TELL, tell),
        story("late", CANNOT_TELL, late),
        story("exit-1", FAILED, vec![exits("1", &["exit code 1 "]), other]),
        story("exit-2", FAILED, vec![exits("2", &["exit code 2 "])]),
        story("exit-255", FAILED, vec![exits("255", &["exit code 255 "])]),
        story("page", FAILED, vec![Row::fails(before("page", "http", page("v3.0.0")), &["exit code 1 "])]),
        story(
            "query",
            FAILED,
            vec![Row::fails(before("query", "prometheus", query("vector(1)", "0.5")), &["exit code 1 "])],
        ),
        story("good", PASSED, good),
        story("back", FAILED, vec![Row::fails(after("live", "http", page("v1.0.0")), &["exit code 1 "])]),
    ]
}

//! The pods of a check's Job.

use serde_json::{Map, Value, json};

use super::Asked;
use crate::desired::canonical::as_json;
use crate::desired::names;
use crate::plan::Run;
use bluegreen_api::{BlueGreenApp, Check, CheckTime, HttpCheck, JobCheck, Pace, PrometheusCheck, Scheme};

/// Where the files of a query are mounted.
const TOKEN_FOLDER: &str = "/var/run/bluegreen/token";
const CA_FOLDER: &str = "/var/run/bluegreen/ca";

/// Returns the pod template of a check's Job.
pub(super) fn template(app: &BlueGreenApp, run: &Run, check: &Check, asked: &Asked<'_>) -> Value {
    let place = Place::of(app, run, check.when);
    let mut template = match (&check.job, &check.http, &check.prometheus) {
        (Some(job), _, _) => own(job),
        (None, Some(http), _) => {
            short_form(app, asked, &http_args(http, check.when, &place, asked), &Files::default())
        }
        (None, None, Some(query)) => {
            let (args, files) = query_args(query, check.when);
            short_form(app, asked, &args, &files)
        }
        (None, None, None) => json!({ "spec": { "containers": [] } }),
    };
    let variables = variables(app, run, asked, &place);
    for list in ["initContainers", "containers"] {
        let containers = template.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            complete(container, &variables, asked.image);
        }
    }
    template["spec"]["restartPolicy"] = json!("Never");
    template
}

/// The Service that is asked.
struct Place {
    host: String,
    port: i32,
}

impl Place {
    fn of(app: &BlueGreenApp, run: &Run, when: CheckTime) -> Self {
        let name = app.metadata.name.as_deref().unwrap_or_default();
        let namespace = app.metadata.namespace.as_deref().unwrap_or("default");
        let service = match when {
            CheckTime::Before => names::color_service_name(name, run.color),
            CheckTime::After => names::live_service_name(name),
        };
        Self { host: format!("{service}.{namespace}.svc"), port: app.spec.service_port() }
    }
}

/// The pods that the user describes.
fn own(job: &JobCheck) -> Value {
    as_json(&job.template)
}

/// What each container of a check knows. Kubernetes expands `$(NAME)` in what comes after.
fn variables(app: &BlueGreenApp, run: &Run, asked: &Asked<'_>, place: &Place) -> Vec<Value> {
    let tag = asked.image.rsplit_once('/').map_or(asked.image, |(_, name)| name);
    let tag = tag.split_once('@').map_or(tag, |(name, _)| name).split_once(':').map_or("", |(_, tag)| tag);
    let url = format!("http://{}:{}", place.host, place.port);
    let revision = run.revision.to_string();
    [
        ("BLUEGREEN_APP", app.metadata.name.as_deref().unwrap_or_default()),
        ("BLUEGREEN_NAMESPACE", app.metadata.namespace.as_deref().unwrap_or("default")),
        ("BLUEGREEN_COLOR", run.color.as_str()),
        ("BLUEGREEN_REVISION", &revision),
        ("BLUEGREEN_IMAGE", asked.image),
        ("BLUEGREEN_TAG", tag),
        ("BLUEGREEN_URL", &url),
    ]
    .map(|(name, value)| json!({ "name": name, "value": value }))
    .to_vec()
}

/// Adds what the user need not write: the variables, in front of the container's own, and the color's image.
fn complete(container: &mut Value, variables: &[Value], image: &str) {
    let Some(fields) = container.as_object_mut() else { return };
    let own = fields.get("env").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_own = |name: Option<&Value>| own.iter().any(|it| it.get("name") == name);
    let added = variables.iter().filter(|it| !is_own(it.get("name"))).cloned();
    let env: Vec<Value> = added.chain(own.iter().cloned()).collect();
    fields.insert("env".to_owned(), Value::Array(env));
    fields.entry("image").or_insert_with(|| json!(image));
}

/// What is mounted for a query.
#[derive(Default)]
struct Files {
    volumes: Vec<Value>,
    mounts: Vec<Value>,
}

impl Files {
    fn add(&mut self, name: &str, folder: &str, source: (&str, Value)) {
        let mut volume = Map::new();
        volume.insert("name".to_owned(), json!(name));
        volume.insert(source.0.to_owned(), source.1);
        self.volumes.push(Value::Object(volume));
        self.mounts.push(json!({ "name": name, "mountPath": folder, "readOnly": true }));
    }
}

/// The pods of a short form: the operator's own image with nothing that a check does not need.
fn short_form(app: &BlueGreenApp, asked: &Asked<'_>, args: &[String], files: &Files) -> Value {
    let secrets =
        app.spec.template.as_ref().and_then(|template| template.spec.as_ref()?.image_pull_secrets.as_ref());
    json!({
        // A mesh's proxy would keep the pod running after the check is over.
        "metadata": { "labels": { "sidecar.istio.io/inject": "false" }, "annotations": { "sidecar.istio.io/inject": "false" } },
        "spec": {
            "automountServiceAccountToken": false,
            "enableServiceLinks": false,
            "imagePullSecrets": as_json(&secrets.cloned().unwrap_or_default()),
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "terminationGracePeriodSeconds": 5,
            "volumes": files.volumes,
            "containers": [{
                "name": "check",
                "image": asked.checker,
                "args": args,
                "resources": { "requests": { "cpu": "10m", "memory": "16Mi" }, "limits": { "memory": "64Mi" } },
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
                "volumeMounts": files.mounts,
            }],
        },
    })
}

/// One flag. Kubernetes expands `$(NAME)` in it.
fn flag(name: &str, value: &str) -> String {
    format!("--{name}={value}")
}

/// One flag whose value arrives as it is: a doubled dollar sign stands for one.
fn verbatim(name: &str, value: &str) -> String {
    flag(name, &value.replace('$', "$$"))
}

fn pace(pace: &Pace, when: CheckTime) -> [String; 5] {
    [
        flag("delay-seconds", &pace.delay(when).to_string()),
        flag("period-seconds", &pace.period().to_string()),
        flag("timeout-seconds", &pace.timeout().to_string()),
        flag("for-seconds", &pace.lasts(when).to_string()),
        flag("max-failures", &pace.tolerated().to_string()),
    ]
}

fn http_args(http: &HttpCheck, when: CheckTime, place: &Place, asked: &Asked<'_>) -> Vec<String> {
    let HttpCheck { path, scheme, http_headers, status, contains, max_milliseconds, .. } = http;
    let scheme = match scheme {
        Some(Scheme::Https) => "https",
        Some(Scheme::Http) | None => "http",
    };
    let address = match asked.address {
        Some(address) if address.contains(':') => format!("[{address}]"),
        Some(address) => address.to_owned(),
        None => place.host.clone(),
    };
    let path = path.as_deref().unwrap_or("/");
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut args = vec!["check".to_owned(), "http".to_owned()];
    args.push(flag("url", &format!("{scheme}://{address}:{}{slash}{path}", place.port)));
    // As a browser does: the port is left out where it is the scheme's own.
    let is_usual = (scheme, place.port) == ("http", 80) || (scheme, place.port) == ("https", 443);
    let host = if is_usual { place.host.clone() } else { format!("{}:{}", place.host, place.port) };
    args.push(flag("host", &host));
    args.extend(
        http_headers.iter().map(|header| flag("header", &format!("{}: {}", header.name, header.value))),
    );
    args.extend(status.as_deref().map(|status| flag("status", status)));
    args.extend(contains.as_deref().map(|text| flag("contains", text)));
    args.extend(max_milliseconds.map(|limit| flag("max-milliseconds", &limit.to_string())));
    args.extend(pace(&http.pace(), when));
    args
}

fn query_args(query: &PrometheusCheck, when: CheckTime) -> (Vec<String>, Files) {
    let query_pace = query.pace();
    let PrometheusCheck { address, query, min, max, token_secret, ca, .. } = query;
    let mut files = Files::default();
    let mut args = vec!["check".to_owned(), "prometheus".to_owned()];
    args.push(flag("address", address));
    // The program expands the names itself, as label values.
    args.push(verbatim("query", query));
    args.extend(min.as_deref().map(|min| flag("min", min)));
    args.extend(max.as_deref().map(|max| flag("max", max)));
    if let Some(secret) = token_secret {
        let items = json!([{ "key": secret.key, "path": "token" }]);
        files.add("token", TOKEN_FOLDER, ("secret", json!({ "secretName": secret.name, "items": items })));
        args.push(flag("token-file", &format!("{TOKEN_FOLDER}/token")));
    }
    if let Some(ca) = ca {
        let items = json!([{ "key": ca.key, "path": "ca.crt" }]);
        files.add("ca", CA_FOLDER, ("configMap", json!({ "name": ca.config_map, "items": items })));
        args.push(flag("ca-file", &format!("{CA_FOLDER}/ca.crt")));
    }
    args.extend(pace(&query_pace, when));
    (args, files)
}

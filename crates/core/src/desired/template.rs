//! The pod template: the overlay (`spec.template`), completed by what the operator adds.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, ExecAction, GRPCAction, HTTPGetAction, HTTPHeader, Lifecycle,
    LifecycleHandler, PodSpec, PodTemplateSpec, Probe, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::own::{self, Values};
use super::{env, names};
use bluegreen_api::{
    APP_CONTAINER, Color, ExecProbe, GrpcProbe, HttpGetProbe, HttpHeader, ReadinessProbe, Scheme, TcpProbe,
    Template, TemplateMetadata,
};

/// The longest default `preStop` sleep, in seconds.
///
/// kube-proxy syncs about once a second (the latest connection to an old pod that was measured came 0.94 s after the
/// change), so this covers a few of its syncs. A load balancer outside the cluster may need longer. Then the overlay
/// has to say so.
const PRE_STOP_SECONDS: i64 = 5;

/// The shortest default grace period, in seconds. It is also Kubernetes' own default.
const GRACE_SECONDS: i64 = 30;

/// Everything that the pod template of a color depends on.
pub(super) struct Inputs<'a> {
    pub app: &'a str,
    pub color: Color,
    pub image: String,
    pub tag: &'a str,
    pub env: &'a [EnvVar],
    pub port: i32,
    pub port_name: &'a str,
    pub probe: &'a ReadinessProbe,
    pub overlay: Option<&'a Template>,
    pub drain_seconds: i32,
}

/// Returns the completed pod template.
///
/// The overlay's container `app` is the base for the app's own container. Nothing else is merged, so nothing else can
/// be merged wrongly.
pub(super) fn pod_template(inputs: Inputs<'_>) -> PodTemplateSpec {
    let Inputs { app, color, image, tag, env, port, port_name, probe, overlay, drain_seconds } = inputs;
    let Template { metadata, spec } = overlay.cloned().unwrap_or_default();

    let mut pods = spec.unwrap_or_default();
    let grace = pods.termination_grace_period_seconds;
    let container = app_container(&mut pods);
    container.image = Some(image);
    container.readiness_probe = Some(readiness_probe(probe, port));
    add_port(container, port, port_name);
    env::add(container, env);
    let sleep = pre_stop_sleep(container, grace, drain_seconds);
    let image = container.image.clone().unwrap_or_default();
    own::complete(&mut pods, &Values { app, color: color.as_str(), image: &image, tag });
    // The API server stores the value under both names. So both are declared: a name that is not declared would bring
    // the value back after it was removed from the overlay.
    let account = pods.service_account_name.take().or(pods.service_account.take());
    pods.service_account.clone_from(&account);
    pods.service_account_name = account;
    pods.termination_grace_period_seconds =
        Some(grace.unwrap_or_else(|| GRACE_SECONDS.max(sleep.saturating_add(drain_seconds.into()))));

    let TemplateMetadata { labels, annotations } = metadata.unwrap_or_default();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels_of(labels, app, color)),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(pods),
    }
}

/// Returns the labels of the pods. The operator's labels replace those of the overlay, so that the overlay can't take
/// a pod out of its Deployment's selector.
fn labels_of(mut labels: BTreeMap<String, String>, app: &str, color: Color) -> BTreeMap<String, String> {
    labels.entry(names::KUBE_NAME.to_owned()).or_insert_with(|| app.to_owned());
    labels.insert(names::APP.to_owned(), app.to_owned());
    labels.insert(names::COLOR.to_owned(), color.to_string());
    labels
}

/// Returns the container `app`. If the overlay has none, it is added as the first one, because `kubectl logs` shows
/// the first container by default.
fn app_container(pods: &mut PodSpec) -> &mut Container {
    let index = match pods.containers.iter().position(|container| container.name == APP_CONTAINER) {
        Some(index) => index,
        None => {
            pods.containers.insert(0, Container { name: APP_CONTAINER.to_owned(), ..Container::default() });
            0
        }
    };
    &mut pods.containers[index]
}

fn add_port(container: &mut Container, port: i32, name: &str) {
    let ports = container.ports.get_or_insert_default();
    // Admission refuses a port with the same name or number, but a CRD older than that rule does not.
    ports.retain(|other| {
        let tcp = other.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
        other.name.as_deref() != Some(name) && !(tcp && other.container_port == port)
    });
    ports.insert(
        0,
        ContainerPort {
            container_port: port,
            name: Some(name.to_owned()),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        },
    );
}

/// Adds the default sleep if the overlay has no `preStop`, and returns how long the container sleeps, in seconds.
///
/// The `sleep` action needs no program in the image. Kubernetes enables it by default since 1.30.
fn pre_stop_sleep(container: &mut Container, grace: Option<i64>, drain_seconds: i32) -> i64 {
    if let Some(given) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref()) {
        return given.sleep.as_ref().map_or(0, |sleep| sleep.seconds.max(0));
    }
    // Kubernetes refuses a sleep that is longer than the grace period, and before 1.33 also one of zero seconds.
    let seconds = PRE_STOP_SECONDS.min(drain_seconds.into()).min(grace.unwrap_or(i64::MAX));
    if seconds < 1 {
        return 0;
    }
    let handler = LifecycleHandler { sleep: Some(SleepAction { seconds }), ..LifecycleHandler::default() };
    container.lifecycle.get_or_insert_with(Lifecycle::default).pre_stop = Some(handler);
    seconds
}

fn readiness_probe(probe: &ReadinessProbe, app_port: i32) -> Probe {
    let ReadinessProbe {
        http_get,
        tcp_socket,
        grpc,
        exec,
        initial_delay_seconds,
        period_seconds,
        timeout_seconds,
        success_threshold,
        failure_threshold,
    } = probe;
    let default_port = || IntOrString::Int(app_port);
    let mut rendered = Probe {
        http_get: http_get.as_ref().map(|probe| http_get_action(probe, app_port)),
        tcp_socket: tcp_socket.as_ref().map(|TcpProbe { port, host }| TCPSocketAction {
            host: host.clone(),
            port: port.clone().unwrap_or_else(default_port),
        }),
        grpc: grpc.as_ref().map(|GrpcProbe { port, service }| GRPCAction {
            port: port.unwrap_or(app_port),
            service: service.clone(),
        }),
        exec: exec.as_ref().map(|ExecProbe { command }| ExecAction { command: Some(command.clone()) }),
        initial_delay_seconds: *initial_delay_seconds,
        period_seconds: *period_seconds,
        timeout_seconds: *timeout_seconds,
        success_threshold: *success_threshold,
        failure_threshold: *failure_threshold,
        termination_grace_period_seconds: None,
    };
    if http_get.is_none() && tcp_socket.is_none() && grpc.is_none() && exec.is_none() {
        rendered.http_get = Some(http_get_action(&HttpGetProbe::default(), app_port));
    }
    rendered
}

fn http_get_action(probe: &HttpGetProbe, app_port: i32) -> HTTPGetAction {
    let HttpGetProbe { path, port, scheme, host, http_headers } = probe;
    let headers = http_headers
        .iter()
        .map(|HttpHeader { name, value }| HTTPHeader { name: name.clone(), value: value.clone() });
    HTTPGetAction {
        path: Some(path.clone().unwrap_or_else(|| "/".to_owned())),
        port: port.clone().unwrap_or(IntOrString::Int(app_port)),
        scheme: scheme.map(|scheme| match scheme {
            Scheme::Http => "HTTP".to_owned(),
            Scheme::Https => "HTTPS".to_owned(),
        }),
        host: host.clone(),
        http_headers: (!http_headers.is_empty()).then(|| headers.collect()),
    }
}

//! Live reads: everything about an app, from the API server.

use std::sync::Arc;

use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_core::desired::names;
use bluegreen_core::explain::is_late;
use bluegreen_core::observe::snapshot::{Proof, SERVICE_NAME, Snapshot, of_color, of_service};
use k8s_openapi::api::apps::v1::{ControllerRevision, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Client;
use kube::api::ListParams;

use crate::objects;

/// What is read only where somebody needs it.
#[derive(Clone, Copy, Debug)]
pub struct Extras {
    /// Who owns the pods: to prove that a color is ready.
    pub owners: bool,
    /// The Service of the idle color, also if the spec asks for none: there is one, or that is not known.
    pub preview: bool,
}

/// Reads everything about an app from the API server: quorum reads without resourceVersion, in parallel, so
/// each is at least as new as the moment of the call.
///
/// # Errors
/// Any read that fails; `Ok(None)` when the app is gone.
pub async fn live(
    client: &Client,
    namespace: &str,
    name: &str,
    extras: Extras,
) -> kube::Result<Option<Snapshot>> {
    let (blue, green) =
        (names::color_service_name(name, Color::Blue), names::color_service_name(name, Color::Green));
    let (blue_pods, green_pods) =
        (names::deployment_name(name, Color::Blue), names::deployment_name(name, Color::Green));
    let preview_name = names::preview_service_name(name);
    let ours = ListParams::default().labels(&format!("{}={name}", names::APP));
    let of_services = ListParams::default().labels(&format!("{SERVICE_NAME} in ({name},{blue},{green})"));

    let (
        app,
        service,
        early_preview,
        blue_service,
        green_service,
        blue_deployment,
        green_deployment,
        revisions,
        slices,
        proof,
    ) = futures::try_join!(
        objects::get::<BlueGreenApp>(client, namespace, name),
        objects::child(client, namespace, name),
        preview(client, namespace, &preview_name, extras.preview),
        objects::child(client, namespace, &blue),
        objects::child(client, namespace, &green),
        objects::child(client, namespace, &blue_pods),
        objects::child(client, namespace, &green_pods),
        objects::children::<ControllerRevision>(client, namespace, &ours),
        objects::children::<EndpointSlice>(client, namespace, &of_services),
        read_proof(client, namespace, &ours, extras.owners),
    )?;
    let Some(app) = app else { return Ok(None) };
    let app = app.0.map_err(|error| kube::Error::Service(error.into()))?;
    // The spec has just been edited.
    let is_late = !extras.preview && app.spec.service.preview;
    let preview = early_preview.or(preview(client, namespace, &preview_name, is_late).await?);
    let stored = Snapshot::sort_revisions(&app, revisions);
    let jobs = jobs(client, namespace, &ours, &app).await?;
    Ok(Some(Snapshot {
        app: Arc::new(app),
        service,
        preview,
        color_services: PerColor { blue: blue_service, green: green_service },
        deployments: PerColor { blue: blue_deployment, green: green_deployment },
        stored,
        live_slices: of_service(&slices, name),
        color_slices: PerColor { blue: of_service(&slices, &blue), green: of_service(&slices, &green) },
        jobs,
        proof,
    }))
}

/// The Service of the idle color, where it is to be read.
async fn preview(
    client: &Client,
    namespace: &str,
    name: &str,
    is_wanted: bool,
) -> kube::Result<Option<Arc<Service>>> {
    if is_wanted { objects::child(client, namespace, name).await } else { Ok(None) }
}

/// The Jobs of the app's checks, after the app itself: most apps have none, and are not to pay for a list.
async fn jobs(
    client: &Client,
    namespace: &str,
    ours: &ListParams,
    app: &BlueGreenApp,
) -> kube::Result<Option<Vec<Arc<Job>>>> {
    let has_had = app.status.as_ref().is_some_and(|status| !status.checks.is_empty());
    if app.spec.checks.is_empty() && !has_had {
        return Ok(None);
    }
    objects::children::<Job>(client, namespace, ours).await.map(Some)
}

async fn read_proof(
    client: &Client,
    namespace: &str,
    ours: &ListParams,
    prove: bool,
) -> kube::Result<PerColor<Option<Proof>>> {
    if !prove {
        return Ok(PerColor::default());
    }
    let (sets, pods) = futures::try_join!(
        objects::all_metadata::<ReplicaSet>(client, namespace, ours),
        objects::all_metadata::<Pod>(client, namespace, ours),
    )?;
    Ok(PerColor::from_fn(|color| {
        Some(Proof { replica_sets: of_color(&sets, color), pods: of_color(&pods, color) })
    }))
}

/// At most so many pods are read to say in words why they are not ready: those of one color mostly wait for the same thing.
const PODS: usize = 50;

/// Pods are read in pages of this size. A pod has up to 1.5 MB.
const PODS_AT_ONCE: u32 = 10;

/// A color's pods that have not ended, to say in words why they are not ready: the first fifty that are not, and as many others,
/// without what the words do not need.
///
/// # Errors
/// Any read that fails.
pub async fn pods(client: &Client, namespace: &str, name: &str, color: Color) -> kube::Result<Vec<Pod>> {
    let params = ListParams::default()
        .labels(&format!("{}={name},{}={color}", names::APP, names::COLOR))
        // Thousands of evicted pods may lie about.
        .fields("status.phase!=Failed,status.phase!=Succeeded");
    // Of many that are ready, the one that is not may be the last.
    let (mut late, mut others) = (0, 0);
    let keep = |pod: &mut Pod| {
        lighten(pod);
        let count = if is_late(pod) { &mut late } else { &mut others };
        *count += 1;
        *count <= PODS
    };
    objects::some(client, namespace, &params, PODS_AT_ONCE, 2 * PODS, keep).await
}

/// Takes out what may be large and says nothing about readiness.
fn lighten(pod: &mut Pod) {
    pod.metadata.annotations = None;
    let Some(spec) = &mut pod.spec else { return };
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        (container.env, container.env_from, container.volume_mounts) = (None, None, None);
        (container.command, container.args) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Mutex;

    use http::{Request, Response};
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    /// Answers with an app that has or has not a preview, and takes note of each Service that is asked for.
    fn server(preview: bool) -> (Client, Arc<Mutex<Vec<String>>>) {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = asked.clone();
        let answer = move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            let (code, body) = match name.as_str() {
                "hello" if path.contains("/bluegreenapps/") => (
                    200,
                    json!({
                        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
                        "metadata": {"name": "hello", "namespace": "shop"},
                        "spec": {"active": "blue", "blue": {"tag": "1"}, "replicas": 1, "image": "hello", "port": 80,
                            "service": {"preview": preview}},
                    }),
                ),
                "hello-preview" => (200, json!({"metadata": {"name": name}})),
                "controllerrevisions" | "endpointslices" => (200, json!({"metadata": {}, "items": []})),
                _ => (404, json!({"status": "Failure", "reason": "NotFound", "code": 404, "message": ""})),
            };
            if path.contains("/services/") {
                log.lock().unwrap().push(name);
            }
            let body = Body::from(body.to_string().into_bytes());
            async move { Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap()) }
        };
        (Client::new(tower::service_fn(answer), "shop"), asked)
    }

    #[tokio::test]
    async fn a_preview_that_nobody_knows_of_is_read_only_if_the_spec_asks_for_one() {
        for (known, in_spec, is_read) in [(false, false, false), (false, true, true), (true, false, true)] {
            let (client, asked) = server(in_spec);
            let extras = Extras { owners: false, preview: known };
            let seen = live(&client, "shop", "hello", extras).await.unwrap().unwrap();
            assert_eq!(seen.preview.is_some(), is_read, "{known} {in_spec}");
            let asked = asked.lock().unwrap();
            assert_eq!(asked.iter().filter(|name| *name == "hello-preview").count(), usize::from(is_read));
        }
    }
}

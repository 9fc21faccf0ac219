//! Live reads: everything about an app, from the API server.

use std::fmt::Debug;
use std::sync::Arc;

use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_core::desired::names;
use bluegreen_core::observe::snapshot::{Proof, SERVICE_NAME, Snapshot, of_color, of_service};
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

/// Reads everything about an app from the API server: quorum reads without resourceVersion, in parallel, so
/// each is at least as new as the moment of the call. `prove` also looks at who owns the pods.
///
/// # Errors
/// Any read that fails; `Ok(None)` when the app is gone.
pub async fn live(
    client: &Client,
    namespace: &str,
    name: &str,
    prove: bool,
) -> kube::Result<Option<Snapshot>> {
    let apps: Api<BlueGreenApp> = Api::namespaced(client.clone(), namespace);
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let (blue, green) =
        (names::color_service_name(name, Color::Blue), names::color_service_name(name, Color::Green));
    let (blue_pods, green_pods) =
        (names::deployment_name(name, Color::Blue), names::deployment_name(name, Color::Green));
    let ours = ListParams::default().labels(&format!("{}={name}", names::APP));
    let of_services = ListParams::default().labels(&format!("{SERVICE_NAME} in ({name},{blue},{green})"));
    let revisions: Api<ControllerRevision> = Api::namespaced(client.clone(), namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);

    let (
        app,
        service,
        blue_service,
        green_service,
        blue_deployment,
        green_deployment,
        revisions,
        slices,
        proof,
    ) = futures::try_join!(
        apps.get_opt(name),
        services.get_opt(name),
        services.get_opt(&blue),
        services.get_opt(&green),
        deployments.get_opt(&blue_pods),
        deployments.get_opt(&green_pods),
        list(&revisions, &ours),
        list(&slices, &of_services),
        read_proof(client, namespace, &ours, prove),
    )?;
    let Some(app) = app else { return Ok(None) };
    let stored = Snapshot::sort_revisions(&app, revisions);
    Ok(Some(Snapshot {
        app: Arc::new(app),
        service: service.map(Arc::new),
        color_services: PerColor { blue: blue_service.map(Arc::new), green: green_service.map(Arc::new) },
        deployments: PerColor { blue: blue_deployment.map(Arc::new), green: green_deployment.map(Arc::new) },
        stored,
        live_slices: of_service(&slices, name),
        color_slices: PerColor { blue: of_service(&slices, &blue), green: of_service(&slices, &green) },
        proof,
    }))
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
    let sets: Api<ReplicaSet> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let (sets, pods) = futures::try_join!(sets.list_metadata(ours), pods.list_metadata(ours))?;
    Ok(PerColor::from_fn(|color| {
        Some(Proof { replica_sets: of_color(&sets.items, color), pods: of_color(&pods.items, color) })
    }))
}

async fn list<K>(api: &Api<K>, params: &ListParams) -> kube::Result<Vec<Arc<K>>>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    Ok(api.list(params).await?.items.into_iter().map(Arc::new).collect())
}

/// A color's pods that have not ended, in full, to say in words why they are not ready.
///
/// # Errors
/// Any read that fails.
pub async fn pods(client: &Client, namespace: &str, name: &str, color: Color) -> kube::Result<Vec<Pod>> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default()
        .labels(&format!("{}={name},{}={color}", names::APP, names::COLOR))
        // Thousands of evicted pods may lie about.
        .fields("status.phase!=Failed,status.phase!=Succeeded");
    Ok(api.list(&params).await?.items)
}

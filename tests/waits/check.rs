//! What serves at this moment, and whether it is what was asked for.

use anyhow::Result;
use bluegreen_api::{BlueGreenApp, CheckResult, Color};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Expected {
    pub color: Color,
    pub image: String,
    pub replicas: i32,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Live {
    /// The color in the live Service's selector.
    pub selects: String,
    /// The pods that receive connections.
    pub serving: Vec<Serving>,
    /// The app's `metadata.generation` and `status.observedGeneration`.
    pub generations: (i64, i64),
    /// `status.active`.
    pub reported: String,
    /// The checks that still run.
    pub running: Vec<String>,
    /// The live color's revision, if its checks after the switch have not passed.
    pub unproven: Option<i64>,
}

/// A pod behind a ready endpoint of the live Service.
#[derive(Clone, Debug)]
pub struct Serving {
    pub pod: String,
    pub color: String,
    pub image: String,
}

/// Reads everything from the API server, none of it through the proxy.
pub async fn look(client: &Client, namespace: &str, app: &str) -> Result<Live> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let apps: Api<BlueGreenApp> = Api::namespaced(client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={app}"));
    let of_app = ListParams::default().labels(&format!("bluegreen.dev/app={app}"));
    let (service, slices, pods, object) =
        tokio::try_join!(services.get(app), slices.list(&of_service), pods.list(&of_app), apps.get(app))?;
    let selector = service.spec.and_then(|spec| spec.selector).unwrap_or_default();
    let status = object.status.clone().unwrap_or_default();
    Ok(Live {
        selects: selector.get("bluegreen.dev/color").cloned().unwrap_or_default(),
        serving: ready_pods(&slices.items).into_iter().map(|pod| serving(pod, &pods.items)).collect(),
        generations: (object.metadata.generation.unwrap_or(0), status.observed_generation),
        reported: status.active.map(|color| color.to_string()).unwrap_or_default(),
        unproven: status.active.and_then(|live| status.color(live)?.unproven_revision),
        running: status
            .checks
            .into_iter()
            .filter(|it| it.result == CheckResult::Running)
            .map(|it| it.name)
            .collect(),
    })
}

fn ready_pods(slices: &[EndpointSlice]) -> Vec<String> {
    let endpoints = slices.iter().flat_map(|slice| slice.endpoints.iter());
    let ready = endpoints.filter(|endpoint| {
        endpoint.conditions.as_ref().is_none_or(|conditions| conditions.ready != Some(false))
    });
    let mut pods: Vec<_> = ready.filter_map(|endpoint| endpoint.target_ref.clone()?.name).collect();
    // Dual-stack clusters list a pod once per address family.
    pods.sort();
    pods.dedup();
    pods
}

fn serving(name: String, pods: &[Pod]) -> Serving {
    let pod = pods.iter().find(|pod| pod.name_any() == name);
    let color = pod.and_then(|pod| pod.labels().get("bluegreen.dev/color").cloned());
    let image = pod.and_then(|pod| pod.spec.as_ref()?.containers.first()?.image.clone());
    Serving { pod: name, color: color.unwrap_or_default(), image: image.unwrap_or_default() }
}

/// How `live` differs from what was asked for; empty if it does not.
pub fn problems(expected: &Expected, live: &Live) -> Vec<String> {
    let Expected { color, image, replicas } = expected;
    let color = color.as_str();
    let mut problems = Vec::new();
    if live.selects != color {
        problems.push(format!("the Service selects {:?}, not {color}", live.selects));
    }
    if live.serving.len() < usize::try_from(*replicas).unwrap_or(usize::MAX) {
        problems.push(format!("{} of {replicas} endpoints are ready", live.serving.len()));
    }
    for Serving { pod, color: its_color, image: its_image } in &live.serving {
        if its_color != color {
            problems.push(format!("{pod} of color {its_color:?} still serves"));
        }
        if its_image != image {
            problems.push(format!("{pod} serves {its_image}, not {image}"));
        }
    }
    let (generation, observed) = live.generations;
    if generation != observed {
        problems.push(format!("generation {generation} is reported on as {observed}"));
    }
    if live.reported != color {
        problems.push(format!("the status says that {:?} is active", live.reported));
    }
    if !live.running.is_empty() {
        problems.push(format!("{} still runs", live.running.join(", ")));
    }
    if let Some(revision) = live.unproven {
        problems.push(format!("revision {revision} has not passed its checks"));
    }
    problems
}

/// The check can fail: one fabricated fault, one problem.
#[cfg(test)]
mod tests {
    use super::*;

    const IMAGE: &str = "team/app:v2";

    fn expected() -> Expected {
        Expected { color: Color::Green, image: IMAGE.to_owned(), replicas: 2 }
    }

    fn pod(name: &str, color: &str, image: &str) -> Serving {
        Serving { pod: name.to_owned(), color: color.to_owned(), image: image.to_owned() }
    }

    fn right() -> Live {
        Live {
            selects: "green".to_owned(),
            serving: vec![pod("a", "green", IMAGE), pod("b", "green", IMAGE)],
            generations: (4, 4),
            reported: "green".to_owned(),
            running: Vec::new(),
            unproven: None,
        }
    }

    fn only_problem(live: &Live) -> String {
        let mut problems = problems(&expected(), live);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn what_was_asked_for_is_no_problem() {
        assert!(problems(&expected(), &right()).is_empty());
    }

    #[test]
    fn a_service_that_still_selects_the_old_color_is_found() {
        let live = Live { selects: "blue".to_owned(), ..right() };
        assert!(only_problem(&live).contains("selects \"blue\""));
    }

    #[test]
    fn an_endpoint_of_the_old_color_is_found() {
        let mut live = right();
        live.serving.push(pod("old", "blue", IMAGE));
        assert!(only_problem(&live).contains("old of color \"blue\" still serves"));
    }

    #[test]
    fn the_old_tag_of_the_right_color_is_found() {
        let mut live = right();
        live.serving[1].image = "team/app:v1".to_owned();
        assert!(only_problem(&live).contains("b serves team/app:v1"));
    }

    #[test]
    fn too_few_endpoints_are_found() {
        let mut live = right();
        live.serving.pop();
        assert!(only_problem(&live).contains("1 of 2 endpoints"));
    }

    #[test]
    fn a_report_on_an_earlier_generation_is_found() {
        assert!(only_problem(&Live { generations: (4, 3), ..right() }).contains("generation 4"));
    }

    #[test]
    fn a_check_that_runs_and_one_that_has_not_passed_are_found() {
        let runs = Live { running: vec!["smoke".to_owned()], ..right() };
        assert!(only_problem(&runs).contains("smoke still runs"));
        assert!(only_problem(&Live { unproven: Some(3), ..right() }).contains("revision 3 has not passed"));
    }

    #[test]
    fn a_status_that_names_the_other_color_is_found() {
        assert!(
            only_problem(&Live { reported: "blue".to_owned(), ..right() }).contains("\"blue\" is active")
        );
    }
}

//! What is sent, and what never is: each action against an API server that only listens.

mod contents;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Service;
use kube::Client;
use kube::client::Body;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::leader::Tenure;
use crate::metrics::{Metrics, WriteOutcome};
use bluegreen_api::{BlueGreenApp, Color, PerColor};
use bluegreen_core::apply::NO_SUCH_VERSION;
use bluegreen_core::desired::{self, LiveService, names};
use bluegreen_core::fence::Token;
use bluegreen_core::observe::{self, Held, Proof, Snapshot};
use bluegreen_core::plan::Action;

type Sent = Arc<Mutex<Vec<Value>>>;

/// What the writer can be asked for.
#[derive(Debug)]
enum Job {
    Report,
    Carry(Action),
}

fn jobs() -> Vec<Job> {
    let (blue, green) = (Color::Blue, Color::Green);
    let actions = [
        Action::CreateService,
        Action::Restore { to: blue },
        Action::UpdateService,
        Action::ApplyColorService(blue),
        Action::StoreRevision { color: green, number: 2 },
        Action::RecoverRevision { color: green, number: 1 },
        Action::Promote { color: blue, number: 2 },
        Action::EditDeployment { color: green, replicas: 2 },
        Action::Fence { service: true, colors: Color::ALL.to_vec() },
        Action::Switch { from: Some(blue), to: green },
        Action::DropRevision { color: green, number: 1 },
        Action::RemoveColor(green),
    ];
    actions.into_iter().map(Job::Carry).chain([Job::Report]).collect()
}

fn object<T: DeserializeOwned>(mut body: Value, uid: &str) -> T {
    body["metadata"]["uid"] = json!(uid);
    body["metadata"]["resourceVersion"] = json!("42");
    serde_json::from_value(body).unwrap()
}

fn app() -> BlueGreenApp {
    let body = json!({
        "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
        "metadata": {"name": "hello", "namespace": "n", "generation": 1},
        "spec": {"active": "green", "image": "hello", "blue": {"tag": "v1"}, "green": {"tag": "v2"},
                 "replicas": 2, "port": 8888},
    });
    object(body, "app")
}

/// Blue serves, green is there, and all of it was read at version 42.
fn snapshot() -> Snapshot {
    let app = app();
    let live = LiveService {
        selects: Some(Color::Blue),
        active: Some(Color::Blue),
        served: PerColor { blue: Some(1), green: None },
        fence: "0a1b2c3d.7.0",
        operator: "system/operator",
        had: bluegreen_api::ServiceStatus::default(),
    };
    let service = object::<Service>(desired::live_service(&app, &live), "service");
    let revision = |color| {
        let rendered = desired::render(&app, color).unwrap();
        Arc::new(object::<ControllerRevision>(desired::revision(&app, color, 1, &rendered), "revision"))
    };
    let stored = Snapshot::sort_revisions(&app, Color::ALL.map(revision));
    let deployments = PerColor::from_fn(|color| {
        let body = desired::deployment(&app, color, &stored.get(color)[0].stored, 2, "0a1b2c3d.7.0");
        Some(Arc::new(object(body, "deployment")))
    });
    Snapshot {
        service: Some(Arc::new(service)),
        preview: None,
        color_services: PerColor::from_fn(|color| {
            Some(Arc::new(object(desired::color_service(&app, color, false), "color-service")))
        }),
        deployments,
        stored,
        live_slices: Vec::new(),
        jobs: None,
        color_slices: PerColor::default(),
        proof: PerColor::from_fn(|_| Some(Proof::default())),
        app: Arc::new(app),
    }
}

/// The API server takes whatever it is sent.
fn agrees(_: &Value) -> Value {
    Value::Null
}

/// The API server will not have it as it is.
fn refuses(_: &Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 422, "message": "no" })
}

/// Carries a job out, and tells what came of it and what was sent.
async fn carry_out(job: &Job, tenure: Tenure) -> (Outcome, Vec<Value>) {
    carry_out_on(snapshot(), agrees, job, tenure).await
}

/// As [`carry_out`], where `refusal` says what the API server has against a request.
async fn carry_out_on(
    seen: Snapshot,
    refusal: fn(&Value) -> Value,
    job: &Job,
    tenure: Tenure,
) -> (Outcome, Vec<Value>) {
    let sent = Sent::default();
    let heard = sent.clone();
    let server = service_fn(move |request: http::Request<Body>| {
        let heard = heard.clone();
        async move {
            let (method, uri) = (request.method().to_string(), request.uri().clone());
            let bytes = request.into_body().collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&bytes).unwrap();
            let request =
                json!({ "method": method, "path": uri.path(), "query": uri.query(), "body": body.clone() });
            let refusal = refusal(&request);
            heard.lock().unwrap().push(request);
            let answer = match &refusal {
                Value::Null if method == "DELETE" => json!({"kind": "Status", "apiVersion": "v1"}),
                Value::Null => body,
                refusal => refusal.clone(),
            };
            let code = refusal["code"].as_u64().unwrap_or(200);
            let answer = http::Response::builder()
                .status(u16::try_from(code).unwrap())
                .body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, Infallible>(answer.unwrap())
        }
    });
    let writer = writer(Client::new(server, "elsewhere"), tenure, Duration::from_secs(5));
    let token = Token { operator: "system/operator".into(), lease: "0a1b2c3d".into(), epoch: 7, attempt: 0 };
    let facts = observe::observe(
        &seen,
        observe::routing(&seen, &token),
        &token,
        Held::default(),
        Timestamp::UNIX_EPOCH,
    );
    let target = Target { seen: &seen, facts: &facts, token: &token, checker: "checker" };
    let outcome = match job {
        Job::Report => writer.status(&seen.app).await.0,
        Job::Carry(action) => writer.apply(&target, action).await.outcome,
    };
    let sent = sent.lock().unwrap().clone();
    (outcome, sent)
}

fn long() -> Tenure {
    Tenure::for_tests(Some(Instant::now() + Duration::from_secs(600)))
}

#[tokio::test]
async fn is_anything_sent_that_could_outlive_the_lease() {
    for job in jobs() {
        // The answer may come a second after another leader has begun.
        let short = Tenure::for_tests(Some(Instant::now() + Duration::from_secs(4)));
        for tenure in [Tenure::for_tests(None), short] {
            let (outcome, sent) = carry_out(&job, tenure).await;
            assert_eq!((&outcome, sent.len()), (&Outcome::NotLeading, 0), "{job:?}: {sent:?}");
        }
        let (outcome, sent) = carry_out(&job, long()).await;
        assert_eq!((&outcome, sent.is_empty()), (&Outcome::Done, false), "{job:?}");
    }
}

#[tokio::test]
async fn does_every_write_name_the_very_object_that_was_read() {
    for job in jobs() {
        let may_only_create = matches!(
            job,
            Job::Carry(Action::CreateService | Action::StoreRevision { .. } | Action::RecoverRevision { .. })
        );
        for request in carry_out(&job, long()).await.1 {
            let body = &request["body"];
            let named =
                if request["method"] == "DELETE" { &body["preconditions"] } else { &body["metadata"] };
            let creates = named["resourceVersion"] == NO_SUCH_VERSION && named.get("uid").is_none();
            let changes = named["resourceVersion"] == "42" && named["uid"].is_string();
            assert_eq!((creates, changes), (may_only_create, !may_only_create), "{job:?}: {request}");
        }
    }
}

/// What was sent, as `METHOD path`, the namespace left out; all of it goes to the app's own.
fn requests(sent: &[Value]) -> Vec<String> {
    let in_words = |request: &Value| {
        let (groups, name) = request["path"].as_str().unwrap().split_once("/namespaces/n/").unwrap();
        assert!(groups.starts_with("/api"), "{groups}");
        format!("{} {name}", request["method"].as_str().unwrap())
    };
    sent.iter().map(in_words).collect()
}

#[tokio::test]
async fn which_objects_does_each_action_write() {
    let wants: [&[&str]; 13] = [
        &["PATCH services/hello"],
        &["PATCH services/hello"],
        &["PATCH services/hello"],
        &["PATCH services/hello-blue"],
        &["PATCH controllerrevisions/hello-green-2"],
        &["PATCH controllerrevisions/hello-green-1"],
        &["PATCH services/hello"],
        &["PATCH deployments/hello-green"],
        &["PATCH deployments/hello-blue", "PATCH deployments/hello-green", "PATCH services/hello"],
        &["PATCH services/hello"],
        &["DELETE controllerrevisions/hello-green-1"],
        // Its rendering goes last: while it is there, the removal is asked for again.
        &[
            "DELETE deployments/hello-green",
            "DELETE services/hello-green",
            "DELETE controllerrevisions/hello-green-1",
        ],
        &["PUT bluegreenapps/hello/status"],
    ];
    assert_eq!(jobs().len(), wants.len());
    for (job, wants) in jobs().iter().zip(wants) {
        let (_, sent) = carry_out(job, long()).await;
        let mut requests = requests(&sent);
        if matches!(job, Job::Carry(Action::Fence { .. })) {
            // They are sent together.
            requests.sort();
        }
        assert_eq!(requests, wants, "{job:?}");
        for request in &sent {
            let (method, query) = (&request["method"], request["query"].as_str().unwrap_or_default());
            assert!(method == "DELETE" || query.contains("fieldManager=bluegreen-operator"), "{request}");
            assert!(method != "PATCH" || query.contains("force=true"), "{request}");
            let name = request["path"].as_str().unwrap().rsplit('/').next();
            assert!(method != "PATCH" || request["body"]["metadata"]["name"].as_str() == name, "{request}");
            let of_the_app = request["body"]["metadata"]["ownerReferences"][0]["uid"] == "app";
            let stamp = query.contains("fieldManager=bluegreen-operator-fence");
            assert!(method != "PATCH" || stamp || of_the_app, "{request}");
        }
    }
}

#[tokio::test]
async fn only_what_is_named_is_stamped() {
    for (service, colors, wants) in [
        (true, vec![], vec!["PATCH services/hello"]),
        (false, vec![Color::Blue], vec!["PATCH deployments/hello-blue"]),
        (false, vec![Color::Green], vec!["PATCH deployments/hello-green"]),
    ] {
        let job = Job::Carry(Action::Fence { service, colors });
        assert_eq!(requests(&carry_out(&job, long()).await.1), wants, "{job:?}");
    }
}

/// What follows rests on all of them.
#[tokio::test]
async fn of_several_stamps_each_counts() {
    fn refuses_for(request: &Value, name: &str) -> Value {
        if request["body"]["metadata"]["name"] == name { refuses(request) } else { agrees(request) }
    }
    let fails: [fn(&Value) -> Value; 3] = [
        |request| refuses_for(request, "hello"),
        |request| refuses_for(request, "hello-blue"),
        |request| refuses_for(request, "hello-green"),
    ];
    // A Deployment's stamp is tried once more, on its status.
    for (fails, requests) in fails.into_iter().zip([3, 4, 4]) {
        let job = Job::Carry(Action::Fence { service: true, colors: Color::ALL.to_vec() });
        let (outcome, sent) = carry_out_on(snapshot(), fails, &job, long()).await;
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        assert_eq!(sent.len(), requests);
    }
}

/// A webhook for Deployments does not see their status.
#[tokio::test]
async fn a_deployment_that_can_not_be_stamped_is_stamped_on_its_status() {
    fn but_its_status(request: &Value, answer: &str) -> Value {
        let path = request["path"].as_str().unwrap_or_default();
        if path.ends_with("/status") {
            return agrees(request);
        }
        json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 500, "message": answer })
    }
    let answers: [fn(&Value) -> Value; 3] = [
        |request| but_its_status(request, "admission webhook \"a.b\" denied the request: no"),
        |request| but_its_status(request, "Internal error occurred: failed calling webhook \"a.b\": EOF"),
        |request| but_its_status(request, "etcdserver: request timed out"),
    ];
    for answer in answers {
        let job = Job::Carry(Action::Fence { service: false, colors: vec![Color::Green] });
        let (outcome, sent) = carry_out_on(snapshot(), answer, &job, long()).await;
        assert_eq!(outcome, Outcome::Done);
        let tokens = sent.iter().map(|request| &request["body"]["metadata"]);
        assert!(tokens.clone().any(|metadata| metadata["annotations"]["bluegreen.dev/fence"].is_string()));
        let versions: Vec<_> = tokens.map(|metadata| &metadata["resourceVersion"]).collect();
        assert!(versions.iter().all(|version| version.is_string()), "each has its precondition");
    }
}

#[tokio::test]
async fn a_removal_stops_at_the_first_request_that_fails() {
    let job = Job::Carry(Action::RemoveColor(Color::Green));
    let (outcome, sent) = carry_out_on(snapshot(), refuses, &job, long()).await;
    assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
    assert_eq!(requests(&sent), ["DELETE deployments/hello-green"]);
}

/// The pods' owners were not looked at: a switch would rest on counts alone.
#[tokio::test]
async fn no_switch_is_sent_without_a_look_at_the_pods() {
    let mut seen = snapshot();
    seen.proof.green = None;
    let job = Job::Carry(Action::Switch { from: Some(Color::Blue), to: Color::Green });
    assert_eq!(carry_out_on(seen, agrees, &job, long()).await, (Outcome::Stale, vec![]));
}

#[tokio::test]
async fn what_is_gone_already_does_not_stop_a_removal() {
    fn is_gone(request: &Value) -> Value {
        let status = json!({ "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": 404, "message": "no" });
        if request["path"].as_str().unwrap_or_default().contains("deployments") {
            status
        } else {
            Value::Null
        }
    }
    let job = Job::Carry(Action::RemoveColor(Color::Green));
    let (outcome, sent) = carry_out_on(snapshot(), is_gone, &job, long()).await;
    assert_eq!((outcome, sent.len()), (Outcome::Done, 3));
    assert!(sent.iter().all(|request| request["body"]["propagationPolicy"] == "Background"));
}

#[tokio::test]
async fn what_belongs_to_somebody_else_is_not_removed() {
    let mut seen = snapshot();
    let mut deployment = seen.deployments.green.as_deref().unwrap().clone();
    let mut service = seen.color_services.green.as_deref().unwrap().clone();
    (deployment.metadata.owner_references, service.metadata.owner_references) = (None, None);
    (seen.deployments.green, seen.color_services.green) =
        (Some(Arc::new(deployment)), Some(Arc::new(service)));
    let job = Job::Carry(Action::RemoveColor(Color::Green));
    let (_, sent) = carry_out_on(seen, agrees, &job, long()).await;
    assert_eq!(requests(&sent), ["DELETE controllerrevisions/hello-green-1"]);
}

fn writer(client: Client, tenure: Tenure, deadline: Duration) -> Writer {
    Writer { client, tenure, deadline, metrics: Metrics::new("abc").unwrap() }
}

/// It may have been carried out.
#[tokio::test]
async fn a_write_without_an_answer_is_of_unknown_result() {
    let silent = |_: http::Request<Body>| std::future::pending::<Result<http::Response<Body>, Infallible>>();
    let writer = writer(Client::new(service_fn(silent), "n"), long(), Duration::from_millis(50));
    assert!(matches!(writer.status(&app()).await.0, Outcome::Unknown(_)));
}

#[tokio::test]
async fn a_report_says_its_version_and_every_write_is_counted() {
    let answers = |_: http::Request<Body>| async {
        Ok::<_, Infallible>(http::Response::new(Body::from(serde_json::to_vec(&app()).unwrap())))
    };
    let client = Client::new(service_fn(answers), "n");
    for (tenure, version, counted) in
        [(long(), Some("42"), WriteOutcome::Ok), (Tenure::for_tests(None), None, WriteOutcome::NotLeader)]
    {
        let writer = writer(client.clone(), tenure, Duration::from_secs(5));
        assert_eq!(writer.status(&app()).await.1.as_deref(), version);
        let metrics = writer.metrics.render().unwrap();
        let counts = |line: &str| line.contains(&format!("\"{}\"", counted.as_str())) && line.ends_with(" 1");
        assert!(metrics.lines().any(counts), "{metrics}");
    }
}

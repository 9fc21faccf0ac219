//! What is sent, and what never is: each action against an API server that only listens.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::Timestamp;
use kube::client::Body;
use tower::service_fn;

use super::*;
use crate::observe::{self, Held, Proof};

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
        node_port: None,
        cluster_ip: None,
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
        color_services: PerColor::from_fn(|color| {
            Some(Arc::new(object(desired::color_service(&app, color), "color-service")))
        }),
        deployments,
        stored,
        live_slices: Vec::new(),
        color_slices: PerColor::default(),
        proof: PerColor::from_fn(|_| Some(Proof::default())),
        app: Arc::new(app),
    }
}

/// Carries a job out, and tells what came of it and what was sent.
async fn carry_out(job: &Job, tenure: Tenure) -> (Outcome, Vec<Value>) {
    let sent = Sent::default();
    let heard = sent.clone();
    let server = service_fn(move |request: http::Request<Body>| {
        let heard = heard.clone();
        async move {
            let method = request.method().to_string();
            let bytes = request.into_body().collect_bytes().await.unwrap();
            let body: Value = serde_json::from_slice(&bytes).unwrap();
            heard.lock().unwrap().push(json!({"method": method, "body": body}));
            let answer =
                if method == "DELETE" { json!({"kind": "Status", "apiVersion": "v1"}) } else { body };
            Ok::<_, Infallible>(http::Response::new(Body::from(answer.to_string().into_bytes())))
        }
    });
    let writer = Writer {
        client: Client::new(server, "n"),
        tenure,
        deadline: Duration::from_secs(5),
        metrics: Metrics::new().unwrap(),
    };
    let token = Token { operator: "system/operator".into(), lease: "0a1b2c3d".into(), epoch: 7, attempt: 0 };
    let seen = snapshot();
    let facts = observe::observe(&seen, &token, Timestamp::UNIX_EPOCH, |_| Held::default());
    let target = Target { seen: &seen, facts: &facts, token: &token };
    let outcome = match job {
        Job::Report => writer.status(&seen.app).await.0,
        Job::Carry(action) => writer.apply(&target, action).await,
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

//! What holds of the passes that the leading replica runs, whatever happens meanwhile? The API server answers when the test says so.

use std::convert::Infallible;
use std::time::Duration;

use bluegreen_core::fence::Token;
use http::{Request, Response};
use kube::client::Body;
use kube::runtime::watcher::Event;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::service_fn;

use super::tests::{app, guarded, listed};
use super::*;
use crate::events::Publisher;
use crate::health::HealthLimits;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::reconcile::{Checks, Context, Memories};
use crate::send::Writer;

/// Real time, in which nothing has to happen.
const MOMENT: Duration = Duration::from_millis(300);

/// The leading replica of one app, `hello` with the uid `1`.
struct Rig {
    watches: Arc<Watches>,
    /// What was asked of the API server: method and path.
    asked: Arc<Mutex<Vec<String>>>,
    /// Whether it answers.
    answers: watch::Sender<bool>,
    /// Events of the watch of the apps.
    events: futures::channel::mpsc::UnboundedSender<Watched<BlueGreenApp>>,
    memories: Memories,
    health: Arc<Health>,
    stop: CancellationToken,
    leading: JoinHandle<()>,
    _leadership: Leadership,
}

/// An API server that has the app, and nothing else.
fn answer(request: &Request<Body>) -> Response<Body> {
    const LISTS: [&str; 7] =
        ["services", "deployments", "controllerrevisions", "endpointslices", "jobs", "pods", "replicasets"];
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    let (code, body) = if last == "hello" && request.uri().path().contains("bluegreenapps") {
        (200, app("hello", "1"))
    } else if LISTS.contains(&last) {
        (200, json!({"metadata": {"resourceVersion": "5"}, "items": []}))
    } else {
        let words =
            json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "", "code": 404});
        (404, words)
    };
    Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
}

impl Rig {
    /// `is_listed`: every kind has been listed.
    async fn new(is_listed: bool) -> Self {
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let answers = watch::Sender::new(false);
        let (log, gate) = (asked.clone(), answers.clone());
        let service = service_fn(move |request: Request<Body>| {
            log.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
            let mut gate = gate.subscribe();
            async move {
                gate.wait_for(|open| *open).await.unwrap();
                Ok::<_, Infallible>(answer(&request))
            }
        });
        let client = Client::new(service, "shop");
        let limits = HealthLimits { reconcile: Duration::from_millis(1), ..HealthLimits::default() };
        let health = Health::new(limits);
        let (watches, store) = Watches::new(health.clone());
        let (events, received) = futures::channel::mpsc::unbounded();
        tokio::spawn(watches.clone().follow_apps(received, store));
        let leadership = Leadership::unelected("system", "operator");
        let metrics = Metrics::new("abc").unwrap();
        let writer = Writer {
            client: client.clone(),
            tenure: leadership.tenure(),
            deadline: Duration::from_secs(60),
            metrics: metrics.clone(),
        };
        let publisher = Publisher::new(client.clone(), "operator".to_owned());
        let token = Token {
            operator: "system/operator".to_owned(),
            lease: "0a1b2c3d".to_owned(),
            epoch: 1,
            attempt: 0,
        };
        let checks = Checks { image: "checker".to_owned(), most: 1 };
        let context = Context::new(client, writer, watches.cache.clone(), metrics, publisher, token, checks);
        let (memories, stop) = (context.memories(), CancellationToken::new());
        if is_listed {
            for kind in ["a", "b", "c", "d", "e", "f"] {
                watches.complete.listed(kind, None);
            }
        }
        let (leader, until) = (watches.clone(), stop.clone());
        let leading = tokio::spawn(async move { leader.lead(context, 2, until).await });
        let rig = Self {
            watches,
            asked,
            answers,
            events,
            memories,
            health,
            stop,
            leading,
            _leadership: leadership,
        };
        for event in listed(&[app("hello", "1")]) {
            rig.send(event);
        }
        rig
    }

    fn send(&self, event: Event<super::tests::Guarded>) {
        self.events.unbounded_send(Ok(Seen::Event(event))).unwrap();
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn remembers(&self) -> bool {
        self.memories.lock().unwrap().contains_key("1")
    }

    /// Waits until that holds.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(
            tokio::time::timeout(Duration::from_secs(20), wait).await.is_ok(),
            "{what}: {:?}",
            self.asked()
        );
    }

    async fn until_it_reads(&self) {
        self.until("the app is read", |rig| !rig.asked().is_empty()).await;
        tokio::time::sleep(MOMENT).await;
    }
}

fn writes(asked: &[String]) -> Vec<&String> {
    asked.iter().filter(|asked| !asked.starts_with("GET ") && !asked.contains("/events")).collect()
}

#[tokio::test]
async fn nothing_is_asked_where_not_every_kind_was_listed() {
    let rig = Rig::new(false).await;
    rig.until("the app is known", |rig| !rig.watches.apps().is_empty()).await;
    tokio::time::sleep(MOMENT).await;
    assert_eq!(rig.asked(), [""; 0]);
}

#[tokio::test]
async fn an_app_has_one_pass_at_a_time() {
    let rig = Rig::new(true).await;
    rig.until_it_reads().await;
    let before = rig.asked();
    for _ in 0..3 {
        rig.send(Event::Apply(guarded(app("hello", "1"))));
    }
    tokio::time::sleep(MOMENT).await;
    assert_eq!(rig.asked(), before);
    // Nor has another pass begun, which would wait for the memory of the first.
    assert_eq!(rig.health.running(), 1);
}

#[tokio::test]
async fn a_pass_that_hangs_makes_the_process_unhealthy() {
    let rig = Rig::new(true).await;
    rig.until_it_reads().await;
    assert!(rig.health.live().unwrap_err().contains("a reconcile has been running"));
}

#[tokio::test]
async fn a_pass_that_is_told_to_end_writes_nothing_more() {
    // Without an end, it would.
    let rig = Rig::new(true).await;
    rig.answers.send_replace(true);
    rig.until("it writes", |rig| !writes(&rig.asked()).is_empty()).await;

    let rig = Rig::new(true).await;
    rig.until_it_reads().await;
    rig.stop.cancel();
    rig.answers.send_replace(true);
    let asked = rig.asked.clone();
    rig.leading.await.unwrap();
    assert_eq!(writes(&asked.lock().unwrap()), Vec::<&String>::new());
}

#[tokio::test]
async fn nothing_is_kept_of_an_app_that_is_deleted_between_two_passes() {
    let rig = Rig::new(true).await;
    rig.answers.send_replace(true);
    rig.until("the pass is over", |rig| rig.remembers() && rig.health.live().is_ok()).await;
    tokio::time::sleep(MOMENT).await;
    rig.send(Event::Delete(guarded(app("hello", "1"))));
    rig.until("it is forgotten", |rig| !rig.remembers()).await;
}

#[tokio::test]
async fn nothing_is_kept_of_an_app_that_is_deleted_while_its_pass_runs() {
    let rig = Rig::new(true).await;
    rig.until_it_reads().await;
    rig.send(Event::Delete(guarded(app("hello", "1"))));
    rig.until("it is gone", |rig| rig.watches.apps().is_empty()).await;
    // The pass holds on to its memory, and notes something in it after the watch has told of the deletion.
    rig.memories.lock().unwrap().entry("1".to_owned()).or_default();
    rig.stop.cancel();
    rig.answers.send_replace(true);
    let memories = rig.memories.clone();
    rig.leading.await.unwrap();
    assert!(!memories.lock().unwrap().contains_key("1"));
}

/// Two passes run at the same time here, so two turns that are never given back would stop all other apps.
#[tokio::test]
async fn apps_that_are_deleted_while_they_wait_keep_no_turn() {
    let rig = Rig::new(true).await;
    rig.send(Event::Apply(guarded(app("second", "2"))));
    rig.until("two passes run", |rig| rig.health.running() == 2).await;
    let waiting = ["third", "fourth"].map(|name| app(name, name));
    for app in &waiting {
        rig.send(Event::Apply(guarded(app.clone())));
    }
    rig.until("all are known", |rig| rig.watches.apps().len() == 4).await;
    tokio::time::sleep(MOMENT).await;
    for app in waiting {
        rig.send(Event::Delete(guarded(app)));
    }
    rig.until("they are gone", |rig| rig.watches.apps().len() == 2).await;
    rig.answers.send_replace(true);
    tokio::time::sleep(MOMENT).await;
    rig.send(Event::Apply(guarded(app("last", "5"))));
    rig.until("the last one has its turn", |rig| rig.asked().iter().any(|asked| asked.ends_with("/last")))
        .await;
}

#[tokio::test]
#[should_panic(expected = "in a pass")]
async fn a_panic_in_a_pass_ends_the_process() {
    super::lead::in_a_task(async { panic!("in a pass") }).await
}

#[tokio::test]
async fn a_pass_ends_with_who_waits_for_it() {
    let (held, ends) = tokio::sync::oneshot::channel::<()>();
    let pass = super::lead::in_a_task(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    assert!(tokio::time::timeout(MOMENT, pass).await.is_err());
    assert!(ends.await.is_err());
}

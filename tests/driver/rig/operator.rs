//! One operator: the real `reconcile()`, with caches that the test fills.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use bluegreen_api::BlueGreenApp;
use bluegreen_apiserver::{Kind, Server};
use bluegreen_client::careful::{Careful, Readable};
use bluegreen_core::desired::keep_foreign;
use bluegreen_core::fence::Token;
use bluegreen_operator::events::Publisher;
use bluegreen_operator::leader::Leadership;
use bluegreen_operator::metrics::Metrics;
use bluegreen_operator::reconcile::{Checks, Clock, Context, reconcile};
use bluegreen_operator::send::Writer;
use bluegreen_operator::stores::{ByApp, Cache, Reduce};
use kube::runtime::watcher::Event;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use super::APP;

/// How long a request may take. No test waits for it: answers are lost at once.
const DEADLINE: Duration = Duration::from_secs(600);

/// The operator of one term of leadership.
pub struct Operator {
    pub metrics: Metrics,
    cache: Arc<Cache>,
    context: Arc<Context>,
    /// The caches stay as they are.
    pub lags: bool,
    /// The server's version when the caches were filled last.
    filled: Cell<u64>,
    term: i64,
    _leadership: Leadership,
}

/// How many Jobs of checks run at the same time.
pub const MOST_CHECKS: usize = 3;

/// The Lease of the first installation.
const LEASE: &str = "system/operator";

impl Operator {
    /// The first term.
    pub fn first(server: &Server, clock: &Clock) -> Self {
        Self::of_term(server, clock, LEASE, 1)
    }

    /// The next process that leads.
    pub fn next_term(&self, server: &Server, clock: &Clock) -> Self {
        Self::of_term(server, clock, LEASE, self.term + 1)
    }

    /// A term of the installation whose Lease has this name.
    pub fn of_term(server: &Server, clock: &Clock, lease: &str, epoch: i64) -> Self {
        let (namespace, name) = lease.split_once('/').expect("namespace/name");
        let leadership = Leadership::unelected(namespace, name);
        let (client, metrics) = (server.client(), Metrics::new("abc").unwrap());
        let writer = Writer {
            client: client.clone(),
            tenure: leadership.tenure(),
            deadline: DEADLINE,
            metrics: metrics.clone(),
        };
        let cache: Arc<Cache> = Arc::default();
        let token = Token { operator: lease.to_owned(), lease: "0a1b2c3d".to_owned(), epoch, attempt: 0 };
        let publisher = Publisher::new(client.clone(), format!("operator-{epoch}"));
        let context = Context::new(
            client,
            writer,
            cache.clone(),
            metrics.clone(),
            publisher,
            token,
            Checks { image: "checker".to_owned(), most: MOST_CHECKS },
        )
        .with_clock(clock.clone());
        Self {
            metrics,
            cache,
            context: Arc::new(context),
            lags: false,
            filled: Cell::new(0),
            term: epoch,
            _leadership: leadership,
        }
    }

    /// What tells its passes to end.
    pub fn stop(&self) -> CancellationToken {
        self.context.stop.clone()
    }

    /// One pass; how long it would wait for the next one.
    pub async fn pass(&self, server: &Server) -> Duration {
        if !self.lags {
            self.fill(server);
        }
        let Some(app) = server.get(Kind::App, APP) else { panic!("a pass needs an app") };
        let app: Careful<BlueGreenApp> = serde_json::from_str(&app.to_string()).expect("an object");
        let app = app.0.expect("a BlueGreenApp");
        // On the heap: a pass is large.
        let passed = Box::pin(reconcile(Arc::new(app), self.context.clone())).await.expect("still leading");
        requeue_after(&passed.action)
    }

    /// As the watches would have it.
    fn fill(&self, server: &Server) {
        if self.filled.replace(server.version()) == server.version() {
            return;
        }
        fill(&self.cache.services, server, Kind::Service);
        fill(&self.cache.deployments, server, Kind::Deployment);
        fill(&self.cache.revisions, server, Kind::Revision);
        fill(&self.cache.slices, server, Kind::Slice);
        fill(&self.cache.jobs, server, Kind::Job);
    }
}

fn fill<K>(store: &ByApp<K>, server: &Server, kind: Kind)
where
    K: Readable + Reduce + Default + DeserializeOwned,
{
    store.take(Event::Init);
    for object in server.all(kind) {
        let object: Careful<K> = serde_json::from_str(&object.to_string()).expect("an object");
        let mut object = object.or_stand_in();
        keep_foreign(&mut object.meta_mut().managed_fields);
        store.take(Event::InitApply(object));
    }
    store.take(Event::InitDone);
}

/// `kube` keeps it to itself, but for its debug output: `Action { requeue_after: Some(1.5s) }`.
fn requeue_after(action: &kube::runtime::controller::Action) -> Duration {
    let text = format!("{action:?}");
    let (_, rest) = text.split_once("Some(").expect("a time");
    let (time, _) = rest.split_once(')').expect("a time");
    let split = time.find(|c: char| c.is_alphabetic() || c == 'µ').expect("a unit");
    let number: f64 = time[..split].parse().expect("a number");
    let unit = match &time[split..] {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        other => panic!("{other}"),
    };
    Duration::from_secs_f64(number * unit)
}

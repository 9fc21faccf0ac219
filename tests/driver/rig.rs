//! One operator and one app on an API server in memory, and what a test does with them.

mod operator;
mod record;

use std::time::Duration;

use bluegreen_api::{BlueGreenAppStatus, Color};
use bluegreen_apiserver::{Controllers, Fate, Fault, Kind, Logged, Request, Server, Verb};
use bluegreen_guard::World;
use bluegreen_operator::reconcile::Clock;
use serde_json::{Value, json};

pub use operator::{MOST_CHECKS, Operator};

/// The namespace of every test.
pub const NAMESPACE: &str = "n";

/// The app of every test.
pub const APP: &str = "hello";

/// More passes than any change takes; an app that is not at rest then never will be.
const PASSES: usize = 60;

/// When every test begins: not on a whole second, since no test should.
const START: &str = "2026-01-01T00:00:00.25Z";

/// How often something happens that makes the operator look.
const SECOND: Duration = Duration::from_secs(1);

/// The shortest time that passes.
const MOMENT: Duration = Duration::from_millis(1);

/// An app that asks for short waits only is at rest when nothing has changed over so many of them.
const QUIET: usize = 3;

/// A server, its controllers, one operator, and an app named `hello`.
pub struct Rig {
    pub server: Server,
    pub controllers: Controllers,
    pub operator: Operator,
    /// The operator's and the server's.
    pub clock: Clock,
}

/// A condition, as it is in the status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    pub status: String,
    pub reason: String,
    pub message: String,
}

/// Two colors of two pods, blue active, without a drain.
pub fn spec() -> Value {
    json!({
        "active": "blue", "image": "team/hello", "blue": { "tag": "v1" }, "green": { "tag": "v2" },
        "replicas": 2, "port": 8888, "drainSeconds": 0,
    })
}

/// [`spec`] with these fields.
pub fn spec_with(fields: Value) -> Value {
    let mut spec = spec();
    let Value::Object(fields) = fields else { panic!("fields of a spec") };
    for (key, value) in fields {
        spec[key.as_str()] = value;
    }
    spec
}

impl Rig {
    /// An operator, and an app with this spec that no pass has seen yet.
    pub fn new(spec: Value) -> Self {
        let rig = Self::empty();
        rig.create_app(spec);
        rig
    }

    /// An operator without an app.
    pub fn empty() -> Self {
        let (server, clock) = (Server::new(NAMESPACE), Clock::standing_at(START.parse().unwrap()));
        let time = clock.clone();
        server.set_clock(move || time.now().wall);
        let controllers = Controllers::new(&server);
        let operator = Operator::first(&server, &clock);
        Self { server, controllers, operator, clock }
    }

    /// As [`Rig::new`], at rest.
    pub async fn serving(spec: Value) -> Self {
        let mut rig = Self::new(spec);
        rig.settle().await;
        assert!(rig.world().settled(APP), "{:#}", rig.app());
        let _ = rig.server.take_log();
        rig
    }

    /// Creates the app, as a person.
    pub fn create_app(&self, spec: Value) {
        self.server.create(Kind::App, json!({ "metadata": { "name": APP }, "spec": spec }));
    }

    /// One pass of the operator, whose caches are up to date; how long it would wait for the next one.
    pub async fn pass(&mut self) -> Duration {
        self.operator.pass(&self.server).await
    }

    /// One pass, which ends where a request is never answered, as if the process ended there: whether it did.
    pub async fn pass_until_it_hangs(&mut self) -> bool {
        let server = self.server.clone();
        let hangs = async {
            while !server.log().iter().any(|logged| logged.fate == Fate::Hanging) {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = self.pass() => false,
            () = hangs => true,
        }
    }

    /// One step of the controllers.
    pub fn step(&self) {
        self.controllers.step();
    }

    /// Passes and steps, until nothing changes any more, also not after the short waits that a pass asks for.
    pub async fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..PASSES {
            let before = self.server.version();
            let wait = self.pass().await;
            self.step();
            quiet = if self.server.version() == before { quiet + 1 } else { 0 };
            if quiet > 0 && (wait > SECOND || quiet > QUIET) {
                return;
            }
            if quiet > 0 {
                self.advance(wait.max(MOMENT));
            }
        }
        panic!("not at rest after {PASSES} passes: {:#}", self.app());
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.clock.turn(time);
    }

    /// Passes and steps, as the operator would make them in this time: each second, and when it asked for it.
    pub async fn run(&mut self, time: Duration) {
        let mut left = time;
        loop {
            let wait = self.pass().await.min(SECOND);
            self.step();
            if left.is_zero() {
                return;
            }
            let wait = wait.max(MOMENT).min(left);
            self.advance(wait);
            left -= wait;
        }
    }

    /// Changes the app's spec, as a person.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) {
        self.server.edit(Kind::App, APP, |app| change(&mut app["spec"]));
    }

    /// `kubectl set image deployment/NAME app=IMAGE`.
    pub fn set_image(&self, deployment: &str, image: &str) {
        self.server.edit(Kind::Deployment, deployment, |deployment| {
            deployment["spec"]["template"]["spec"]["containers"][0]["image"] = json!(image);
        });
    }

    /// Whether a color's Deployment asks for this tag of the app's image.
    pub fn runs(&self, color: Color, tag: &str) -> bool {
        self.world().image(APP, color) == Some(format!("team/hello:{tag}"))
    }

    /// A label of a color's pod template.
    pub fn label(&self, color: Color, key: &str) -> Value {
        let deployment = self.server.get(Kind::Deployment, &format!("{APP}-{color}")).unwrap_or_default();
        deployment["spec"]["template"]["metadata"]["labels"][key].clone()
    }

    /// Asks for a color, as a person.
    pub fn activate(&self, color: Color) {
        self.edit(|spec| spec["active"] = json!(color));
    }

    /// Asks for a color with this tag in one edit, as a person.
    pub fn deploy(&self, color: Color, tag: &str) {
        self.edit(|spec| {
            spec["active"] = json!(color);
            spec[color.as_str()]["tag"] = json!(tag);
        });
    }

    /// The API server answers each edit of this Deployment with this code and these words. Its fence alone is accepted.
    pub fn refuse_edits(&self, deployment: &'static str, code: u16, words: &str) {
        let words = words.to_owned();
        self.server.fault(move |request| {
            let edits =
                request.is(Verb::Apply, Kind::Deployment, deployment) && !request.body["spec"].is_null();
            edits.then(|| Fault::answer(code, &words))
        });
    }

    pub fn app(&self) -> Value {
        self.server.get(Kind::App, APP).expect("the app")
    }

    /// The status; the one of an app that nobody has looked at if there is none.
    pub fn status(&self) -> BlueGreenAppStatus {
        serde_json::from_value(self.app()["status"].clone()).unwrap_or_default()
    }

    /// A condition of the app; all empty if it has none of that type.
    pub fn condition(&self, type_: &str) -> Condition {
        let status = self.status();
        status.condition(type_).map_or_else(Condition::default, |c| Condition {
            status: c.status.clone(),
            reason: c.reason.clone(),
            message: c.message.clone(),
        })
    }

    /// Status and reason of a condition, as `True/Serving`.
    pub fn says(&self, type_: &str) -> String {
        let Condition { status, reason, .. } = self.condition(type_);
        format!("{status}/{reason}")
    }

    /// All objects at this moment.
    pub fn world(&self) -> World {
        record::world(&self.server)
    }

    /// Requests in the log that `counts`.
    pub fn count(&self, counts: impl Fn(&Request) -> bool) -> usize {
        self.server.log().iter().filter(|logged| counts(&logged.request)).count()
    }

    /// The requests that changed something since the log was taken last.
    pub fn writes(&self) -> Vec<String> {
        self.server.log().iter().filter(|logged| logged.wrote()).map(Logged::words).collect()
    }

    /// The Events that there are, as `Type Reason: note`.
    pub async fn events(&self) -> Vec<String> {
        // They are published in the background.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let words = |event: Value| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}: {}", text("type"), text("reason"), text("note"))
        };
        self.server.all(Kind::Event).into_iter().map(words).collect()
    }

    /// The colors that were selected, in their order.
    pub fn switches(&self) -> Vec<Color> {
        record::replay(&self.server).switches.iter().map(|switch| switch.to).collect()
    }

    /// The images that the selected colors ran when they were selected, in their order.
    pub fn served(&self) -> Vec<String> {
        record::replay(&self.server).switches.into_iter().map(|switch| switch.image).collect()
    }

    /// The operator is gone, with all that it remembers, and another process of the same installation leads.
    pub fn restart(&mut self) {
        self.operator = self.operator.next_term(&self.server, &self.clock);
    }

    /// Ends the test: every promise must have been kept at every instant.
    pub fn finish(self) {
        record::check(&self.server);
    }
}

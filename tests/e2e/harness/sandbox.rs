//! One test's namespace: what it does there, and how it waits.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bluegreen_api::Color;
use bluegreen_cluster::{Cluster, Entry, Offset, UserAccount, output, patiently, tail};
use bluegreen_proxy::Proxy;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::events::v1::Event as EventObject;
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, ValidationDirective,
};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::World;
use super::fixture::App;
use super::guard::{self, Guard};
use super::operator::{Operator, PROGRAM, environment};
use super::phases;
use super::record::{Event, Kind, Record};
use super::setup;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// A namespace with a record of all that happens in it.
pub struct Sandbox {
    /// The namespace.
    pub namespace: String,
    /// A cluster admin.
    pub client: Client,
    /// The operator's user.
    pub user: UserAccount,
    cluster: &'static Cluster,
    record: Record,
    /// Where the audit log was at the beginning.
    began: Option<Offset>,
    /// The Lease's duration, renew deadline and retry period, and the timeout of a write.
    pace: [&'static str; 4],
    logs: PathBuf,
    started: AtomicUsize,
}

impl Sandbox {
    /// A new namespace, in which the operator's user has the operator's rights.
    pub async fn new(name: &str) -> Result<Self> {
        Self::on(setup::cluster().await?, name).await
    }

    /// As [`Sandbox::new`], in another cluster than the one that all tests share.
    pub async fn on(cluster: &'static Cluster, name: &str) -> Result<Self> {
        let client = cluster.client()?;
        let namespace: Namespace =
            serde_json::from_value(json!({"metadata": {"generateName": format!("{name}-")}}))?;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let namespace = namespaces.create(&PostParams::default(), &namespace).await?.name_any();
        let user = cluster.user(&format!("{}{namespace}", setup::OPERATOR), &[]).await?;
        setup::allow(&client, &namespace, &user, setup::ROLE).await?;
        let record = Record::start(&client, &namespace).await?;
        let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let pace = ["15s", "10s", "2s", "5s"];
        let began = cluster.audit().ok().map(|audit| audit.end()).transpose()?;
        Ok(Self { namespace, client, user, cluster, record, began, pace, logs, started: AtomicUsize::new(0) })
    }

    /// The same namespace with a new record, which begins with what is there now: for a cluster whose objects have gone back to
    /// earlier versions, which the record before would never hear of.
    pub async fn anew(self) -> Result<Self> {
        let record = Record::of_all(&self.client, &self.namespace).await?;
        let began = self.cluster.audit().ok().map(|audit| audit.end()).transpose()?;
        Ok(Self { record, began, ..self })
    }

    /// A namespace in which the operator runs and this app serves, all done.
    pub async fn serving(name: &str, app: &App) -> Result<(Self, Operator)> {
        Self::new(name).await?.serve(app).await
    }

    /// For tests that kill a leader and wait for the next. Not for all, since on a busy machine a short Lease is
    /// lost now and then, and then the operator ends, as it should.
    pub fn with_a_short_lease(mut self) -> Self {
        self.pace = ["8s", "6s", "1500ms", "2s"];
        self
    }

    /// The Lease's duration, renew deadline and retry period, and the timeout of a write.
    pub fn with_pace(mut self, pace: [&'static str; 4]) -> Self {
        self.pace = pace;
        self
    }

    /// Starts the operator and waits until this app serves, all done.
    pub async fn serve(self, app: &App) -> Result<(Self, Operator)> {
        let operator = self.operator()?;
        self.apply(app).await?;
        let idle = |world: &World| {
            world.says(&app.name, "StandbyReady").is_some()
                || world.condition(&app.name, "StandbyReady", "False", "ScaledDown")
        };
        self.until("the app serves", |world| world.settled(&app.name) && idle(world)).await?;
        Ok((self, operator))
    }

    /// Starts the operator.
    pub fn operator(&self) -> Result<Operator> {
        self.operator_of(setup::LEASE, &self.user.kubeconfig)
    }

    /// Starts the operator of another release.
    pub fn operator_from(&self, program: &Path) -> Result<Operator> {
        self.launch(program, setup::LEASE, &self.user.kubeconfig, &[])
    }

    /// Starts the operator for this namespace and others.
    pub fn operator_with(&self, others: &[&str]) -> Result<Operator> {
        self.launch(Path::new(PROGRAM), setup::LEASE, &self.user.kubeconfig, others)
    }

    /// Starts the operator behind a proxy; the record and the guard are not behind it.
    pub fn operator_behind(&self, proxy: &Proxy) -> Result<Operator> {
        self.operator_behind_with(proxy, &[])
    }

    /// Starts the operator for this namespace and others behind a proxy.
    pub fn operator_behind_with(&self, proxy: &Proxy, others: &[&str]) -> Result<Operator> {
        let number = self.started.load(Ordering::SeqCst);
        let kubeconfig = self.user.kubeconfig.with_extension(format!("proxied-{number}"));
        proxy.write_kubeconfig(&kubeconfig)?;
        self.launch(Path::new(PROGRAM), setup::LEASE, &kubeconfig, others)
    }

    /// Starts the operator of another installation: it has a Lease of its own.
    pub fn other_operator(&self) -> Result<Operator> {
        self.operator_of(setup::OTHER_LEASE, &self.user.kubeconfig)
    }

    fn operator_of(&self, lease: &str, kubeconfig: &Path) -> Result<Operator> {
        self.launch(Path::new(PROGRAM), lease, kubeconfig, &[])
    }

    fn launch(&self, program: &Path, lease: &str, kubeconfig: &Path, others: &[&str]) -> Result<Operator> {
        let (namespace, [duration, renew, retry, write]) = (&self.namespace, self.pace);
        let watched = [&[namespace.as_str()], others].concat().join(",");
        let mut arguments = vec![
            format!("--namespace={watched}"),
            format!("--lease-namespace={namespace}"),
            format!("--lease-name={lease}"),
            format!("--lease-duration={duration}"),
            format!("--lease-renew-deadline={renew}"),
            format!("--lease-retry-period={retry}"),
            format!("--write-timeout={write}"),
            "--log-format=text".to_owned(),
            "--log-level=info,bluegreen_operator=debug".to_owned(),
        ];
        // A release before may have one address for everything.
        let help = std::process::Command::new(program).args(["run", "--help"]).output()?;
        let addresses: &[&str] = match String::from_utf8_lossy(&help.stdout).contains("--http-addr") {
            true => &["--http-addr=127.0.0.1:0"],
            false => &["--health-addr=127.0.0.1:0", "--metrics-addr=127.0.0.1:0"],
        };
        arguments.extend(addresses.iter().map(|address| (*address).to_owned()));
        let environment = environment(self.cluster, kubeconfig)?;
        let number = self.started.fetch_add(1, Ordering::SeqCst);
        Operator::start_program(program, &arguments, &environment, &self.log(number))
    }

    fn log(&self, number: usize) -> PathBuf {
        self.logs.join(format!("{}-{number}.log", self.namespace))
    }

    /// Creates or changes an app as `kubectl apply` does.
    pub async fn apply(&self, app: &App) -> Result<()> {
        let params =
            PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("e2e") };
        let api = Kind::App.api(&self.client, &self.namespace);
        let applied = api.patch(&app.name, &params, &Patch::Apply(app.object())).await?;
        self.heard(Kind::App, &applied).await
    }

    /// As [`Sandbox::apply`], for many at once.
    pub async fn apply_owned(&self, app: App) -> Result<()> {
        self.apply(&app).await
    }

    /// Changes an app's spec by a merge patch, as `kubectl patch` does.
    pub async fn edit(&self, app: &str, spec: Value) -> Result<()> {
        self.patch(Kind::App, app, json!({ "spec": spec })).await
    }

    /// Asks for a color.
    pub async fn activate(&self, app: &str, color: Color) -> Result<()> {
        self.edit(app, json!({ "active": color })).await
    }

    /// Patches any object, as a person would who should not.
    pub async fn patch(&self, kind: Kind, name: &str, patch: Value) -> Result<()> {
        let api = kind.api(&self.client, &self.namespace);
        let params = PatchParams { field_manager: Some("kubectl-edit".to_owned()), ..PatchParams::default() };
        let patched = api.patch(name, &params, &Patch::Merge(patch)).await?;
        self.heard(kind, &patched).await
    }

    /// `kubectl set image deployment/NAME app=IMAGE`.
    pub async fn set_image(&self, deployment: &str, image: &str) -> Result<()> {
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch =
            json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": image}]}}}});
        let params = PatchParams { field_manager: Some("kubectl-set".to_owned()), ..PatchParams::default() };
        let patched = api.patch(deployment, &params, &Patch::Strategic(patch)).await?;
        self.note(Kind::Deployment, patched.resource_version()).await
    }

    /// Creates any object.
    pub async fn create(&self, kind: Kind, object: Value) -> Result<()> {
        let api = kind.api(&self.client, &self.namespace);
        let created = api.create(&PostParams::default(), &serde_json::from_value(object)?).await?;
        self.heard(kind, &created).await
    }

    /// Deletes an object and waits until it is gone, or is another one.
    pub async fn delete(&self, kind: Kind, name: &str) -> Result<()> {
        let api = kind.api(&self.client, &self.namespace);
        let uid = api.get(name).await?.uid().context("uid")?;
        // Background deletion takes effect at once, in one write, which is the one that the watch tells.
        api.delete(name, &DeleteParams::background()).await?;
        let gone = |world: &World| {
            world.raw(kind, name).is_none_or(|object| object["metadata"]["uid"] != uid.as_str())
        };
        self.until(&format!("{kind:?} {name} is deleted"), gone).await?;
        for event in self.record.events() {
            if event.kind == kind && event.deleted && event.object["metadata"]["uid"] == uid.as_str() {
                self.record.note_foreign(event.version);
            }
        }
        Ok(())
    }

    async fn heard(&self, kind: Kind, object: &DynamicObject) -> Result<()> {
        self.note(kind, object.resource_version()).await
    }

    /// The record must know an edit before anything is concluded from it.
    async fn note(&self, kind: Kind, version: Option<String>) -> Result<()> {
        let version = version.context("version")?.parse()?;
        self.record.note_foreign(version);
        self.record.caught_up(kind, version).await
    }

    /// `kubectl` with these arguments, in this namespace, as cluster admin: what it prints.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        output(self.cluster.kubectl(&[&["-n", &self.namespace], arguments].concat())).await
    }

    /// As [`Sandbox::kubectl`], for a command that edits one object and prints it with `-o json`.
    pub async fn kubectl_edits(&self, kind: Kind, arguments: &[&str]) -> Result<()> {
        let printed = self.kubectl(&[arguments, &["-o", "json"]].concat()).await?;
        self.heard(kind, &serde_json::from_str(&printed)?).await
    }

    /// The Events of this reason, once there is one.
    pub async fn told(&self, reason: &str) -> Result<Vec<EventObject>> {
        let events: Api<EventObject> = Api::namespaced(self.client.clone(), &self.namespace);
        let find = async || {
            let all = events.list(&ListParams::default()).await?.items;
            let of: Vec<_> = all.into_iter().filter(|it| it.reason.as_deref() == Some(reason)).collect();
            ensure!(!of.is_empty(), "no Event {reason}");
            Ok(of)
        };
        patiently(PATIENCE, find).await
    }

    /// What is there now.
    pub fn world(&self) -> World {
        self.record.world()
    }

    /// Waits until that holds, and not longer than [`PATIENCE`].
    pub async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        self.within(PATIENCE, what, holds).await
    }

    /// Waits until that holds; `false` when it does not in time.
    pub async fn reached(&self, limit: Duration, holds: impl Fn(&World) -> bool) -> Result<bool> {
        Ok(self.record.until(limit, holds).await?.is_some())
    }

    /// The writes that were the test's own.
    pub fn foreign(&self) -> std::collections::BTreeSet<u64> {
        self.record.foreign()
    }

    /// Waits until that holds.
    pub async fn within(&self, limit: Duration, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        match self.record.until(limit, holds).await? {
            Some(()) => Ok(()),
            None => bail!("not within {limit:?}: {what}\n{}", self.describe()?),
        }
    }

    /// Waits for that long and fails as soon as it does not hold.
    pub async fn throughout(&self, time: Duration, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        let start = Instant::now();
        match self.record.until(time, |world| !holds(world)).await? {
            None => Ok(()),
            Some(()) => bail!("not any more after {:?}: {what}\n{}", start.elapsed(), self.describe()?),
        }
    }

    /// Where a program that talks to this cluster finds it.
    pub fn environment(&self, kubeconfig: &Path) -> Result<Vec<(String, String)>> {
        environment(self.cluster, kubeconfig)
    }

    /// A cluster admin's configuration.
    pub fn admin_config(&self) -> kube::Config {
        self.cluster.admin_config()
    }

    /// Everything that happened so far, in its true order.
    pub fn events(&self) -> Vec<Event> {
        self.record.events()
    }

    /// What the guard saw so far.
    pub fn guard(&self) -> Guard {
        guard::replay(&self.record.events(), &self.record.foreign())
    }

    /// Ends the test: every promise must have been kept at every instant.
    pub async fn finish(self) -> Result<()> {
        self.finish_allowing(&[]).await
    }

    /// As [`Sandbox::finish`], but these are part of the test.
    pub async fn finish_allowing(self, allowed: &[guard::Rule]) -> Result<()> {
        self.end(allowed, None, &[]).await
    }

    /// As [`Sandbox::finish`], where admission refuses this resource to the operator as a part of the test.
    pub async fn finish_refused(self, resource: &str) -> Result<()> {
        self.end(&[], Some(resource), &[]).await
    }

    /// As [`Sandbox::finish`], where the operator was without rights in these other namespaces as a part of the test.
    pub async fn finish_without_rights_in(self, others: &[&str]) -> Result<()> {
        self.end(&[], None, others).await
    }

    async fn end(self, allowed: &[guard::Rule], refused: Option<&str>, blind: &[&str]) -> Result<()> {
        // What was written until now must have been heard of.
        tokio::time::sleep(Duration::from_millis(200)).await;
        let broken: Vec<String> =
            self.guard().broken.into_iter().filter(|b| !allowed.contains(&b.rule)).map(|b| b.words).collect();
        ensure!(broken.is_empty(), "the guard saw:\n{}\n{}", broken.join("\n"), self.describe()?);
        let unknown = phases::strange_steps(&self.record.events());
        ensure!(unknown.is_empty(), "not in the diagram of docs/concepts.md: {}", unknown.join(", "));
        let forbidden = self.forbidden(refused, blind)?;
        ensure!(forbidden.is_empty(), "the operator has no right to\n{}", forbidden.join("\n"));
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(&self.namespace, &DeleteParams::background()).await?;
        Ok(())
    }

    /// What the operator of this sandbox asked for in any namespace, from `since` on; `None` where there is no audit log.
    pub fn asked(&self, since: Offset, wanted: impl Fn(&Entry) -> bool) -> Result<Option<Vec<Entry>>> {
        let Ok(audit) = self.cluster.audit() else { return Ok(None) };
        Ok(Some(audit.matching(since, |entry| entry.user == self.user.name && wanted(entry))?))
    }

    /// Where the audit log is now.
    pub fn asked_until_now(&self) -> Result<Option<Offset>> {
        self.cluster.audit().ok().map(|audit| audit.end()).transpose()
    }

    /// What the operator asked for in vain.
    fn forbidden(&self, refused: Option<&str>, blind: &[&str]) -> Result<Vec<String>> {
        let Some(began) = self.began else { return Ok(Vec::new()) };
        let is_part = |entry: &Entry| {
            entry.authorized && Some(entry.resource.as_str()) == refused
                || blind.contains(&entry.namespace.as_str())
        };
        // The operator asks for resources alone. Whoever asked for something else, as for `/metrics`, has not noticed that a proxy in front
        // of the API server has the port by now that another process had.
        let asks = |entry: &Entry| entry.user == self.user.name && !entry.resource.is_empty();
        let forbidden = |entry: &Entry| asks(entry) && entry.code == 403 && !is_part(entry);
        let entries = self.cluster.audit()?.matching(began, forbidden)?;
        Ok(entries.into_iter().map(|entry| format!("{} {}", entry.verb, entry.uri)).collect())
    }

    /// All that helps to see why.
    fn describe(&self) -> Result<String> {
        let mut text = String::new();
        let world = self.record.world();
        for (name, app) in world.all(Kind::App) {
            let words = serde_yaml_ng::to_string(&json!({
                "generation": app["metadata"]["generation"], "spec": app["spec"], "status": app["status"],
            }))?;
            text += &format!("--- app {name}, whose Service selects {}\n{words}", world.selects(name));
        }
        text += &format!("--- selectors and templates over time\n{}\n", self.guard().timeline.join("\n"));
        for number in 0..self.started.load(Ordering::SeqCst) {
            text += &format!("--- log of operator {number}\n{}\n", tail(&self.log(number), 40));
        }
        Ok(text)
    }
}

//! A real Argo CD deploys from a real Git repository to a real node, with traffic on.
//!
//! The commands are those of `docs/gitops.md`. Every word that Argo CD says about the Application is kept, and none of them
//! may be of drift but where somebody else than Git edits the app.

mod hashes;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Cluster, manifests};
use bluegreen_load::{Load, Plan};
use serde_json::{Value, json};

use crate::application::{Application, Said};
use crate::argo::{Argo, EXAMPLE_REPOSITORY, script};
use crate::check::{self, Expected};
use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::{Kind, Sandbox, World, setup};
use crate::root;
use crate::shell::Shell;
use bluegreen_api::Color::{self, Blue, Green};

const APP: &str = "hello";
const PORT: u16 = 30_007;
const PATIENCE: Duration = Duration::from_secs(180);

/// Everything that takes part.
struct Story {
    sandbox: Sandbox,
    _operator: Operator,
    argo: Argo,
    application: Application,
    /// In a copy of this repository's examples.
    here: Shell,
    /// In the clone of the team's repository.
    clone: Shell,
    /// Looks at the app in some phase, and those at which Argo CD saw drift.
    looks: Vec<(String, bool)>,
}

impl Story {
    async fn begin() -> Result<Self> {
        let cluster = setup::real_node().await?;
        cluster.load_images(&["hello-v1.0.0", "hello-v2.0.0"]).await?;
        let sandbox = Sandbox::on(cluster, "shop").await?;
        let operator = sandbox.operator()?;
        let start = Instant::now();
        let argo = Argo::start(cluster).await?;
        println!("Argo CD runs after {:.1} s", start.elapsed().as_secs_f64());
        let here = examples(&argo, &sandbox).await?;
        let clone = here.at(&argo.repository.clone);
        let application = Application::watch(cluster.client()?, APP);
        Ok(Self { sandbox, _operator: operator, argo, application, here, clone, looks: Vec::new() })
    }

    /// The commit that everybody sees.
    async fn head(&self) -> Result<String> {
        Ok(self.clone.run("git rev-parse origin/main").await?.trim().to_owned())
    }

    /// Argo CD has applied the newest commit and says so.
    async fn synced(&self) -> Result<String> {
        let head = self.head().await?;
        self.application.refresh().await?;
        let applied = |said: &Said| {
            said.sync == "Synced"
                && said.revision == head
                && said.operation == ("Succeeded".into(), head.clone())
        };
        self.application.until("the commit is synced", applied).await?;
        Ok(head)
    }

    /// The newest commit is applied, and the app's health is this.
    async fn settles(&self, step: &str, health: &str) -> Result<()> {
        let start = Instant::now();
        let head = self.synced().await?;
        let there = |said: &Said| said.sync == "Synced" && said.revision == head && said.health == health;
        self.application.until(&format!("{step}: {health}"), there).await?;
        println!("  {step}: {health} after {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// At the very moment that Argo CD says Healthy, this color serves with this tag.
    async fn serves(&mut self, step: &str, color: Color, tag: &str) -> Result<()> {
        self.settles(step, "Healthy").await?;
        let expected = Expected { color, image: format!("docker.io/library/hello:{tag}"), replicas: 3 };
        let live = check::look(&self.sandbox.client, &self.sandbox.namespace, APP).await?;
        let problems = check::problems(&expected, &live);
        ensure!(problems.is_empty(), "{step}: Healthy, but {}", problems.join("; "));
        self.look(step).await
    }

    /// Has Argo CD compare, now.
    async fn look(&mut self, phase: &str) -> Result<()> {
        self.application.refresh().await?;
        let said = self.application.said();
        let (_, last) = said.last().context("nothing was said")?;
        self.looks.push((format!("{phase}: {last:?}"), last.sync == "Synced"));
        Ok(())
    }

    /// Waits for a phase of the app, and has Argo CD compare in it.
    async fn look_when(&mut self, phase: &str, reached: impl Fn(&World) -> bool) -> Result<()> {
        self.sandbox.within(PATIENCE, phase, reached).await?;
        self.look(phase).await
    }

    async fn commit(&self, edit: &str, message: &str) -> Result<()> {
        self.clone.run(edit).await?;
        self.clone
            .run(&format!("git add --all && git commit --quiet --message '{message}' && git push --quiet"))
            .await?;
        Ok(())
    }

    async fn traffic(&self) -> Result<Load> {
        let node = self.argo.cluster.node_address().context("a real node")?;
        let address = SocketAddr::new(node, PORT);
        Load::once_answered(Plan::mixed(address)).await
    }

    /// The uids of everything that the operator made for the app.
    fn children(&self) -> Vec<Value> {
        let world = self.sandbox.world();
        let names = [
            (Kind::Service, "hello"),
            (Kind::Service, "hello-blue"),
            (Kind::Service, "hello-green"),
            (Kind::Deployment, "hello-blue"),
            (Kind::Deployment, "hello-green"),
        ];
        let uid = |(kind, name)| {
            world.raw(kind, name).map_or(Value::Null, |object| object["metadata"]["uid"].clone())
        };
        names.into_iter().map(uid).collect()
    }
}

/// The examples with the team's repository and namespace put in, and a kubeconfig for that namespace.
async fn examples(argo: &Argo, sandbox: &Sandbox) -> Result<Shell> {
    let folder = argo.folder.join("here");
    let copied = folder.join("examples/gitops");
    std::fs::create_dir_all(&copied)?;
    let kubeconfig = argo.folder.join("kubeconfig");
    std::fs::copy(argo.cluster.kubeconfig(), &kubeconfig)?;
    let bin = argo.folder.join("cli");
    std::fs::create_dir_all(&bin)?;
    let options = format!("--server {} --plaintext", argo.api);
    let program = argo.program.display();
    let home = argo.folder.join("cli-home");
    let wrapper = format!("export HOME={} ARGOCD_OPTS='{options}'\nexec {program} \"$@\"", home.display());
    script(&bin.join("argocd"), &wrapper)?;
    let tools = argo.cluster.tool("kubectl").parent().context("its folder")?.to_owned();
    let shell = Shell { folder, programs: vec![bin, tools], kubeconfig };
    let from = root().join("examples/gitops").display().to_string();
    shell.run(&format!("cp -r {from}/. examples/gitops/")).await?;
    let replace = format!(
        "s|{EXAMPLE_REPOSITORY}|{}|; s|namespace: shop|namespace: {}|",
        argo.repository.url, sandbox.namespace
    );
    shell.run(&format!("sed -i '{replace}' examples/gitops/argocd/*.yaml")).await?;
    shell.run(&format!("kubectl config set-context --current --namespace={}", sandbox.namespace)).await?;
    Ok(shell)
}

fn drains(world: &World) -> bool {
    world.ready(APP) && world.status(APP).is_some_and(|status| status.switch.is_some())
}

fn settled(world: &World) -> bool {
    world.settled(APP) && world.says(APP, "StandbyReady").is_some()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Argo CD and the sample app's images: `make gitops-test`"]
async fn does_a_real_argo_cd_deploy_switch_and_revert_without_drift_and_without_losing_a_request()
-> Result<()> {
    if !Cluster::real_node_wanted()? {
        return Ok(());
    }
    let mut story = Story::begin().await?;
    let result = tell(&mut story).await;
    if result.is_err() {
        println!("{:#?}\n{}", story.application.said(), story.argo.logs()?);
    }
    result?;
    story.sandbox.finish().await
}

async fn tell(story: &mut Story) -> Result<()> {
    story.here.follow("Health and actions").await?;
    first_commit(story).await?;
    story.here.follow("Git decides").await?;
    story.serves("the first commit", Blue, "v1.0.0").await?;
    story.here.follow("Try the health of an app").await?;
    let load = story.traffic().await?;
    let start = Instant::now();

    deploy_and_switch(story).await?;
    let children = story.children();
    both_in_one_commit(story).await?;
    stuck_and_freed(story).await?;
    hashes::are_kept_while_a_color_names_them(story).await?;
    ensure!(children == story.children(), "the operator's objects are not the same any more");
    let drifts = story.application.drifts();
    ensure!(drifts.is_empty(), "drift: {drifts:#?}");
    heal_and_prune(story).await?;
    let healed = Instant::now();
    somebody_else_decides(story).await?;

    let later = story.application.drifts().into_iter().filter(|(at, _)| *at > healed).count();
    ensure!(later == 0, "drift where somebody else decides");
    let took = start.elapsed();
    let report = load.stop().await?;
    println!("{report}");
    let drifted: Vec<_> =
        story.looks.iter().filter(|(_, synced)| !synced).map(|(phase, _)| phase.clone()).collect();
    println!(
        "{} of {} looks without drift, {} words of Argo CD, {} of {} requests lost in {:.0} s",
        story.looks.len() - drifted.len(),
        story.looks.len(),
        story.application.said().len(),
        report.total.failed(),
        report.total.sent,
        took.as_secs_f64(),
    );
    ensure!(drifted.is_empty(), "drift in {}", drifted.join("\n"));
    ensure!(report.total.failed() == 0, "{} requests were lost", report.total.failed());
    Ok(())
}

/// Both colors with the first version, and another app that is to go.
async fn first_commit(story: &Story) -> Result<()> {
    let from = story.here.folder.join("examples/gitops/argocd/app");
    // Pods that count only after a while, so that there is time to look at every phase.
    let slow = "printf '  minReadySeconds: 4\\n  maxSurge: 100%%\\n' >>hello/hello.yaml";
    let edit = format!(
        "cp -r {} hello && {slow} \
         && sed 's/name: hello$/name: other/; s/replicas: 3/replicas: 1/; s/NodePort/ClusterIP/; /nodePort/d' \
         hello/hello.yaml >hello/other.yaml",
        from.display()
    );
    story.commit(&edit, "hello").await
}

async fn deploy_and_switch(story: &mut Story) -> Result<()> {
    story.clone.follow("Deploy").await?;
    story.synced().await?;
    story
        .look_when("the idle color rolls", |world| {
            world.condition(APP, "Reconciling", "True", "StandbyUpdating")
        })
        .await?;
    story.serves("v2.0.0 waits on green", Blue, "v1.0.0").await?;
    story
        .look_when("a version waits for a person", |world| {
            settled(world) && world.image(APP, Green).is_some_and(|image| image.ends_with("v2.0.0"))
        })
        .await?;
    story.clone.follow("Switch").await?;
    story.synced().await?;
    story.look_when("blue drains", drains).await?;
    story.serves("green went live", Green, "v2.0.0").await?;
    story.look_when("green serves", settled).await?;
    story.clone.follow("Switch back").await?;
    story.serves("the revert", Blue, "v1.0.0").await?;
    story.look_when("blue serves again", settled).await
}

async fn both_in_one_commit(story: &mut Story) -> Result<()> {
    let edit =
        "sed -i 's/active: blue/active: green/; /^  green:/,/tag:/ s/tag: .*/tag: v1.0.0/' hello/hello.yaml";
    story.commit(edit, "a version and the switch in one commit").await?;
    story.synced().await?;
    story
        .look_when("green starts", |world| world.condition(APP, "Reconciling", "True", "WaitingForTarget"))
        .await?;
    story.serves("green went live with a new tag", Green, "v1.0.0").await?;
    story.look_when("green serves", settled).await?;
    story.clone.follow("Switch back").await?;
    story.serves("the revert of both", Blue, "v1.0.0").await?;
    // Green's block is edited too, and applied when it has drained.
    story
        .look_when("green has its old tag again", |world| {
            settled(world) && world.image(APP, Green).is_some_and(|image| image.ends_with("v2.0.0"))
        })
        .await
}

/// Commits that go nowhere: said, applied without drift, and taken back by a revert.
async fn stuck_and_freed(story: &mut Story) -> Result<()> {
    let held = "sed -i '/^  blue:/,/tag:/ s/tag: .*/tag: v2.0.0/' hello/hello.yaml";
    let broken = "sed -i 's/active: blue/active: green/; /^  green:/a \\    image: localhost/nothing' hello/hello.yaml \
                  && echo '  progressDeadlineSeconds: 8' >>hello/hello.yaml";
    let midway =
        "sed -i 's/active: blue/active: green/' hello/hello.yaml && echo '  paused: true' >>hello/hello.yaml";
    for (edit, message) in [
        (held, "an edit of the live color"),
        (broken, "an image that is nowhere"),
        (midway, "a switch that is paused"),
    ] {
        story.commit(edit, message).await?;
        story.settles(message, "Degraded").await?;
        is_notified(story, "Degraded").await?;
        story.look(message).await?;
        story.clone.follow("Switch back").await?;
        story.serves(&format!("{message}, reverted"), Blue, "v1.0.0").await?;
        story.look_when("all is as it was", settled).await?;
        is_notified(story, "Healthy").await?;
    }
    let paused = "echo '  paused: true' >>hello/hello.yaml";
    story.commit(paused, "paused with nothing to do").await?;
    story.serves("paused", Blue, "v1.0.0").await?;
    story.clone.follow("Switch back").await?;
    story.serves("not paused any more", Blue, "v1.0.0").await
}

/// Asked by its own program, Argo CD sends what docs/notifications.md says, section "Argo CD": of this health, and no other.
async fn is_notified(story: &Story, health: &str) -> Result<()> {
    let recipe = manifests(include_str!("../../docs/notifications.md"), "Argo CD");
    std::fs::write(story.here.folder.join("notifications.yaml"), recipe.first().context("a recipe")?)?;
    let ask = async |what: &str| {
        let options = "--namespace argocd --config-map notifications.yaml --secret :empty";
        story.here.run(&format!("argocd admin notifications {what} {options}")).await
    };
    for (trigger, of) in [("bluegreen-degraded", "Degraded"), ("bluegreen-healthy", "Healthy")] {
        let said = ask(&format!("trigger run {trigger} {APP}")).await?;
        let sends = said.lines().any(|line| line.trim_end().ends_with("true"));
        ensure!(sends == (of == health), "{trigger} of an app that is {health}: {said}");
    }
    let message = ask(&format!("template notify bluegreen-health {APP} --recipient console:stdout")).await?;
    let words = format!("{APP} is {health} at {}", story.head().await?);
    ensure!(message.contains(&words), "{message} lacks {words}");
    Ok(())
}

async fn heal_and_prune(story: &mut Story) -> Result<()> {
    let generation =
        |world: &World| world.raw(Kind::App, APP).and_then(|app| app["metadata"]["generation"].as_i64());
    let before = generation(&story.sandbox.world());
    story.here.run(r#"kubectl patch bga hello --type merge -p '{"spec":{"active":"green"}}'"#).await?;
    story
        .sandbox
        .within(PATIENCE, "Argo CD takes the edit by hand back", |world| {
            generation(world) > before.map(|number| number + 1)
                && world.raw(Kind::App, APP).is_some_and(|app| app["spec"]["active"] == "blue")
        })
        .await?;
    story.serves("an edit by hand was taken back", Blue, "v1.0.0").await?;

    let world = story.sandbox.world();
    ensure!(world.children("other").len() > 5, "{:?}", world.children("other"));
    story.commit("git rm --quiet hello/other.yaml", "other goes").await?;
    story.synced().await?;
    story
        .sandbox
        .within(PATIENCE, "other is gone, and all that was made for it", |world| {
            world.raw(Kind::App, "other").is_none() && world.children("other").is_empty()
        })
        .await?;
    story.serves("other was pruned", Blue, "v1.0.0").await
}

/// From here on Git's `active` is looked at no more.
async fn somebody_else_decides(story: &mut Story) -> Result<()> {
    story.argo.start_api().await?;
    story.here.follow("Somebody else decides").await?;
    story.sandbox.within(PATIENCE, "green serves", |world| world.serves(APP, Green)).await?;
    story.serves("the action", Green, "v2.0.0").await?;
    // A sync for another reason leaves the color alone.
    story
        .commit("sed -i '/^  blue:/,/tag:/ s/tag: .*/tag: v2.0.0/' hello/hello.yaml", "v2.0.0 on blue")
        .await?;
    story.serves("v2.0.0 waits on blue", Green, "v2.0.0").await?;
    story
        .look_when("blue has v2.0.0", |world| {
            settled(world) && world.image(APP, Blue).is_some_and(|image| image.ends_with("v2.0.0"))
        })
        .await?;
    let spec = story.sandbox.world().raw(Kind::App, APP).map_or(json!(null), |app| app["spec"].clone());
    ensure!(spec["active"] == "green", "{spec}");
    Ok(())
}

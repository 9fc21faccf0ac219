//! One app, released by Helm in a namespace of its own, with an operator of its own.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use bluegreen_api::Color;
use bluegreen_cluster::Cluster;
use serde_json::{Value, json};

use crate::e2e::harness::operator::Operator;
use crate::e2e::harness::{App, Kind, Sandbox, World, setup};
use crate::helm::{Answer, Helm, RELEASE};
use crate::root;
use crate::shell::Shell;
use crate::verdict::Verdict;

/// Several stages share the machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Where a state is brought about.
pub struct Stage {
    pub sandbox: Sandbox,
    pub operator: Option<Operator>,
    /// A second one, of another installation.
    pub other: Option<Operator>,
    pub helm: Helm,
    cluster: &'static Cluster,
    spec: Value,
}

impl Stage {
    pub async fn new(name: &str) -> Result<Self> {
        let cluster = setup::cluster().await?;
        let sandbox = Sandbox::new(name).await?;
        let helm = Helm::new(cluster, &sandbox.namespace).await?;
        let operator = Some(sandbox.operator()?);
        Ok(Self { sandbox, operator, other: None, helm, cluster, spec: Value::Null })
    }

    /// `helm upgrade --install`, without waiting for anything.
    pub async fn release(&mut self, app: &App) -> Result<()> {
        self.spec = app.object()["spec"].clone();
        self.helm.upgrade(&self.spec, &[]).await?.worked()?;
        // An edit of nothing: what is concluded from now on knows what Helm wrote.
        self.sandbox.patch(Kind::App, RELEASE, json!({})).await
    }

    /// Releases an app and waits until blue serves and whatever else there is, is ready.
    pub async fn serve(&mut self, app: &App) -> Result<()> {
        self.release(app).await?;
        let idle = |world: &World| {
            world.says(RELEASE, "StandbyReady").is_some()
                || ["Absent", "ScaledDown"]
                    .iter()
                    .any(|reason| world.condition(RELEASE, "StandbyReady", "False", reason))
        };
        self.until("the app serves", |world| world.settled(RELEASE) && idle(world)).await
    }

    /// Waits until that holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&World) -> bool) -> Result<()> {
        self.sandbox.within(PATIENCE, what, holds).await
    }

    /// The pods of a color turn unready.
    pub async fn unready(&self, color: Color) -> Result<()> {
        let unready = json!({"metadata": {"annotations": {"test.bluegreen.dev/ready": "never"}}});
        let (world, prefix) = (self.sandbox.world(), format!("{RELEASE}-{color}-"));
        for (name, _) in world.all(Kind::Pod).filter(|(name, _)| name.starts_with(&prefix)) {
            self.sandbox.patch(Kind::Pod, name, unready.clone()).await?;
        }
        Ok(())
    }

    /// The pod of the only Job ends with this exit code.
    pub async fn end_job(&self, code: &str) -> Result<()> {
        let exit = format!("test.bluegreen.dev/exit={code}");
        let of_jobs = ["annotate", "pods", "-l", "batch.kubernetes.io/job-name", &exit];
        self.sandbox.kubectl(&of_jobs).await.map(drop)
    }

    /// The app as it is.
    pub fn object(&self) -> Result<Value> {
        Ok(self.sandbox.world().raw(Kind::App, RELEASE).context("the app")?.clone())
    }

    /// The same release once more, with `--wait`.
    pub async fn helm_waits(&self, seconds: u32) -> Result<Answer> {
        self.helm.upgrade(&self.spec, &["--wait", "--timeout", &format!("{seconds}s")]).await
    }

    /// `kubectl wait`.
    pub async fn kubectl_waits(&self, seconds: u32) -> Result<Verdict> {
        let timeout = format!("--timeout={seconds}s");
        match self.sandbox.kubectl(&["wait", "bga", RELEASE, "--for=condition=Ready", &timeout]).await {
            Ok(_) => Ok(Verdict::Done),
            Err(error) if error.to_string().contains("timed out") => Ok(Verdict::Waits),
            Err(error) => Err(error.context("kubectl failed otherwise")),
        }
    }

    /// In the repository's root, with kubectl, Helm and this namespace at hand.
    pub async fn shell(&self) -> Result<Shell> {
        let kubeconfig = self.helm.folder.join("kubeconfig");
        std::fs::copy(self.cluster.kubeconfig(), &kubeconfig)?;
        let folder = |program: &Path| program.parent().map(Path::to_owned).context("its folder");
        let programs = vec![folder(&self.helm.program)?, folder(&self.cluster.tool("kubectl"))?];
        let shell = Shell { folder: root().to_owned(), programs, kubeconfig };
        let context = format!("kubectl config set-context --current --namespace={}", self.sandbox.namespace);
        shell.run(&context).await?;
        Ok(shell)
    }
}

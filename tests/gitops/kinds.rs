//! Do the kinds of Flux, Argo CD and K3s take the examples?
//!
//! Their own CustomResourceDefinitions are asked, out of their Go modules: all that can be had of Flux and K3s here.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Tools, argocd, manifests, module_folder, target};

use crate::e2e::harness::{Sandbox, setup};
use crate::root;
use crate::shell::Shell;

/// Of Flux 2.6; newer ones with the same versions of these kinds could not be had.
const NOTIFICATION_CONTROLLER: &str = "github.com/fluxcd/notification-controller@v1.6.0";
const NOTIFICATION_CONTROLLER_SUM: &str = "h1:5C06VdqTVsbBFjtSZejnKT60U00Uyj6DAtKrqU1Si/w=";

/// A module, what `go.sum` says about it, and a file in it.
const MODULES: [(&str, &str, &str); 5] = [
    (
        "github.com/fluxcd/kustomize-controller@v1.10.1",
        "h1:IjTnrkIy0ULJoTNC2ZKuMb32vkqj7dJ6zt6UqbTFxKA=",
        "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    ),
    (
        "github.com/fluxcd/source-controller@v1.10.1",
        "h1:vkYpgpLZu20LQ2UN4lPBdWH7sqTNdQ8FjcZD/HogN2E=",
        "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    ),
    (
        NOTIFICATION_CONTROLLER,
        NOTIFICATION_CONTROLLER_SUM,
        "config/crd/bases/notification.toolkit.fluxcd.io_alerts.yaml",
    ),
    (
        NOTIFICATION_CONTROLLER,
        NOTIFICATION_CONTROLLER_SUM,
        "config/crd/bases/notification.toolkit.fluxcd.io_providers.yaml",
    ),
    (
        "github.com/k3s-io/helm-controller@v0.17.9",
        "h1:HhZTiFhVDzhbAYeb/aSlExWhJTnDTpHypMqu5Mh8Uow=",
        "pkg/crds/yaml/generated/helm.cattle.io_helmcharts.yaml",
    ),
];

/// A shell beside copies of the examples and of the chart, as in the repository.
async fn scratch(sandbox: &Sandbox, kubeconfig: &Path) -> Result<Shell> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&sandbox.namespace);
    std::fs::create_dir_all(&folder)?;
    let tools = tokio::task::spawn_blocking(|| -> Result<_> {
        let target = target()?;
        let helm = Tools::helm(&target)?.parent().context("its folder")?.to_owned();
        Ok(vec![Tools::ensure(&target)?.folder().to_owned(), helm])
    })
    .await??;
    let shell = Shell { folder, programs: tools, kubeconfig: kubeconfig.to_owned() };
    let from = root().display();
    shell
        .run(&format!("mkdir -p examples && cp -r {from}/examples/gitops examples && cp -r {from}/charts ."))
        .await?;
    Ok(shell)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "their modules want a newer Go, which is fetched: `make gitops-test`"]
async fn do_flux_argo_cd_and_k3s_take_the_examples() -> Result<()> {
    let cluster = setup::cluster().await?;
    let sandbox = Sandbox::new("kinds").await?;
    let shell = scratch(&sandbox, cluster.kubeconfig()).await?;
    let files = tokio::task::spawn_blocking(|| -> Result<Vec<_>> {
        let mut files: Vec<_> = argocd::crds()?.into();
        for (module, sum, file) in MODULES {
            files.push(module_folder(module, sum)?.join(file));
        }
        Ok(files)
    })
    .await??;
    for file in files {
        shell.run(&format!("kubectl apply --server-side -f {}", file.display())).await?;
    }
    // Each gets its first condition a moment after it is taken, and kubectl does not wait for that.
    let established = "kubectl wait crd --all --for=condition=Established --timeout=60s";
    shell.run(&format!("until {established}; do sleep 0.2; done")).await?;
    for namespace in ["argocd", "flux-system"] {
        shell
            .run(&format!(
                "kubectl create namespace {namespace} --dry-run=client -o yaml | kubectl apply -f -"
            ))
            .await?;
    }
    shell.follow("K3s").await?;
    let recipe = manifests(include_str!("../../docs/notifications.md"), "Flux");
    std::fs::write(shell.folder.join("notifications.yaml"), recipe.first().context("a recipe")?)?;
    let mut taken = 0;
    for file in [
        "examples/gitops/argocd/*.yaml",
        "examples/gitops/flux/*.yaml",
        "operator.yaml",
        "notifications.yaml",
    ] {
        let said = shell
            .run(&format!(
                "for file in {file}; do kubectl apply --server-side --dry-run=server --validate=strict -f $file 2>&1; done"
            ))
            .await?;
        ensure!(!said.contains("Warning") && !said.contains("rror"), "{said}");
        taken += said.lines().filter(|line| line.contains("serverside-applied")).count();
    }
    println!("{taken} objects taken");
    ensure!(taken == 9, "{taken}");
    packed_chart(&shell).await?;
    sandbox.finish().await
}

/// What K3s' controller would unpack is the chart.
async fn packed_chart(shell: &Shell) -> Result<()> {
    let unpack = "sed -n 's/^  chartContent: //p' operator.yaml | base64 -d >unpacked.tgz && helm show chart unpacked.tgz";
    let chart = shell.run(unpack).await?;
    ensure!(chart.contains("name: bluegreen-operator"), "{chart}");
    Ok(())
}

//! From the files of a release and nothing else: checked, installed with Helm and with kubectl, used with the tool that is
//! among them. `make release-test`, or `BLUEGREEN_RELEASE=FOLDER`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::{Tools, target};

use crate::place::Place;

const GUIDE: &str = "docs/release.md";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a release: `make release-test`"]
async fn does_a_release_install_from_its_files_alone() -> Result<()> {
    let release = std::env::var_os("BLUEGREEN_RELEASE").context("BLUEGREEN_RELEASE names no folder")?;
    let folder = copied(Path::new(&release))?;
    let image = folder.join(concat!("bluegreen-operator-", env!("CARGO_PKG_VERSION"), "-image.tar"));
    let tools = tokio::task::spawn_blocking(|| Tools::release(&target()?)).await??;
    let Some(place) = Place::with(&folder, &image).await? else { return Ok(()) };
    let krew = folder.join("krew");
    let place = place.with_more(tools.folder(), ("KREW_ROOT", &krew))?;

    let checks = place.commands_in(GUIDE, "Check the files")?;
    checks.iter().try_for_each(|line| place.run(line).map(drop))?;
    // Would it be told?
    fs::write(folder.join("tampered"), fs::read(folder.join("SHA256SUMS"))?.to_ascii_uppercase())?;
    for verifies in ["openssl dgst -sha256 -verify", "cosign verify-blob"] {
        // The page's own command, with another file.
        let line = checks.iter().find(|line| line.starts_with(verifies)).context(verifies)?;
        let other = line.strip_suffix("SHA256SUMS").context("the checked file comes last")?;
        ensure!(place.run(&format!("{other}tampered")).is_err(), "the signature fits other checksums too");
    }

    // As the command stands, on a cluster that has nothing of the operator yet.
    place.follow_in(GUIDE, "Install the files with Helm")?;
    place.refused()?;
    place.follow("Remove with Helm")?;
    // Its pods end after the Deployment is gone, and the kind would stay.
    place.run("kubectl -n bluegreen-system wait pods --all --for=delete --timeout=60s")?;
    place.run("kubectl delete crd bluegreenapps.bluegreen.dev")?;

    // What is removed loses its rights before it has ended, so only what comes after that counts.
    let since = place.cluster.audit()?.end()?;
    place.follow_in(GUIDE, "Install the files with kubectl")?;
    place.follow_in(GUIDE, "The command line tool")?;
    let installed = place.run("krew/bin/kubectl-bluegreen version")?;
    ensure!(installed.contains(env!("CARGO_PKG_VERSION")), "{installed}");
    does_the_tool_run_where_there_is_nothing_else(&place, &folder)?;
    // The example that Artifact Hub shows.
    let chart = place.run("helm show chart bluegreen-operator-*.tgz")?;
    let chart: serde_yaml_ng::Value = serde_yaml_ng::from_str(&chart)?;
    let example = chart["annotations"]["artifacthub.io/crdsExamples"].as_str().context("an example")?;
    let examples: Vec<serde_yaml_ng::Value> = serde_yaml_ng::from_str(example)?;
    fs::write(folder.join("hello.yaml"), serde_yaml_ng::to_string(examples.first().context("an app")?)?)?;
    place.run("kubectl apply -f hello.yaml")?;
    place.run("kubectl wait bga hello --for=condition=Ready --timeout=180s")?;
    let load = place.traffic().await?;
    place.run("kubectl bluegreen switch hello --to green --wait")?;
    ensure!(place.live()? == "green");

    // With Helm again, over what kubectl left: the page names the flag that this needs.
    place.refused_since(since)?;
    place.run("kubectl delete -f install.yaml -l app.kubernetes.io/name=bluegreen-operator")?;
    let since = place.cluster.audit()?.end()?;
    let install = place.commands_in(GUIDE, "Install the files with Helm")?;
    place.run(&format!("{} --take-ownership", install.first().context("helm install")?))?;
    place.run("kubectl bluegreen rollback hello --wait")?;
    ensure!(place.live()? == "blue");
    place.refused_since(since)?;
    place.left_alone("blue", load).await
}

/// The files as a user has them: in a folder of their own.
fn copied(release: &Path) -> Result<PathBuf> {
    let folder = target()?.join("release-test");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for file in fs::read_dir(release).with_context(|| format!("no release in {}", release.display()))? {
        let file = file?;
        fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    Ok(folder)
}

/// In a root folder with the tool, a kubeconfig and `/etc/hosts`: no library, no shell. A name of the API server is found.
fn does_the_tool_run_where_there_is_nothing_else(place: &Place, folder: &Path) -> Result<()> {
    let root = folder.join("root");
    fs::create_dir_all(root.join("etc"))?;
    fs::copy(folder.join("kubectl-bluegreen"), root.join("kubectl-bluegreen"))?;
    let server = place.run("kubectl config view -o jsonpath='{.clusters[0].cluster.server}'")?;
    let address = server.trim_start_matches("https://");
    let (host, port) = address.rsplit_once(':').context("a port")?;
    fs::write(root.join("etc/hosts"), format!("{host} kubernetes.default.svc\n"))?;
    let config = place.run("kubectl config view --raw --flatten")?;
    ensure!(config.contains(&server));
    fs::write(
        root.join("kubeconfig"),
        config.replace(&server, &format!("https://kubernetes.default.svc:{port}")),
    )?;
    let said =
        place.run("env -i $(command -v chroot) root /kubectl-bluegreen --kubeconfig /kubeconfig list")?;
    println!("in an empty root: {said}");
    Ok(())
}

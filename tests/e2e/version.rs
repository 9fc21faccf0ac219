//! Which Kubernetes the tests are talking to, for what differs between versions.

use anyhow::{Context, Result};
use bluegreen_cluster::versions::USUAL;
use kube::Client;

/// The minor version of the API server: 35 of 1.35.4.
pub async fn minor(client: &Client) -> Result<u32> {
    let info = client.apiserver_version().await?;
    // Some distributions write `35+`.
    info.minor.trim_end_matches('+').parse().with_context(|| format!("the minor version {:?}", info.minor))
}

/// Whether this is the version from whose schema the files of this repository are made. Another one has other fields, so a
/// test that compares such a file with it has nothing to say.
pub async fn is_usual(client: &Client) -> Result<bool> {
    let minor = minor(client).await?;
    let usual = USUAL == format!("1.{minor}");
    if !usual {
        println!("left out: the file is made from Kubernetes {USUAL}, and this is 1.{minor}");
    }
    Ok(usual)
}

//! Edits of a manifest, applied as a delivery tool would: does what the file says become what serves?

use std::path::Path;

use anyhow::{Context, Result, ensure};
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use super::e2e::harness::{Kind, Sandbox, World, app};
use super::ends;

const MANIFEST: &str = "\
# In Git.
apiVersion: bluegreen.dev/v1alpha1
kind: BlueGreenApp
metadata:
  name: hello
spec:
  active: blue # serves
  image: team/hello
  blue: {tag: v1}
  green: {tag: v2}
  replicas: 2
  port: 8888
  drainSeconds: 1
  service: {type: ClusterIP}
";

#[tokio::test]
async fn does_a_release_by_edits_of_a_file_go_live_and_back() -> Result<()> {
    let (sandbox, _operator) = Sandbox::serving("cli-file", &app("hello")).await?;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.yaml", sandbox.namespace));
    let file = path.display().to_string();
    std::fs::write(&path, MANIFEST)?;
    let is = |expected: &str| -> Result<()> {
        let found = std::fs::read_to_string(&path)?;
        ensure!(found == expected, "{found}");
        Ok(())
    };
    let applied =
        async || sandbox.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &file]).await;
    let generation = || sandbox.world().app("hello").and_then(|app| app.metadata.generation);
    applied().await?;

    // The edit alone changes nothing in the cluster.
    let before = generation();
    ends(&sandbox, 0, &["deploy", "-f", &file, "--tag", "v3", "--live"]).await?;
    let deployed = MANIFEST.replace("green: {tag: v2}", "green: {tag: v3}");
    is(&deployed)?;
    assert_eq!(generation(), before);
    // The plan of the file is what then happens.
    let plan = ends(&sandbox, 0, &["plan", "-f", &file]).await?;
    assert!(plan.out.contains("v3"), "{}", plan.all);
    applied().await?;
    ends(&sandbox, 0, &["status", "hello", "--for", "standby", "--timeout", "60s"]).await?;
    assert_eq!(sandbox.world().image("hello", Green).as_deref(), Some("team/hello:v3"));

    // Green has not been live yet: there is nothing to go back to, and the cluster says so.
    let refused = ends(&sandbox, 1, &["rollback", "-f", &file, "--live"]).await?;
    assert!(refused.all.contains("nothing to roll back to"), "{}", refused.all);
    ends(&sandbox, 0, &["switch", "-f", &file, "--tag", "v3"]).await?;
    is(&deployed.replace("active: blue #", "active: green #"))?;
    // The file is ahead of the cluster, where blue is still live: which color is idle can't be told.
    let refused = ends(&sandbox, 1, &["deploy", "-f", &file, "--tag", "v4", "--live"]).await?;
    assert!(refused.all.contains("a switch from blue to green is under way"), "{}", refused.all);
    applied().await?;
    ends(&sandbox, 0, &["status", "hello", "--for", "active=green", "--timeout", "60s"]).await?;
    assert_eq!(sandbox.world().selects("hello"), "green");

    ends(&sandbox, 0, &["rollback", "-f", &file, "--tag", "v3", "--live"]).await?;
    is(&deployed)?;
    applied().await?;
    ends(&sandbox, 0, &["status", "hello", "--for", "active=blue", "--timeout", "60s"]).await?;
    let world = sandbox.world();
    assert_eq!((world.selects("hello"), world.rolled_out("hello", Blue)), ("blue", true));
    // What has been deployed anew since is not gone back to, even if the file does not know of it.
    sandbox.edit("hello", json!({"green": {"tag": "v5"}})).await?;
    let reported = |world: &World| {
        let green = world.status("hello").and_then(|status| status.green);
        green.is_some_and(|green| green.image == "team/hello:v5")
    };
    sandbox.until("v5 is reported", reported).await?;
    let refused = ends(&sandbox, 1, &["rollback", "-f", &file, "--live"]).await?;
    assert!(refused.all.contains("green has been changed since it was live"), "{}", refused.all);
    is(&deployed)?;
    let world = sandbox.world();
    assert_eq!(world.raw(Kind::App, "hello").context("app")?["spec"]["active"], "blue");
    std::fs::remove_file(&path)?;
    sandbox.finish().await
}

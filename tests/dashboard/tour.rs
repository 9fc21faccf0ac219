//! One app through its life, by the buttons of the page.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::Scene;
use crate::e2e::harness::{Kind, Sandbox, app, check, pods};

const CARD: &str = "(document.querySelector('.card.COLOR')?.innerText ?? '')";

fn card(color: &str) -> String {
    CARD.replace("COLOR", color)
}

/// The color's card says so, and so many endpoints of the Service are the color's.
async fn serves(scene: &Scene, color: &str, pods: usize) -> Result<()> {
    let browser = &scene.browser;
    browser
        .until(&format!("/live/.test({0}) && {0}.includes('{pods}/{pods} pods ready')", card(color)))
        .await?;
    let share = format!("document.querySelector('.share.{color}')?.textContent === '{pods} endpoints'");
    browser.until(&share).await
}

async fn phase(scene: &Scene, phase: &str) -> Result<()> {
    scene
        .browser
        .until(&format!("document.querySelector('.standing .pill')?.textContent === '{phase}'"))
        .await
}

/// Seconds. Two pictures are taken meanwhile, and axe looks at the page four times. From a minute on, the plan would tell of each quarter.
const DRAIN: i32 = 50;

#[tokio::test]
#[ignore = "needs Chromium: make dashboard-test"]
async fn does_the_page_show_and_do_what_becomes_of_an_app() -> Result<()> {
    let sandbox = Sandbox::new("dashboard").await?;
    let _operator = sandbox.operator()?;
    let scene = Scene::set(sandbox).await?;
    let (browser, sandbox) = (&scene.browser, &scene.sandbox);
    assert_eq!(browser.value("location.search").await?, "", "the token stays in the address");
    browser.says("There is no app in namespace").await?;
    scene.examine("a list without apps").await?;
    // What somebody types into the address is taken for a list, and not for a mistake of the page.
    browser.value("location.hash = '#/%'").await?;
    browser.until("location.hash === '#/%' && document.querySelector('h1')?.textContent === 'Apps'").await?;
    scene.show("hello").await?;
    browser.says("There is no BlueGreenApp hello in namespace").await?;
    scene.examine("an app that is not there").await?;

    // First activation. Its page was open before there was an app. Its pods run, and wait until the pictures are taken.
    let hello = app("hello").replicas(3).drain(DRAIN).pods(json!({"ready": "never"}));
    sandbox.apply(&hello).await?;
    phase(&scene, "Preparing").await?;
    browser.until(&format!("{}.includes('Running')", card("blue"))).await?;
    browser.says("WaitingForTarget").await?;
    scene.picture("activation", "light").await?;
    sandbox.edit("hello", pods(json!({"ready": null}))).await?;
    serves(&scene, "blue", 3).await?;
    phase(&scene, "Stable").await?;
    browser.until(&format!("{}.includes('3/3 pods ready')", card("green"))).await?;
    sandbox.until("it is settled", |world| world.settled("hello")).await?;
    browser.says("Warm").await?;
    scene.picture("stable", "light").await?;

    // A switch: the plan first. Escape changes nothing, and the focus is where it was.
    browser.press("#do-switch").await?;
    browser.says("switches Service hello from blue to green").await?;
    browser.says("Then: green (team/hello:v2) is live.").await?;
    scene.picture("plan", "light").await?;
    browser.key("Escape", 27, "").await?;
    browser.until("!document.querySelector('dialog') && document.activeElement.id === 'do-switch'").await?;
    assert_eq!(sandbox.world().selects("hello"), "blue");
    browser.press("#do-switch").await?;
    browser.press("#confirm").await?;
    serves(&scene, "green", 3).await?;
    phase(&scene, "Draining").await?;
    browser.until("/blue drains.*s left of 50s/.test(document.querySelector('.drain')?.innerText)").await?;
    browser.until("document.querySelector('.share.blue').textContent === 'no endpoints'").await?;
    scene.picture("drain", "dark").await?;
    phase(&scene, "Stable").await?;
    browser.until("document.querySelector('.history li')?.innerText.includes('drained')").await?;

    // And back.
    browser.press("#do-rollback").await?;
    browser.says("roll back to blue").await?;
    browser.press("#confirm").await?;
    serves(&scene, "blue", 3).await?;
    phase(&scene, "Draining").await?;
    browser.until("document.querySelector('.share.green').textContent === 'no endpoints'").await?;
    scene.picture("rollback", "light").await?;
    sandbox.edit("hello", json!({"drainSeconds": 5})).await?;
    phase(&scene, "Stable").await?;

    stall(&scene).await?;
    checks(&scene).await?;
    others(&scene).await?;
    scene.sandbox.finish().await
}

/// The pages of a dashboard that only shows, and of somebody who may see nothing.
async fn others(scene: &Scene) -> Result<()> {
    let sandbox = &scene.sandbox;
    let (browser, _dashboard) = crate::visit(sandbox, &[]).await?;
    browser.until("document.querySelectorAll('.apps tbody tr').length === 1").await?;
    crate::examine(&browser, &sandbox.namespace, "a list that is read-only").await?;
    browser.value(&format!("location.hash = '#/{}/hello'", sandbox.namespace)).await?;
    browser.press("#do-switch").await?;
    browser.says("This dashboard only shows").await?;
    crate::examine(&browser, &sandbox.namespace, "a plan that is read-only").await?;
    let (browser, _dashboard) = crate::visit(sandbox, &["--as=nobody"]).await?;
    browser.until("!!document.querySelector('#troubles .notice')").await?;
    crate::examine(&browser, &sandbox.namespace, "a list without rights").await
}

/// A version whose pods don't get ready: asked for, late, and canceled.
async fn stall(scene: &Scene) -> Result<()> {
    let (browser, sandbox) = (&scene.browser, &scene.sandbox);
    let mut never = pods(json!({"ready": "never"}));
    never["progressDeadlineSeconds"] = json!(10);
    sandbox.edit("hello", never).await?;
    browser.press("#do-deploy").await?;
    browser.says("Give a tag to see what would happen").await?;
    scene.examine("the form of a deployment").await?;
    // What the command refuses.
    browser.type_into("#tag", "v1").await?;
    browser.says("blue is live and already runs v1").await?;
    scene.examine("an edit that is refused").await?;
    browser.key("Escape", 27, "").await?;
    browser.until("!document.querySelector('dialog')").await?;
    browser.press("#do-deploy").await?;
    browser.type_into("#tag", "v3").await?;
    browser.says("deploy v3 to green").await?;
    browser.press("#confirm").await?;
    browser.until(&format!("{}.includes('v3')", card("green"))).await?;
    browser.press("#do-switch").await?;
    browser.says("switch from blue to green").await?;
    browser.press("#confirm").await?;
    phase(scene, "Stalled").await?;
    browser.until("!!document.querySelector('.notice.bad')").await?;
    browser.says("ProgressDeadlineExceeded").await?;
    scene.picture("stalled", "light").await?;
    browser.press("#do-rollback").await?;
    browser.says("cancel the switch to green; blue stays live").await?;
    browser.press("#confirm").await?;
    sandbox
        .until("it is canceled", |world| {
            world.raw(Kind::App, "hello").is_some_and(|app| app["spec"]["active"] == "blue")
        })
        .await?;
    serves(scene, "blue", 3).await
}

/// A check that refuses: what it says, the ways out, and one of them.
async fn checks(scene: &Scene) -> Result<()> {
    let (browser, sandbox) = (&scene.browser, &scene.sandbox);
    let mut edit = pods(json!({"ready": null, "ready-after": null}));
    edit["checks"] = json!([check("smoke", "Before", &json!({"exit": "1"}))]);
    edit["green"] = json!({"tag": "v4"});
    sandbox.edit("hello", edit).await?;
    sandbox.until("green is ready", |world| world.says("hello", "StandbyReady").is_some()).await?;
    browser.until(&format!("{0}.includes('v4') && {0}.includes('3/3')", card("green"))).await?;
    browser.press("#do-switch").await?;
    browser.says("switch from blue to green").await?;
    browser.press("#confirm").await?;
    browser.says("The ways out:").await?;
    browser.until("document.querySelector('.checks li')?.innerText.includes('Failed')").await?;
    // Green had served before. It is not offered, because `kubectl bluegreen rollback` would not go there.
    assert_eq!(browser.value("document.querySelector('#do-rollback')").await?, Value::Null);
    scene.picture("refused", "dark").await?;
    browser.press("#do-stay").await?;
    browser.says("switch to blue").await?;
    browser.press("#confirm").await?;
    browser.until("!document.body.innerText.includes('The ways out:')").await?;
    let active = sandbox.world().raw(Kind::App, "hello").context("app")?["spec"]["active"].clone();
    assert_eq!(active, "blue");
    Ok(())
}

//! One app through its life, by the buttons of the page.

use anyhow::{Context, Result};
use serde_json::json;

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

#[tokio::test]
#[ignore = "needs Chromium: make dashboard-test"]
async fn does_the_page_show_and_do_what_becomes_of_an_app() -> Result<()> {
    let sandbox = Sandbox::new("dashboard").await?;
    let _operator = sandbox.operator()?;
    let scene = Scene::set(sandbox).await?;
    let (browser, sandbox) = (&scene.browser, &scene.sandbox);
    assert_eq!(browser.value("location.search").await?, "", "the token stays in the address");
    browser.says("There is no app in namespace").await?;
    scene.show("hello").await?;
    browser.says("There is no BlueGreenApp hello in namespace").await?;

    // First activation. Its page was open before there was an app.
    let hello = app("hello").replicas(3).drain(20).pods(json!({"ready-after": "2s"}));
    sandbox.apply(&hello).await?;
    phase(&scene, "Preparing").await?;
    browser.until(&format!("{}.includes('Running')", card("blue"))).await?;
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
    browser.until("/blue drains.*s left of 20s/.test(document.querySelector('.drain')?.innerText)").await?;
    browser.until("document.querySelector('.share.blue').textContent === 'no endpoints'").await?;
    scene.picture("drain", "dark").await?;
    phase(&scene, "Stable").await?;
    browser.until("document.querySelector('.history li')?.innerText.includes('drained')").await?;

    // And back.
    browser.press("#do-rollback").await?;
    browser.says("roll back to blue").await?;
    browser.press("#confirm").await?;
    serves(&scene, "blue", 3).await?;
    phase(&scene, "Stable").await?;

    stall(&scene).await?;
    checks(&scene).await?;
    scene.sandbox.finish().await
}

/// A version whose pods don't get ready: asked for, late, and canceled.
async fn stall(scene: &Scene) -> Result<()> {
    let (browser, sandbox) = (&scene.browser, &scene.sandbox);
    let mut never = pods(json!({"ready": "never"}));
    never["progressDeadlineSeconds"] = json!(10);
    sandbox.edit("hello", never).await?;
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
    scene.picture("refused", "dark").await?;
    browser.press("#do-stay").await?;
    browser.says("switch to blue").await?;
    browser.press("#confirm").await?;
    browser.until("!document.body.innerText.includes('The ways out:')").await?;
    let active = sandbox.world().raw(Kind::App, "hello").context("app")?["spec"]["active"].clone();
    assert_eq!(active, "blue");
    Ok(())
}

//! Which color a failed check may lead back to.

use std::time::Duration;

use bluegreen_api::CheckResult;
use bluegreen_api::Color::{Blue, Green};
use serde_json::json;

use super::{End, checked, end, job, jobs, says};
use crate::rig::{APP, Rig};

const MINUTE: Duration = Duration::from_secs(60);

/// Blue is the first color that was ever live, and these checks run.
async fn first(checks: &[&str]) -> Rig {
    let checks: Vec<_> = checks.iter().map(|name| job(name, "After")).collect();
    let mut rig = Rig::new(checked(&checks));
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig
}

/// Green is made live, and its check fails.
async fn green_fails(rig: &mut Rig) {
    rig.activate(Green);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "green");
    end(rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(rig.says("Stalled"), "True/CheckFailed");
}

/// Whatever time passes, green is what serves, and the app says why.
async fn stays_with_green(mut rig: Rig) {
    rig.run(MINUTE * 20).await;
    assert_eq!(rig.switches(), [Blue, Green]);
    let message = rig.condition("Stalled").message;
    let why = "the checks after the last switch to blue failed or did not finish";
    assert!(message.contains(&format!("blue can't be made live again yet: {why}")), "{message}");
    // By hand it goes back all the same.
    rig.activate(Blue);
    rig.settle().await;
    assert_eq!(rig.world().selects(APP), "blue");
    rig.finish();
}

async fn goes_back_to_blue(mut rig: Rig) {
    rig.run(MINUTE * 20).await;
    assert_eq!(rig.switches(), [Blue, Green, Blue]);
    rig.finish();
}

fn suspect(rig: &Rig) -> Option<i64> {
    rig.status().blue.unwrap().unproven_revision
}

#[tokio::test]
async fn a_failure_leads_back_to_a_first_color_whose_check_could_not_tell() {
    let mut rig = first(&["errors"]).await;
    assert_eq!(suspect(&rig), Some(1), "its check runs");
    end(&rig, "errors", End::CannotTell);
    rig.settle().await;
    assert_eq!((rig.switches(), suspect(&rig)), (vec![Blue], None), "that moves nothing");
    green_fails(&mut rig).await;
    goes_back_to_blue(rig).await;
}

/// Nothing shows that it got better, and traffic must not go to and fro between two bad colors.
#[tokio::test]
async fn nothing_leads_back_to_what_its_own_check_has_failed() {
    let mut rig = first(&["errors"]).await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!(suspect(&rig), Some(1));
    green_fails(&mut rig).await;
    stays_with_green(rig).await;
}

/// Somebody has left it after a moment, perhaps because it is bad.
#[tokio::test]
async fn nothing_leads_back_to_what_was_left_before_its_check_was_over() {
    let mut rig = first(&["errors"]).await;
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Running));
    green_fails(&mut rig).await;
    stays_with_green(rig).await;
}

/// One check says nothing for the others.
#[tokio::test]
async fn a_color_is_under_suspicion_until_the_last_of_its_checks_is_over() {
    let mut rig = first(&["errors", "latency"]).await;
    end(&rig, "errors", End::CannotTell);
    rig.settle().await;
    assert_eq!(suspect(&rig), Some(1), "latency still runs");
    end(&rig, "latency", End::Passes);
    rig.settle().await;
    assert_eq!(suspect(&rig), None);
    green_fails(&mut rig).await;
    goes_back_to_blue(rig).await;
}

#[tokio::test]
async fn a_check_that_has_failed_outweighs_those_that_cannot_tell() {
    let mut rig = first(&["errors", "latency"]).await;
    end(&rig, "latency", End::Fails);
    rig.settle().await;
    assert_eq!(says(&rig, "errors"), Some(CheckResult::Inconclusive), "it was ended");
    assert_eq!(suspect(&rig), Some(1));
    green_fails(&mut rig).await;
    stays_with_green(rig).await;
}

/// A check that is edited does not run for a switch that is over. Nothing that is asked is left to answer, and what was said
/// was said of another check.
#[tokio::test]
async fn a_check_that_is_edited_after_the_first_activation_leaves_no_suspicion() {
    for before in [None, Some(End::Fails)] {
        let mut rig = first(&["errors"]).await;
        if let Some(before) = before {
            end(&rig, "errors", before);
            rig.settle().await;
        }
        assert_eq!(suspect(&rig), Some(1));
        rig.edit(|spec| {
            spec["checks"][0]["job"]["template"]["spec"]["containers"][0]["command"] = json!(["false"]);
        });
        rig.settle().await;
        assert_eq!((suspect(&rig), jobs(&rig)), (None, vec![]));
        green_fails(&mut rig).await;
        goes_back_to_blue(rig).await;
    }
}

/// In the watch it begins anew: there is a switch to take back.
#[tokio::test]
async fn a_check_that_is_edited_in_the_watch_leaves_the_suspicion() {
    let mut rig = first(&["errors"]).await;
    end(&rig, "errors", End::Passes);
    rig.settle().await;
    rig.activate(Green);
    rig.settle().await;
    rig.edit(|spec| spec["checks"][0]["deadlineSeconds"] = json!(599));
    rig.settle().await;
    assert_eq!(rig.status().green.unwrap().unproven_revision, Some(1));
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    goes_back_to_blue(rig).await;
}

/// What is refused is about green; it says nothing for blue.
#[tokio::test]
async fn a_refusal_of_the_other_color_clears_nothing() {
    let mut rig = first(&["errors"]).await;
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    rig.edit(|spec| spec["checks"].as_array_mut().unwrap().push(job("smoke", "Before")));
    rig.settle().await;
    assert_eq!(suspect(&rig), Some(1));
    rig.activate(Green);
    rig.settle().await;
    end(&rig, "smoke", End::Fails);
    rig.settle().await;
    assert_eq!((rig.says("Stalled").as_str(), suspect(&rig)), ("True/CheckFailed", Some(1)));
    assert_eq!(rig.switches(), [Blue]);
    rig.finish();
}

/// A check that only reports accuses nobody.
#[tokio::test]
async fn a_failure_that_is_not_enforced_leaves_no_suspicion() {
    let mut rig = first(&["errors"]).await;
    rig.edit(|spec| spec["checks"][0]["enforce"] = json!(false));
    end(&rig, "errors", End::Fails);
    rig.settle().await;
    assert_eq!((says(&rig, "errors"), suspect(&rig)), (Some(CheckResult::Failed), None));
    rig.edit(|spec| spec["checks"][0]["enforce"] = json!(true));
    rig.settle().await;
    green_fails(&mut rig).await;
    goes_back_to_blue(rig).await;
}

//! A trial of three checks.

use bluegreen_api::{CheckResult, Color};
use kubectl_bluegreen::shape::{CheckTrial, TriedCheck};
use kubectl_bluegreen::trial::verdict;

/// One check of it.
pub fn tried(name: &str, enforced: bool, result: CheckResult) -> TriedCheck {
    TriedCheck {
        name: name.to_owned(),
        enforced,
        job: format!("hello-{name}-try-0"),
        result,
        message: (result != CheckResult::Passed).then(|| "exit code 3".to_owned()),
        log: vec!["GET / answered 500".to_owned()],
        seconds: 4.2,
    }
}

/// All of it.
pub fn trial() -> CheckTrial {
    let checks = vec![
        tried("good", true, CheckResult::Passed),
        tried("reports", false, CheckResult::Failed),
        tried("slow", true, CheckResult::Inconclusive),
    ];
    CheckTrial {
        name: "hello".to_owned(),
        namespace: "shop".to_owned(),
        color: Color::Green,
        revision: 3,
        image: "team/hello:v2".to_owned(),
        result: verdict(&checks),
        checks,
    }
}

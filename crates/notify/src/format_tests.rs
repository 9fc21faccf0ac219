use std::str::FromStr;

use super::*;
use crate::detect::transitions;
use crate::samples::{app, check, switched};
use crate::transition::Kind;

fn sent(format: &Format, transition: &Transition) -> (String, &'static str, Value) {
    let url = Url::from_str("https://h/hook?a=b").unwrap();
    let Outgoing { path, content_type, body } = format.message(&url, Some("prod"), transition).unwrap();
    (path.to_string(), content_type, serde_json::from_str(&body).unwrap())
}

fn failed() -> Transition {
    let status =
        json!({"checks": [check("Failed")], "green": {"image": "shop/hello:0a1b2c3d", "revision": 2}});
    transitions(&app(&json!({})), &app(&status)).remove(0)
}

#[test]
fn a_webhook_gets_the_transition_as_it_is() {
    let (path, content_type, body) = sent(&Format::Webhook, &switched());
    assert_eq!((path.as_str(), content_type), ("/hook?a=b", "application/json"));
    let wanted = json!({
        "id": "u-1/Switched/green/2/3/2026-01-01T10:00:05Z", "kind": "Switched", "cluster": "prod",
        "namespace": "shop", "name": "hello", "uid": "u-1", "time": "2026-01-01T10:00:05Z",
        "color": "green", "from": "blue", "image": "shop/hello:0a1b2c3d", "revision": 2, "generation": 3,
        "message": "Switched from blue to green (shop/hello:0a1b2c3d)",
    });
    assert_eq!(body, wanted);
}

#[test]
fn a_cloud_event_has_all_that_the_specification_requires() {
    let (_, content_type, body) = sent(&Format::CloudEvents, &switched());
    assert_eq!(content_type, "application/cloudevents+json");
    assert_eq!(body["specversion"], "1.0");
    assert_eq!(body["id"], "u-1/Switched/green/2/3/2026-01-01T10:00:05Z");
    assert_eq!(body["source"], "/apis/bluegreen.dev/v1alpha1/namespaces/shop/bluegreenapps/hello");
    assert_eq!(
        (&body["type"], &body["time"]),
        (&json!("dev.bluegreen.app.switched"), &json!("2026-01-01T10:00:05Z"))
    );
    assert_eq!(body["data"]["image"], "shop/hello:0a1b2c3d");
}

#[test]
fn a_chat_gets_one_line_that_calls_nobody_and_shows_no_link() {
    let (_, _, body) = sent(&Format::Slack, &switched());
    assert_eq!(body["text"], "prod: shop/hello: Switched: Switched from blue to green (shop/hello:0a1b2c3d)");
    let mut transition = failed();
    transition.message =
        "<!channel> @here [x](http://evil)\n& \u{1b}[31m a@sha256:0 HTTPS://evil WWW.evil www2.evil \
                          ftp:/evil Mailto:evil tel:1 r.io:5000/a:v1"
            .to_owned();
    let (_, _, body) = sent(&Format::Slack, &transition);
    let text = body["text"].as_str().unwrap();
    for harmful in ["<", "@here", "[x]", "\n", "\u{1b}"] {
        assert!(!text.contains(harmful), "{harmful:?} in {text:?}");
    }
    for link in ["://", ":/", "www.", "www2.", "mailto:e", "tel:1"] {
        assert!(!text.to_lowercase().contains(link), "{link:?} in {text:?}");
    }
    for same in ["&lt;", "&amp;", "a@sha256:0", "r.io:5000/a:v1"] {
        assert!(text.contains(same), "{same:?} is not in {text:?}");
    }
    let seen = text.replace('\u{2060}', "");
    assert!(seen.contains("HTTPS://evil WWW.evil www2.evil"), "it reads as before: {text:?}");
    transition.message = "x".repeat(100_000);
    let (_, _, body) = sent(&Format::Slack, &transition);
    assert!(body["text"].as_str().unwrap().len() < 2000);
}

#[test]
fn gitlab_gets_a_deployment_of_what_became_live_or_was_refused() {
    let gitlab = GitLab {
        project: "shop/hello".to_owned(),
        environment: "production".to_owned(),
        ref_: "main".to_owned(),
    };
    let format = Format::GitLab(gitlab);
    let (path, _, body) = sent(&format, &switched());
    assert_eq!(path, "/api/v4/projects/shop%2Fhello/deployments");
    let of = |status: &str| json!({"environment": "production", "sha": "0a1b2c3d", "ref": "main", "tag": false, "status": status});
    assert_eq!(body, of("success"));
    assert_eq!(sent(&format, &failed()).2, of("failed"));
    let url = Url::from_str("https://h/").unwrap();
    let is_told = |transition: &Transition| format.message(&url, None, transition).is_some();
    let without = |kind: Kind| Transition { kind, ..switched() };
    let told: Vec<_> = Kind::ALL.into_iter().filter(|kind| is_told(&without(*kind))).collect();
    let wanted = [Kind::Activated, Kind::Switched, Kind::RolledBack, Kind::SwitchedBack, Kind::CheckFailed];
    assert_eq!(told, wanted);
    assert!(
        !is_told(&Transition { image: Some("shop/hello:v1".to_owned()), ..switched() }),
        "a tag that is no commit"
    );
}

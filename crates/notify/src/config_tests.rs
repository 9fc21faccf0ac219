use super::*;

const ALL: &str = r#"
cluster: prod
receivers:
  - {name: chat, type: slack, url: "https://hooks.example.com/services/s3cret", kinds: [Switched, Stalled]}
  - {name: audit, type: webhook, url: "http://audit.ops:8080/in", headers: {X-Key: s3cret}, namespaces: [shop], apps: [hello]}
  - {name: bus, type: cloudevents, url: "https://bus.example.com/", token: s3cret}
  - {name: gitlab, type: gitlab, url: "https://gitlab.example.com", token: s3cret, project: shop/hello, environment: production, ref: main}
"#;

#[test]
fn every_type_of_receiver_is_understood() {
    let Config { cluster, receivers } = Config::parse(ALL).unwrap();
    assert_eq!(cluster.as_deref(), Some("prod"));
    let header =
        |index: usize, name: &str| receivers[index].headers.get(name).map(|value| value.to_str().unwrap());
    assert_eq!(header(1, "x-key"), Some("s3cret"));
    assert_eq!(header(2, "authorization"), Some("Bearer s3cret"));
    assert_eq!(header(3, "private-token"), Some("s3cret"));
    assert_eq!(receivers[0].filter.kinds.len(), 2);
    assert!(receivers[1].filter.namespaces.contains("shop") && receivers[1].filter.apps.contains("hello"));
    assert!(matches!(&receivers[3].format, Format::GitLab(gitlab) if gitlab.ref_ == "main"));
}

#[test]
fn nothing_that_is_secret_is_printed() {
    let printed = format!("{:?}", Config::parse(ALL).unwrap());
    assert!(printed.contains("audit") && !printed.contains("s3cret"), "{printed}");
}

/// Each mistake, and the words that name the field and the remedy.
#[test]
fn what_is_wrong_is_named_with_the_remedy_and_without_the_value() {
    let one = |fields: &str| format!("receivers: [{{name: a, type: webhook, url: 'https://h/', {fields}}}]");
    let gitlab =
        |fields: &str| format!("receivers: [{{name: a, type: gitlab, url: 'https://h/', {fields}}}]");
    let all = "token: s3cret, project: p, environment: e, ref: main";
    for (text, wanted) in [
        (String::new(), "receivers"),
        ("receivers: []".to_owned(), "receivers: must list between 1 and 50 receivers"),
        ("recievers: []".to_owned(), "unknown field `recievers`, expected `cluster` or `receivers`"),
        (one("tokn: s3cret"), "receivers[0]: unknown field `tokn`"),
        ("receivers: [{name: a, type: teams, url: x}]".to_owned(), "receivers[0].type: must be one of `slack`, `webhook`"),
        ("receivers: [{name: a, url: x}]".to_owned(), "missing field `type`"),
        ("receivers: [{name: a, type: s3cret, url: x}]".to_owned(), "receivers[0].type: must be one of"),
        (one("kinds: [s3cret]"), "receivers[0].kinds[0]: must be one of"),
        (one("https://h/s3cret"), "receivers[0]: has a field that is not known, expected one of `name`"),
        (one("'a`, expected s3cret'"), "receivers[0]: has a field that is not known, expected one of `name`"),
        ("receivers: [s3cret]".to_owned(), "receivers[0]: has a value of the wrong type"),
        ("receivers: [{name: a, type: !s3cret x, url: x}]".to_owned(), "receivers[0].type: "),
        ("receivers: [*s3cret]".to_owned(), "unknown anchor"),
        ("receivers: [{name: a\n  s3cret".to_owned(), "receivers"),
        (one("headers: {s3cret: [1]}"), "receivers[0].headers: has a value of the wrong type; must be a string"),
        (one("headers: s3cret"), "receivers[0].headers: has a value of the wrong type; must be a map"),
        (one("token: [s3cret]"), "receivers[0].token: has a value of the wrong type; must be a string"),
        (one("kinds: [Swiched]"), "receivers[0].kinds[0]: must be one of `Activated`, `SwitchStarted`"),
        (one("headers: {Content-Type: s3cret}"), "receivers[0].headers: content-type is set by the notifier; remove it"),
        (one(r#"token: "s3cret\n""#), "receivers[0].token: must be one line of visible characters"),
        (one("token: s3cret, headers: {Authorization: s3cret}"), "receivers[0].token: sets the header authorization"),
        (one("project: p"), "receivers[0].project: is only for the type gitlab; remove it"),
        (one("ca: s3cret"), "receivers[0].ca: must be certificates in PEM"),
        ("receivers: [{name: A b, type: slack, url: 'https://h/'}]".to_owned(), "receivers[0].name: must be 1 to 63"),
        ("receivers: [{name: a, type: slack, url: 's3cret'}]".to_owned(), "receivers[0].url: must begin with https://"),
        (gitlab("project: p, environment: e, ref: main"), "receivers[0].token: must be set for the type gitlab"),
        (gitlab("token: s3cret, environment: e, ref: main"), "receivers[0].project: must be set for the type gitlab"),
        (gitlab("token: s3cret, project: p, environment: e"), "receivers[0].ref: must be set for the type gitlab"),
        (gitlab("token: s3cret, project: 'p?x', environment: e, ref: main"), "receivers[0].project: must be a path"),
        (gitlab(all).replace("https://h/", "https://h/api/v4"), "receivers[0].url: must be the address of GitLab alone"),
        (
            "receivers: [{name: a, type: slack, url: 'https://h/'}, {name: a, type: slack, url: 'https://h/'}]".to_owned(),
            "receivers[1].name: must be the name of no other receiver",
        ),
    ] {
        let told = Config::parse(&text).map(|_| ()).unwrap_err();
        assert!(told.contains(wanted), "{text}\n{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    Config::parse(&gitlab(all)).unwrap();
}

/// The examples of docs/notifications.md, section "Receivers" and the file above it.
#[test]
fn the_examples_of_the_document_are_understood() {
    let document = include_str!("../../../docs/notifications.md");
    let first = |section: &str| {
        let (_, text) = document.split_once(section).unwrap();
        text.split_once("```yaml\n").unwrap().1.split("```").next().unwrap()
    };
    let whole = Config::parse(first("\n### Install\n")).unwrap();
    assert_eq!((whole.cluster.as_deref(), whole.receivers.len()), (Some("prod"), 2));
    let more = Config::parse(&format!("receivers:\n{}", first("\n### Receivers\n"))).unwrap();
    let types: Vec<_> = more.receivers.iter().map(|receiver| &receiver.format).collect();
    assert!(matches!(types[..], [Format::CloudEvents, Format::GitLab(_)]), "{types:?}");
}

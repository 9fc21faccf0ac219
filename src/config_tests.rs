//! What does a command line mean?

use clap::CommandFactory;

use super::*;

fn run(args: &[&str]) -> RunArgs {
    match Cli::try_parse_from([&["bluegreen-operator"], args].concat()).unwrap().into_command() {
        Command::Run(run) => *run,
        other => panic!("{other:?}"),
    }
}

fn refused(args: &[&str]) -> String {
    Cli::try_parse_from([&["bluegreen-operator"], args].concat()).unwrap_err().to_string()
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn without_arguments_it_runs_with_the_defaults() {
    let args = run(&[]);
    assert_eq!(args.scope(), Scope::default());
    assert!(args.lease.elect);
    assert_eq!(
        args.lease.config("bluegreen-system", "me"),
        LeaseConfig::new("bluegreen-system", "bluegreen-operator", "me")
    );
    assert_eq!(args.health_addr.to_string(), "0.0.0.0:8081");
    assert_eq!(args.metrics_addr.to_string(), "127.0.0.1:8080", "nobody else learns the names of apps");
    args.check().unwrap();
}

#[test]
fn run_may_be_said_or_left_out() {
    for args in [&["run", "--namespace", "shop"][..], &["--namespace", "shop"]] {
        assert_eq!(run(args).scope().namespaces(), ["shop"]);
    }
}

#[test]
fn other_commands() {
    let parse = |word| Cli::try_parse_from(["bluegreen-operator", word]).unwrap().into_command();
    assert!(matches!(parse("crd"), Command::Crd));
    assert!(matches!(parse("version"), Command::Version));
}

/// `main` starts it before the operator's flags are read, so it is no command of theirs.
#[test]
fn the_program_of_a_check_is_named_in_the_help_and_is_no_command_of_the_operator() {
    let help = Cli::command().render_help().to_string();
    assert!(help.contains(&format!("bluegreen-operator {CHECK} --help")), "{help}");
    assert!(refused(&[CHECK]).contains("unrecognized subcommand"));
}

#[test]
fn an_empty_namespace_means_all() {
    assert_eq!(run(&["--namespace", ""]).scope(), Scope::default());
    assert_eq!(run(&["--lease-namespace="]).lease.config("here", "me").namespace, "here");
}

#[test]
fn several_namespaces_have_commas_between_them_or_a_flag_each() {
    for args in [&["--namespace", "web, shop,"][..], &["--namespace", "web", "-n", "shop", "-n", "web"]] {
        assert_eq!(run(args).scope().namespaces(), ["shop", "web"]);
    }
}

#[test]
fn leader_election_can_be_switched_off() {
    assert!(!run(&["--leader-elect=false"]).lease.elect);
    assert!(run(&["--leader-elect"]).lease.elect);
}

#[test]
fn durations_have_units() {
    assert_eq!(run(&["--lease-duration", "1m30s"]).lease.duration, Duration::from_secs(90));
    assert_eq!(run(&["--write-timeout", "500ms"]).write_timeout, Duration::from_millis(500));
    for wrong in ["15", "soon", "-3s", "0s", ""] {
        let message = refused(&[&format!("--lease-duration={wrong}")]);
        assert!(message.contains("--lease-duration"), "{message}");
    }
    assert!(refused(&["--lease-duration", "15"]).contains("such as 15s"));
}

#[test]
fn timings_that_would_let_two_leaders_overlap_are_refused() {
    let refused = |args: &[&str]| run(args).check().unwrap_err().to_string();
    assert!(refused(&["--lease-duration", "10s"]).contains("longer than the renew deadline"));
    assert!(refused(&["--lease-retry-period", "6s"]).contains("twice the retry period"));
}

/// Shorter than the renew deadline, it would still block the writes in most of the time between two renewals.
#[test]
fn a_write_timeout_that_a_healthy_renewal_cannot_cover_is_refused_with_the_remedy() {
    let with = |timeout| run(&["--write-timeout", timeout]).check();
    with("6s").unwrap();
    for timeout in ["6001ms", "9s", "10s"] {
        let message = with(timeout).unwrap_err().to_string();
        for words in
            ["--write-timeout", "--lease-renew-deadline", "--lease-retry-period", "at most 6s", "Lower"]
        {
            assert!(message.contains(words), "{words:?} is not in {message}");
        }
    }
    run(&["--write-timeout", "30s", "--leader-elect=false"]).check().unwrap();
}

#[test]
fn the_timings_of_the_chart_are_accepted() {
    let values = include_str!("../charts/bluegreen-operator/values.yaml");
    let values: serde_json::Value = serde_yaml_ng::from_str(values).unwrap();
    let args: Vec<String> = [
        ("--lease-duration", "/leaderElection/duration"),
        ("--lease-renew-deadline", "/leaderElection/renewDeadline"),
        ("--lease-retry-period", "/leaderElection/retryPeriod"),
        ("--write-timeout", "/writeTimeout"),
    ]
    .map(|(flag, at)| format!("{flag}={}", values.pointer(at).and_then(|value| value.as_str()).unwrap()))
    .into();
    run(&args.iter().map(String::as_str).collect::<Vec<_>>()).check().unwrap();
}

#[test]
fn help_names_every_environment_variable_once() {
    let help = Cli::command().render_long_help().to_string();
    for name in ["BLUEGREEN_NAMESPACE", "BLUEGREEN_LEASE_DURATION", "BLUEGREEN_LOG_FORMAT"] {
        assert_eq!(help.matches(&format!("{name}=")).count(), 1, "{name} in\n{help}");
    }
}

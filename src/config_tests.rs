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
    assert_eq!(args.namespace(), None);
    assert!(args.lease.elect);
    assert_eq!(
        args.lease.config("bluegreen-system", "me"),
        LeaseConfig::new("bluegreen-system", "bluegreen-operator", "me")
    );
    assert_eq!(args.http_addr.to_string(), "0.0.0.0:8080");
    args.check().unwrap();
}

#[test]
fn run_may_be_said_or_left_out() {
    for args in [&["run", "--namespace", "shop"][..], &["--namespace", "shop"]] {
        assert_eq!(run(args).namespace(), Some("shop"));
    }
}

#[test]
fn other_commands() {
    let parse = |word| Cli::try_parse_from(["bluegreen-operator", word]).unwrap().into_command();
    assert!(matches!(parse("crd"), Command::Crd));
    assert!(matches!(parse("version"), Command::Version));
}

#[test]
fn an_empty_namespace_means_all() {
    assert_eq!(run(&["--namespace", ""]).namespace(), None);
    assert_eq!(run(&["--lease-namespace="]).lease.config("here", "me").namespace, "here");
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
    assert!(refused(&["--write-timeout", "10s"]).contains("--lease-renew-deadline"));
    run(&["--write-timeout", "30s", "--leader-elect=false"]).check().unwrap();
}

#[test]
fn help_names_every_environment_variable_once() {
    let help = Cli::command().render_long_help().to_string();
    for name in ["BLUEGREEN_NAMESPACE", "BLUEGREEN_LEASE_DURATION", "BLUEGREEN_LOG_FORMAT"] {
        assert_eq!(help.matches(&format!("{name}=")).count(), 1, "{name} in\n{help}");
    }
}

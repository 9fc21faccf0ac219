//! `demo`: from nothing to a person who watches real containers change color, with every request counted.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bluegreen_demo::operator::Operator;
use bluegreen_demo::place::Place;
use bluegreen_demo::say::{say, step, tell};
use bluegreen_demo::switch::{APP, Stage};
use bluegreen_demo::{curl, verdict};
use bluegreen_load::{Load, Plan};
use clap::Parser;
use clap::builder::FalseyValueParser;

#[derive(Debug, Parser)]
#[command(
    about = "Switches a real app on a real Kubernetes while counting every request; `make demo` runs it"
)]
struct Arguments {
    /// Leave everything up at the end
    #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
    keep: bool,
    /// `own` starts a cluster with a real node; `current` uses the one of the current kubeconfig
    #[arg(long, env = "CLUSTER", default_value = "own", value_parser = ["own", "current"])]
    cluster: String,
    /// For `current`: the repository of the sample app's image, with the tags v1.0.0 and v2.0.0
    #[arg(long, env = "HELLO_IMAGE")]
    image: Option<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let start = Instant::now();
    let code = run(&Arguments::parse()).await;
    say(format_args!("{:.0} s", start.elapsed().as_secs_f64()));
    code
}

async fn run(arguments: &Arguments) -> Result<ExitCode> {
    let asked_to_stop = bluegreen_cluster::asked_to_stop();
    tokio::pin!(asked_to_stop);

    let place = tokio::select! {
        place = enter(arguments) => place?,
        // Nothing to take down by hand: the cluster's watchdog removes what there is of it.
        code = &mut asked_to_stop => return code.map(ExitCode::from),
    };
    let mut operator = None;
    let mut address = None;
    let result = tokio::select! {
        result = show(&place, arguments.keep, &mut operator, &mut address) => result.map(Ending::Shown),
        code = &mut asked_to_stop => code.map(Ending::Stopped),
    };
    let good = matches!(&result, Ok(Ending::Shown(wrong)) if wrong.is_empty());
    if !good && let Some(operator) = &operator {
        say(format_args!("\nthe operator's log ends with\n{}", operator.tail(&place).await));
    }
    let stopped = matches!(result, Ok(Ending::Stopped(_)));
    let keep = arguments.keep && !stopped;
    if let Some(operator) = operator {
        operator.stop(keep).await?;
    }
    if keep {
        place.keep(address)?;
    } else {
        say("\nremoving everything …");
        place.leave().await?;
    }
    Ok(match result? {
        Ending::Stopped(code) => ExitCode::from(code),
        Ending::Shown(wrong) if wrong.is_empty() => {
            say("The demo went well: no request was lost, and no wrong color was seen.");
            ExitCode::SUCCESS
        }
        Ending::Shown(wrong) => {
            say(format_args!("THE DEMO FAILED:\n- {}", wrong.join("\n- ")));
            ExitCode::FAILURE
        }
    })
}

/// How the show ended.
enum Ending {
    /// To its end, with what is wrong about it.
    Shown(Vec<String>),
    /// By a signal; the exit code says which.
    Stopped(u8),
}

async fn enter(arguments: &Arguments) -> Result<Place> {
    if arguments.cluster == "current" {
        step("The cluster of your current kubeconfig");
        return Place::current(arguments.image.clone()).await;
    }
    step("Kubernetes: etcd, control plane, and a node with real containers");
    let start = Instant::now();
    let place = Place::create().await?;
    place.kubectl.show(&["get", "nodes"]).await?;
    say(format_args!("  up after {:.0} s", start.elapsed().as_secs_f64()));
    step("The images of the sample app and of the operator, onto the node");
    place.load_images().await?;
    Ok(place)
}

async fn show(
    place: &Place,
    keep: bool,
    operator: &mut Option<Operator>,
    reached: &mut Option<SocketAddr>,
) -> Result<Vec<String>> {
    let kubectl = &place.kubectl;
    step("The operator");
    tell("Installed as anybody installs it. One replica leads; the other one would take over.");
    place.install().await?;
    operator.insert(Operator::start(place, keep).await?).leads(place).await?;

    step("The app: blue v1.0.0 serves, green v2.0.0 stands by");
    tell(
        "One object. The operator makes two Deployments and three Services of it, and points the Service `hello` at blue",
    );
    tell("once all of blue's pods are ready. `kubectl wait` returns then.");
    place.apply_app().await?;
    kubectl.show(&["wait", "bga", APP, "--for=condition=Ready", "--timeout=180s"]).await?;
    kubectl.show(&["get", "bga"]).await?;
    kubectl.show(&["get", "pods", "-L", "bluegreen.dev/color"]).await?;

    let port = kubectl.quiet(&["get", "service", APP, "-o", "jsonpath={.spec.ports[0].nodePort}"]).await?;
    let port = port.parse().with_context(|| format!("the Service has no NodePort: {port:?}"))?;
    let address = curl::first_answer(&place.addresses(port).await?).await?;
    *reached = Some(address);
    step(format_args!("curl {address}, again and again: three blue pods take turns"));
    curl::until_all_answer(address, "blue", None).await?;

    step(format_args!("200 requests per second to {address} from here on, half of them on new connections"));
    let plan = Plan {
        // The user said that this cluster is theirs.
        allow_remote: !place.is_own(),
        ..Plan::mixed(address)
    };
    let mut stage = Stage::new(place, address, Load::start(plan)?)?;
    tokio::time::sleep(Duration::from_secs(2)).await;

    step("Switch to green");
    tell(
        "One field is edited. When `kubectl wait` returns, the Service selects green, and its endpoints are green's pods.",
    );
    let to_green = stage.switch("blue", "green").await?;
    kubectl.show(&["get", "bga"]).await?;
    step("And back to blue, while blue's drain still runs");
    tell("The same field. Blue's pods still run, so nothing has to start.");
    let to_blue = stage.switch("green", "blue").await?;
    kubectl.show(&["get", "bga"]).await?;

    let report = stage.finish().await?;
    step("Figures");
    tell("Every request since the load began is counted. Lost is whatever got no complete answer.");
    verdict::judge(&report, &[to_green, to_blue])
}

//! `grpc serve PORT` is a gRPC server with the health service, as Kubernetes' probes ask it; the metadata `color` of each answer is
//! that of its pod. `grpc call ADDRESS` asks it until its standard input ends, and prints as JSON what came of it.
//! `grpc stand-in ARGUMENT…` stands in for the programs of `examples/apps`.

mod call;
mod serve;
mod stand_in;

use anyhow::{Context, Result, bail};

/// The key of the metadata that says who answered.
const COLOR: &str = "color";

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, others)) = arguments.split_first()
        && first == "stand-in"
    {
        return stand_in::run(others).await;
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["serve", port] => serve::serve(port.parse().context("PORT")?).await,
        ["call", address] => call::until_the_input_ends(address).await,
        _ => bail!("usage: grpc serve PORT | grpc call ADDRESS | grpc stand-in ARGUMENT…"),
    }
}

//! The command line of the image builder. Prints the image's digest.

use std::{path::PathBuf, process::ExitCode};

use bluegreen_image::{Image, Reference};
use clap::Parser;

/// Write a container image from static binaries, without a container engine.
///
/// The result is an OCI image layout in a tar archive, from nothing (FROM scratch), and the same for the same input.
/// The digest goes to standard output. Import it with `ctr --namespace k8s.io images import FILE`, copy it with
/// `skopeo copy oci-archive:FILE docker://NAME:TAG`.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Image name, such as docker.io/library/hello.
    #[arg(long)]
    name: String,
    /// Tag, such as v1.0.0.
    #[arg(long)]
    tag: String,
    /// Static executable, stored as /FILENAME. Repeat for more, also for other architectures.
    #[arg(long = "binary", value_name = "FILE", required = true)]
    binaries: Vec<PathBuf>,
    /// Command; repeat for its fixed arguments. The first binary unless given.
    #[arg(long, value_name = "WORD")]
    entrypoint: Vec<String>,
    /// Default argument of the command; repeat for more.
    #[arg(long = "cmd", value_name = "WORD")]
    arguments: Vec<String>,
    /// Environment variable; repeat for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    env: Vec<(String, String)>,
    /// Label of the image; repeat for more.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
    /// Numeric UID or UID:GID.
    #[arg(long, default_value = "65532:65532")]
    user: String,
    /// TCP port the app listens on; repeat for more.
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<u16>,
    /// Time stamp of the image and its files, in seconds since 1970.
    #[arg(long, value_name = "SECONDS", env = "SOURCE_DATE_EPOCH", default_value_t = 0)]
    created: i64,
    /// Store layers as they are: bigger, and quicker to import.
    #[arg(long)]
    uncompressed: bool,
    /// Archive to write.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bluegreen-image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let reference = Reference::parse(&arguments.name, &arguments.tag)?;
    let image = Image {
        reference,
        binaries: arguments.binaries,
        entrypoint: arguments.entrypoint,
        arguments: arguments.arguments,
        env: arguments.env,
        labels: arguments.labels.into_iter().collect(),
        user: arguments.user,
        ports: arguments.ports.into_iter().collect(),
        created: arguments.created,
        compress: !arguments.uncompressed,
    };
    let written = image.write(&arguments.output)?;
    eprintln!(
        "{} for {}, {} KiB in {}",
        image.reference,
        written.platforms.join(", "),
        written.size.div_ceil(1024),
        arguments.output.display()
    );
    println!("{}", written.digest);
    Ok(())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("must be NAME=VALUE".to_owned()),
    }
}

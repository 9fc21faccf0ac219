//! A real gRPC server as an image for real nodes, and its client: the program in `tests/grpc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::oci::{self, File, Image};
use crate::process::run;

/// The name of the image. `serve PORT` is what its arguments say.
pub const IMAGE: &str = "localhost/grpc:1";

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../grpc/Cargo.toml");

/// The program, built where it is out of date. It needs nothing but the kernel.
///
/// # Errors
/// Where it can't be built.
pub fn program(target: &Path) -> Result<PathBuf> {
    let host = run(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let (host, folder) = (host.trim(), target.join("grpc"));
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--locked", "--manifest-path", MANIFEST, "--target", host, "--target-dir"])
        .arg(&folder);
    // Naming the target keeps this away from procedural macros, which can't be static.
    command.env("RUSTFLAGS", "-C target-feature=+crt-static").env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut command)?;
    Ok(folder.join(host).join("debug/bluegreen-grpc"))
}

/// The image with that program, as an OCI archive.
///
/// # Errors
/// Where the program is not there, or the archive can't be written.
pub fn image(program: &Path, folder: &Path) -> Result<PathBuf> {
    let archive = folder.join("grpc.tar");
    let image = Image {
        name: IMAGE.into(),
        files: vec![File { path: "bin/grpc".into(), content: fs::read(program)?, mode: 0o755 }],
        entrypoint: vec!["/bin/grpc".into()],
        user: Some("10001:10001".into()),
        ..Image::default()
    };
    oci::write_archive(&archive, &image)?;
    Ok(archive)
}

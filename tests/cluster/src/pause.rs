//! Images made on the spot, since there is no registry to pull them from: the pause image of real nodes, and
//! small programs for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::oci::{self, File, Image};
use crate::process::run;

/// Compiles the program and packs it; returns the archive.
pub fn build(folder: &Path) -> Result<PathBuf> {
    let program = compile_static("pause", include_str!("bin/pause.rs"), folder)
        .context("cannot build the pause program (give an image of your own with --pause-image)")?;
    let archive = folder.join("pause.tar");
    let image = Image {
        name: "localhost/bluegreen-pause:1".into(),
        files: vec![File { path: "pause".into(), content: fs::read(&program)?, mode: 0o755 }],
        entrypoint: vec!["/pause".into()],
        user: Some("65535:65535".into()),
        ..Image::default()
    };
    oci::write_archive(&archive, &image)?;
    Ok(archive)
}

/// The image `localhost/NAME` with this tag: a web server on port 8080 (or `PORT`) that says who it is. Returns the archive.
pub fn answer_image(folder: &Path, name: &str, tag: &str) -> Result<PathBuf> {
    program_image(folder, ("answer", include_str!("bin/answer.rs")), name, tag, Some(8080))
}

/// The image `localhost/ends:1`: a program that ends as its arguments say, for checks. Returns the archive.
pub fn ends_image(folder: &Path) -> Result<PathBuf> {
    program_image(folder, ("ends", include_str!("bin/ends.rs")), "ends", "1", None)
}

/// An image with one program and nothing else.
fn program_image(
    folder: &Path,
    (program, source): (&str, &str),
    name: &str,
    tag: &str,
    port: Option<u16>,
) -> Result<PathBuf> {
    let compiled = compile_static(program, source, folder)?;
    let archive = folder.join(format!("{name}-{tag}.tar"));
    let image = Image {
        name: format!("localhost/{name}:{tag}"),
        files: vec![File { path: format!("bin/{program}"), content: fs::read(compiled)?, mode: 0o755 }],
        entrypoint: vec![format!("/bin/{program}")],
        user: Some("10001:10001".into()),
        port,
        ..Image::default()
    };
    oci::write_archive(&archive, &image)?;
    Ok(archive)
}

/// Compiles one source file that uses std only into a static program, which runs in an image that holds nothing else.
/// Plain `rustc`: a test binary cannot rely on Cargo having built the programs of another package.
fn compile_static(name: &str, source: &str, folder: &Path) -> Result<PathBuf> {
    let file = folder.join(format!("{name}.rs"));
    let program = folder.join(name);
    fs::write(&file, source)?;
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args([
        "--edition=2024",
        "-Ctarget-feature=+crt-static",
        "-Cpanic=abort",
        "-Cstrip=symbols",
        "-o",
    ]);
    run(command.arg(&program).arg(&file))?;
    Ok(program)
}

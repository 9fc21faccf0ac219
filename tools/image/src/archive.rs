//! Writes an image layout as one file.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::Context as _;

use crate::{
    layer::append,
    oci::{Blobs, blob_path},
};

/// Writes `files` and `blobs` to `output` and returns the size in bytes.
///
/// # Errors
/// When `output` or its folder can't be written; then whatever was there before is still there.
pub fn write(
    output: &Path,
    files: &[(&'static str, Vec<u8>)],
    blobs: &Blobs,
    created: i64,
) -> anyhow::Result<u64> {
    let name = output.file_name().context("it isn't a file name")?;
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    };
    std::fs::create_dir_all(folder)?;
    // Written beside and renamed, so that no one ever imports half an archive. The process id keeps two runs apart.
    let partial = folder.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let result = fill(&partial, files, blobs, created)
        .and_then(|size| std::fs::rename(&partial, output).map(|()| size).map_err(Into::into));
    if result.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&partial);
    }
    result
}

fn fill(path: &Path, files: &[(&'static str, Vec<u8>)], blobs: &Blobs, created: i64) -> anyhow::Result<u64> {
    let mut builder = tar::Builder::new(BufWriter::new(File::create(path)?));
    for (name, content) in files {
        append(&mut builder, name, content, 0o644, created)?;
    }
    for (digest, content) in blobs {
        append(&mut builder, &blob_path(digest), content, 0o644, created)?;
    }
    let mut file = builder.into_inner()?;
    file.flush()?;
    Ok(file.get_ref().metadata()?.len())
}

//! Packs files into the one layer that an image has.

use std::io::Write as _;

use anyhow::Context as _;
use flate2::{Compression, GzBuilder};

use crate::oci::sha256;

/// A file in the image's root folder.
pub struct File {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A packed layer.
pub struct Layer {
    /// The bytes as stored.
    pub blob: Vec<u8>,
    /// What they are.
    pub media_type: &'static str,
    /// `sha256:…` of the bytes before compression, by which engines know an unpacked layer.
    pub diff_id: String,
}

/// Packs `files` so that equal files give equal bytes: sorted, owned by root, stamped with `created`.
///
/// # Errors
/// When a file's name is too long for an archive.
pub fn pack(files: &[File], created: i64, compress: bool) -> anyhow::Result<Layer> {
    let mut sorted: Vec<&File> = files.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    let mut builder = tar::Builder::new(Vec::new());
    for file in sorted {
        append(&mut builder, &file.name, &file.content, 0o755, created)?;
    }
    let plain = builder.into_inner()?;
    let diff_id = sha256(&plain);
    if !compress {
        return Ok(Layer { blob: plain, media_type: "application/vnd.oci.image.layer.v1.tar", diff_id });
    }
    // The header carries neither a name nor a time.
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    let blob = encoder.finish()?;
    Ok(Layer { blob, media_type: "application/vnd.oci.image.layer.v1.tar+gzip", diff_id })
}

/// Adds one file with nothing in its header that depends on the machine.
pub fn append<W: std::io::Write>(
    builder: &mut tar::Builder<W>,
    path: &str,
    content: &[u8],
    mode: u32,
    created: i64,
) -> anyhow::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path).with_context(|| format!("{path} can't be a path in an archive"))?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(content.len().try_into()?);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(created.try_into()?);
    header.set_cksum();
    builder.append(&header, content)?;
    Ok(())
}

//! OCI image archives without a container engine: one layer of files, the same bytes each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::tools::Tools;

/// A file in an image.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the root of the image, without a leading slash.
    pub path: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// Permissions, such as `0o755`.
    pub mode: u32,
}

/// An image of one layer for the architecture of this machine.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// Name and tag as pods refer to it: `localhost/hello:v1.0.0`.
    pub name: String,
    /// Its files.
    pub files: Vec<File>,
    /// Program and arguments.
    pub entrypoint: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Labels, such as `org.opencontainers.image.version`.
    pub labels: BTreeMap<String, String>,
    /// `uid` or `uid:gid`.
    pub user: Option<String>,
    /// TCP port that it listens on.
    pub port: Option<u16>,
}

/// An image of this name of tools, each at its root, as an archive that is made once: to read and to digest half a gigabyte takes a
/// while.
///
/// # Errors
/// Where a program can't be read, or the archive can't be written.
pub fn of_programs(
    target: &Path,
    kind: &str,
    image: &str,
    tools: &Tools,
    programs: &[&str],
) -> Result<PathBuf> {
    let version = tools.folder().file_name().context("the folder of the programs")?;
    let archive = target.join("images").join(format!("{kind}-{}.tar", version.display()));
    if !archive.is_file() {
        let file = |name: &&str| {
            anyhow::Ok(File { path: (*name).into(), content: fs::read(tools.path(name))?, mode: 0o755 })
        };
        let files = programs.iter().map(file).collect::<Result<_>>()?;
        let image = Image { name: image.into(), files, user: Some("65532:65532".into()), ..Image::default() };
        let unfinished = archive.with_extension("unfinished");
        fs::create_dir_all(target.join("images"))?;
        write_archive(&unfinished, &image)?;
        fs::rename(unfinished, &archive)?;
    }
    Ok(archive)
}

/// Writes an image as an OCI layout in a tar file, for `ctr images import`, `podman load` or `skopeo`.
pub fn write_archive(path: &Path, image: &Image) -> Result<()> {
    let layer = layer(&image.files)?;
    let config = config(image, &digest(&layer)).to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    })
    .to_string()
    .into_bytes();
    let mut entry = descriptor(MANIFEST, &manifest);
    entry["annotations"] = NAMES.iter().map(|key| (key.to_string(), json!(image.name))).collect();
    let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string().into_bytes();

    let mut archive = tar::Builder::new(Vec::new());
    append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
    append(&mut archive, "index.json", &index, 0o644)?;
    for blob in [&manifest, &config, &layer] {
        append(&mut archive, &format!("blobs/sha256/{}", digest(blob)), blob, 0o644)?;
    }
    let bytes = archive.into_inner()?;
    let mut file = fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.write_all(&bytes)?)
}

/// The name of the image in an archive.
pub fn archive_name(path: &Path) -> Result<String> {
    let file = fs::File::open(path).with_context(|| format!("no image archive {}", path.display()))?;
    for entry in tar::Archive::new(file).entries()? {
        let entry = entry?;
        if entry.path()?.as_ref() == Path::new("index.json") {
            let index: Value = serde_json::from_reader(entry)?;
            let annotations = &index["manifests"][0]["annotations"];
            let name = NAMES.iter().find_map(|key| annotations[key].as_str());
            return Ok(name
                .with_context(|| format!("the image in {} has no name", path.display()))?
                .to_owned());
        }
    }
    bail!("{} is not an OCI archive", path.display())
}

/// The annotations that name an image: containerd reads the first, podman and skopeo the second.
const NAMES: [&str; 2] = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn config(image: &Image, layer_digest: &str) -> Value {
    let mut run = json!({"Entrypoint": image.entrypoint});
    if !image.env.is_empty() {
        run["Env"] = image.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    }
    if !image.labels.is_empty() {
        run["Labels"] = json!(image.labels);
    }
    if let Some(user) = &image.user {
        run["User"] = json!(user);
    }
    if let Some(port) = image.port {
        run["ExposedPorts"] = json!({format!("{port}/tcp"): {}});
    }
    json!({
        "architecture": architecture(),
        "os": "linux",
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
    })
}

/// The machine's architecture by the name that images use.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn layer(files: &[File]) -> Result<Vec<u8>> {
    let mut layer = tar::Builder::new(Vec::new());
    let folders: BTreeSet<&Path> = files
        .iter()
        .flat_map(|file| Path::new(&file.path).ancestors().skip(1))
        .filter(|folder| !folder.as_os_str().is_empty())
        .collect();
    for folder in folders {
        let mut header = header(0, 0o755);
        header.set_entry_type(tar::EntryType::Directory);
        layer.append_data(&mut header, folder, std::io::empty())?;
    }
    let sorted: BTreeMap<&str, &File> = files.iter().map(|file| (file.path.as_str(), file)).collect();
    for (path, file) in sorted {
        append(&mut layer, path, &file.content, file.mode)?;
    }
    Ok(layer.into_inner()?)
}

fn append(archive: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8], mode: u32) -> Result<()> {
    Ok(archive.append_data(&mut header(content.len() as u64, mode), path, content)?)
}

/// No time and no owner: equal content makes an equal archive.
fn header(size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", digest(blob)), "size": blob.len()})
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_equal_images_make_equal_archives() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("bluegreen-oci-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let file = |path: &str| File { path: path.into(), content: path.into(), mode: 0o644 };
        let image = |files| Image { name: "localhost/x:1".into(), files, port: Some(80), ..Image::default() };
        write_archive(&folder.join("one"), &image(vec![file("a/b/c"), file("d")]))?;
        write_archive(&folder.join("two"), &image(vec![file("d"), file("a/b/c")]))?;
        let same = fs::read(folder.join("one"))? == fs::read(folder.join("two"))?;
        assert_eq!(archive_name(&folder.join("one"))?, "localhost/x:1");
        fs::remove_dir_all(&folder)?;
        assert!(same);
        Ok(())
    }
}

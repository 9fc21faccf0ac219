//! The documents of the [OCI image specification](https://github.com/opencontainers/image-spec/blob/v1.1.1/spec.md):
//! configuration, manifest, index.
//!
//! They are structs and not JSON values because the order of fields is part of the digest, and must not depend on
//! which features of `serde_json` another crate has turned on.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::{
    Image, Reference,
    elf::Architecture,
    layer::{File, Layer},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Content by digest.
pub type Blobs = BTreeMap<String, Vec<u8>>;

/// `sha256:…` of `content`.
pub fn sha256(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Where a digest's content lies in an image layout.
pub fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Platform>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, Serialize)]
struct Platform {
    architecture: String,
    os: &'static str,
}

#[derive(Serialize)]
struct Configuration<'a> {
    created: String,
    architecture: String,
    os: &'static str,
    config: Execution<'a>,
    rootfs: RootFs,
    history: [History; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Execution<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exposed_ports: BTreeMap<String, Empty>,
    env: Vec<String>,
    entrypoint: Vec<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cmd: &'a [String],
    working_dir: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct RootFs {
    r#type: &'static str,
    diff_ids: [String; 1],
}

#[derive(Serialize)]
struct History {
    created: String,
    created_by: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ManifestDocument {
    schema_version: u8,
    media_type: &'static str,
    config: Descriptor,
    layers: [Descriptor; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IndexDocument {
    schema_version: u8,
    media_type: &'static str,
    manifests: Vec<Descriptor>,
}

/// What `docker load` of engines older than the OCI layout looks for.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerEntry {
    config: String,
    repo_tags: [String; 1],
    layers: [String; 1],
}

/// The image for one platform.
pub struct Manifest {
    /// Of which processor.
    pub architecture: Architecture,
    descriptor: Descriptor,
    config: String,
    layer: String,
}

/// The files at the top of the layout, and the digest of the whole.
pub struct Top {
    /// Path and content, in the order of the archive.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Digest of the manifest or of the index.
    pub digest: String,
}

/// Describes the image for one platform and stores what it consists of in `blobs`.
pub fn manifest(
    image: &Image,
    architecture: Architecture,
    files: &[File],
    layer: Layer,
    blobs: &mut Blobs,
) -> anyhow::Result<Manifest> {
    let created =
        jiff::Timestamp::from_second(image.created).context("the time stamp is out of range")?.to_string();
    let entrypoint = if image.entrypoint.is_empty() {
        files.first().map(|file| format!("/{}", file.name)).into_iter().collect()
    } else {
        image.entrypoint.clone()
    };
    let configuration = Configuration {
        created: created.clone(),
        architecture: architecture.to_string(),
        os: "linux",
        config: Execution {
            user: &image.user,
            exposed_ports: image.ports.iter().map(|port| (format!("{port}/tcp"), Empty {})).collect(),
            env: image.env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            entrypoint,
            cmd: &image.arguments,
            working_dir: "/",
            labels: &image.labels,
        },
        rootfs: RootFs { r#type: "layers", diff_ids: [layer.diff_id] },
        history: [History { created, created_by: "bluegreen-image" }],
    };
    let config = store(blobs, CONFIG, serde_json::to_vec(&configuration)?);
    let layer = store(blobs, layer.media_type, layer.blob);
    let document = ManifestDocument {
        schema_version: 2,
        media_type: MANIFEST,
        config: config.clone(),
        layers: [layer.clone()],
    };
    let mut descriptor = store(blobs, MANIFEST, serde_json::to_vec(&document)?);
    descriptor.platform = Some(Platform { architecture: architecture.to_string(), os: "linux" });
    Ok(Manifest { architecture, descriptor, config: config.digest, layer: layer.digest })
}

/// Describes the archive: one manifest stands for itself, several are put under one index, so that the image has one
/// digest in either case.
pub fn top(reference: &Reference, manifests: &[Manifest], blobs: &mut Blobs) -> anyhow::Result<Top> {
    let mut files = vec![("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())];
    let mut named = match manifests {
        [only] => {
            let entry = DockerEntry {
                config: blob_path(&only.config),
                repo_tags: [reference.to_string()],
                layers: [blob_path(&only.layer)],
            };
            files.push(("manifest.json", serde_json::to_vec(&[entry])?));
            only.descriptor.clone()
        }
        several => {
            let manifests = several.iter().map(|manifest| manifest.descriptor.clone()).collect();
            store(blobs, INDEX, index(manifests)?)
        }
    };
    // The specification's name for a tag, and containerd's for a full name.
    named.annotations = BTreeMap::from([
        ("io.containerd.image.name", reference.to_string()),
        ("org.opencontainers.image.ref.name", reference.tag().to_owned()),
    ]);
    let digest = named.digest.clone();
    files.push(("index.json", index(vec![named])?));
    Ok(Top { files, digest })
}

fn index(manifests: Vec<Descriptor>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&IndexDocument { schema_version: 2, media_type: INDEX, manifests })
}

fn store(blobs: &mut Blobs, media_type: &'static str, content: Vec<u8>) -> Descriptor {
    let digest = sha256(&content);
    let size = content.len();
    blobs.insert(digest.clone(), content);
    Descriptor { media_type, digest, size, platform: None, annotations: BTreeMap::new() }
}

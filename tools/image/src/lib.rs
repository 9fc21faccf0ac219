//! Container images from static binaries, without a container engine.
//!
//! An [`Image`] is written as an OCI image layout in a tar archive, which `ctr images import`, `skopeo`, `podman load`
//! and `docker load` read. The same input gives the same bytes: nothing of the machine, the user or the clock gets in.
//!
//! ```no_run
//! use bluegreen_image::{Image, Reference};
//!
//! let mut image = Image::new(Reference::parse("docker.io/library/hello", "v1.0.0")?);
//! image.binaries.push("target/static/x86_64-unknown-linux-gnu/release/hello".into());
//! image.env.push(("VERSION".into(), "v1.0.0".into()));
//! image.ports.insert(8888);
//! let written = image.write("target/images/hello-v1.0.0.tar".as_ref())?;
//! println!("{}", written.digest);
//! # anyhow::Ok(())
//! ```
//!
//! The modules in the order in which data flows: [`reference`](Reference) names the image, `elf` checks the binaries,
//! `layer` packs them, `oci` describes the result, `archive` writes it.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod archive;
mod elf;
mod layer;
mod oci;
mod reference;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};

pub use crate::{elf::Architecture, reference::Reference};

/// What goes into an image. Every image starts from nothing (`FROM scratch`).
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name and tag.
    pub reference: Reference,
    /// Static executables; each ends up in the root folder under its file name. Binaries for several architectures
    /// make one image for several platforms.
    pub binaries: Vec<PathBuf>,
    /// The command; empty means the first binary.
    pub entrypoint: Vec<String>,
    /// Default arguments of the command.
    pub arguments: Vec<String>,
    /// Environment variables, in this order.
    pub env: Vec<(String, String)>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Numeric `UID` or `UID:GID`, since an image from nothing has no `/etc/passwd`. With only a UID the group is 0.
    pub user: String,
    /// TCP ports the app listens on.
    pub ports: BTreeSet<u16>,
    /// Time stamp of the image and its files, in seconds since 1970.
    pub created: i64,
    /// Whether layers are compressed, for a registry; a local import is faster without.
    pub compress: bool,
}

/// An image that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `sha256:…` of the manifest (or of the index, for several platforms): what a registry or containerd calls the
    /// image's digest.
    pub digest: String,
    /// Every platform in it, such as `linux/amd64`.
    pub platforms: Vec<String>,
    /// Size of the archive in bytes.
    pub size: u64,
}

impl Image {
    /// An image of that name with nothing in it yet, for a user without rights.
    #[must_use]
    pub fn new(reference: Reference) -> Self {
        Self {
            reference,
            binaries: Vec::new(),
            entrypoint: Vec::new(),
            arguments: Vec::new(),
            env: Vec::new(),
            labels: BTreeMap::new(),
            user: "65532:65532".to_owned(),
            ports: BTreeSet::new(),
            created: 0,
            compress: true,
        }
    }

    /// Writes the archive to `output`, whole or not at all, and makes its folder if needed.
    ///
    /// # Errors
    /// When a binary can't be read, isn't a static Linux executable, or clashes with another; when a setting can't be
    /// right; when `output` can't be written.
    pub fn write(&self, output: &Path) -> anyhow::Result<Written> {
        self.check()?;
        let mut blobs = oci::Blobs::default();
        let mut manifests = Vec::new();
        for (architecture, binaries) in self.by_architecture()? {
            let layer = layer::pack(&binaries, self.created, self.compress)?;
            manifests.push(oci::manifest(self, architecture, &binaries, layer, &mut blobs)?);
        }
        let platforms = manifests.iter().map(|manifest| format!("linux/{}", manifest.architecture)).collect();
        let top = oci::top(&self.reference, &manifests, &mut blobs)?;
        let size = archive::write(output, &top.files, &blobs, self.created)
            .with_context(|| format!("could not write {}", output.display()))?;
        Ok(Written { digest: top.digest, platforms, size })
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.binaries.is_empty(), "an image needs at least one binary");
        ensure!(self.created >= 0, "the time stamp {} lies before 1970", self.created);
        let mut ids = self.user.splitn(2, ':');
        ensure!(
            ids.all(|id| !id.is_empty() && id.parse::<u32>().is_ok()),
            "the user must be UID or UID:GID in numbers, not {:?}: there is no /etc/passwd in the image",
            self.user
        );
        let mut names = BTreeSet::new();
        for (name, _) in &self.env {
            ensure!(!name.is_empty() && !name.contains('='), "{name:?} can't be the name of a variable");
            ensure!(names.insert(name), "the variable {name} is given twice");
        }
        Ok(())
    }

    fn by_architecture(&self) -> anyhow::Result<BTreeMap<Architecture, Vec<layer::File>>> {
        let mut groups: BTreeMap<Architecture, Vec<layer::File>> = BTreeMap::new();
        for path in &self.binaries {
            let shown = path.display();
            let content = std::fs::read(path).with_context(|| format!("could not read {shown}"))?;
            let architecture = elf::check(&content).with_context(|| format!("can't use {shown}"))?;
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.with_context(|| format!("{shown} has no usable file name"))?.to_owned();
            let files = groups.entry(architecture).or_default();
            ensure!(
                files.iter().all(|file| file.name != name),
                "two binaries for {architecture} would both be /{name}"
            );
            files.push(layer::File { name, content });
        }
        Ok(groups)
    }
}

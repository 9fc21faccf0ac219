//! HAProxy, from Debian's packages.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::debian::Programs;

const HAPROXY: Programs = Programs {
    name: "haproxy",
    packages: &["haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"],
    folder: "usr/sbin",
    programs: &["haproxy"],
    size: 3,
};

/// `haproxy`, and the folder of the libraries that it needs, which is empty or not there where the system has it.
///
/// # Errors
/// Where it can't be had.
pub fn ensure(target: &Path) -> Result<(PathBuf, PathBuf)> {
    let folder = HAPROXY.ensure(target)?;
    let libraries = target.join(HAPROXY.name).join("usr/lib");
    Ok((folder.join("haproxy"), libraries.join(format!("{}-linux-gnu", std::env::consts::ARCH))))
}

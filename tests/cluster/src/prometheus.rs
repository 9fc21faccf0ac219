//! Prometheus and promtool: those on the PATH, or else the ones of Debian's package.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::debian::Programs;
use crate::go::module_folder;

const PROMETHEUS: Programs = Programs {
    name: "prometheus",
    packages: &["prometheus"],
    folder: "usr/bin",
    programs: &["prometheus", "promtool"],
    size: 19,
};

/// The folder that holds `prometheus` and `promtool`.
///
/// # Errors
/// Where they are neither on the PATH nor to be had from a package, with what to do about it.
pub fn ensure(target: &Path) -> Result<PathBuf> {
    PROMETHEUS.ensure(target)
}

/// The Prometheus Operator, whose CustomResourceDefinitions are in its Go module.
const OPERATOR: &str = "github.com/prometheus-operator/prometheus-operator@v0.85.0";
const OPERATOR_SUM: &str = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=";

/// The files of the Prometheus Operator's CustomResourceDefinitions, as far as we ship objects of them.
///
/// # Errors
/// Where its module can't be had.
pub fn operator_crds() -> Result<[PathBuf; 3]> {
    let folder = module_folder(OPERATOR, OPERATOR_SUM)?.join("example/prometheus-operator-crd");
    Ok(["servicemonitors", "podmonitors", "prometheusrules"]
        .map(|name| folder.join(format!("monitoring.coreos.com_{name}.yaml"))))
}

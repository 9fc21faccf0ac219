//! The CustomResourceDefinition, generated from the types.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

use super::BlueGreenApp;

/// The definition could not be put into its final form; only possible with a mistake in this crate.
#[derive(Debug, thiserror::Error)]
pub enum CrdError {
    /// The generated definition is not what the rewriting expects.
    #[error("the generated definition has an unexpected shape: {0}")]
    Shape(#[from] serde_json::Error),
    /// The definition could not be written as YAML.
    #[error("the definition could not be written as YAML: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
}

/// The definition as installed.
///
/// # Errors
/// Only with a mistake in this crate; a test generates it.
pub fn crd() -> Result<CustomResourceDefinition, CrdError> {
    Ok(BlueGreenApp::crd())
}

/// The definition as YAML, as kept in `crds/`.
///
/// # Errors
/// Only with a mistake in this crate; a test generates it.
pub fn crd_yaml() -> Result<String, CrdError> {
    Ok(serde_yaml_ng::to_string(&crd()?)?)
}

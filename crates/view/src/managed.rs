//! PURE: which GitOps tool applies an app, so that an edit in the cluster is at odds with Git.
//!
//! The labels and annotations are those that the tools set on what they apply: Argo CD by its resource tracking
//! (`application.resourceTrackingMethod`), Flux by its kustomize-controller and its helm-controller.

use bluegreen_api::BlueGreenApp;
use bluegreen_core::harmless::harmless;
use kube::ResourceExt;

/// The annotation with which Argo CD tracks what it applies: `APPLICATION:GROUP/KIND:NAMESPACE/NAME`.
const ARGO_TRACKING: &str = "argocd.argoproj.io/tracking-id";
/// The label with which Argo CD tracks, where it is told to use one of its own.
const ARGO_INSTANCE: &str = "argocd.argoproj.io/instance";
/// The labels of Flux, and what sets them.
const FLUX: [(&str, &str); 2] =
    [("kustomize.toolkit.fluxcd.io/name", "Kustomization"), ("helm.toolkit.fluxcd.io/name", "HelmRelease")];

/// At most so many bytes of a name are told.
const NAME: usize = 120;

/// The tool that applies this app, such as `Argo CD (Application shop)`; none if nothing says so.
#[must_use]
pub fn gitops(app: &BlueGreenApp) -> Option<String> {
    let name = |text: &str| harmless(text, NAME);
    let tracked = app.annotations().get(ARGO_TRACKING).and_then(|id| id.split(':').next());
    if let Some(application) = tracked.or_else(|| app.labels().get(ARGO_INSTANCE).map(String::as_str)) {
        return Some(format!("Argo CD (Application {})", name(application)));
    }
    let (value, kind) = FLUX.into_iter().find_map(|(label, kind)| Some((app.labels().get(label)?, kind)))?;
    Some(format!("Flux ({kind} {})", name(value)))
}

/// What whoever edits such an app in the cluster should know.
#[must_use]
pub fn warning(app: &BlueGreenApp) -> Option<String> {
    gitops(app).map(|tool| {
        format!(
            "{tool} applies this app from Git. It takes this edit back, unless it is told to leave the field alone. Make the \
             same edit of the manifest in Git"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn app(labels: serde_json::Value, annotations: serde_json::Value) -> BlueGreenApp {
        serde_json::from_value(json!({
            "apiVersion": "bluegreen.dev/v1alpha1", "kind": "BlueGreenApp",
            "metadata": {"name": "hello", "labels": labels, "annotations": annotations},
            "spec": {"active": "blue", "image": "hello", "blue": {"tag": "1"}, "replicas": 1, "port": 80},
        }))
        .unwrap()
    }

    #[test]
    fn the_tool_that_applies_an_app_is_named() {
        let tracked = "shop:bluegreen.dev/BlueGreenApp:shop/hello";
        for (labels, annotations, told) in [
            (json!({}), json!({}), None),
            (json!({"app.kubernetes.io/instance": "hello"}), json!({}), None),
            (json!({}), json!({ (ARGO_TRACKING): tracked }), Some("Argo CD (Application shop)")),
            (json!({ (ARGO_INSTANCE): "shop" }), json!({}), Some("Argo CD (Application shop)")),
            (json!({ (FLUX[0].0): "apps" }), json!({}), Some("Flux (Kustomization apps)")),
            (json!({ (FLUX[1].0): "shop\u{1b}" }), json!({}), Some("Flux (HelmRelease shop\\u{1b})")),
        ] {
            let app = app(labels, annotations);
            assert_eq!(gitops(&app).as_deref(), told);
            assert_eq!(warning(&app).is_some(), told.is_some());
        }
    }
}

//! What the volumes of a pod are made from.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Pod, Volume};

/// How many objects are named.
const NAMED: usize = 4;

/// The Secrets, ConfigMaps and claims without which the pod can't start; empty if there are none.
pub(super) fn needs(pod: &Pod) -> String {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref()).unwrap_or_default();
    // The API server adds this one to each pod, and Kubernetes makes what it refers to.
    let declared = volumes.iter().filter(|volume| !volume.name.starts_with("kube-api-access-"));
    let all: BTreeSet<String> = declared.flat_map(refers_to).collect();
    let named: Vec<&str> = all.iter().take(NAMED).map(String::as_str).collect();
    match all.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

fn refers_to(volume: &Volume) -> Vec<String> {
    let projected = volume.projected.as_ref().and_then(|projected| projected.sources.as_deref());
    let sources = projected.unwrap_or_default();
    let secret = |name: Option<&String>, optional: Option<bool>| needed("Secret", name, optional);
    let map = |name: &str, optional: Option<bool>| needed("ConfigMap", Some(name), optional);
    let own = [
        volume.secret.as_ref().and_then(|from| secret(from.secret_name.as_ref(), from.optional)),
        volume.config_map.as_ref().and_then(|from| map(&from.name, from.optional)),
        volume
            .persistent_volume_claim
            .as_ref()
            .map(|from| format!("PersistentVolumeClaim {}", from.claim_name)),
    ];
    let projected = sources.iter().flat_map(|source| {
        [
            source.secret.as_ref().and_then(|from| secret(Some(&from.name), from.optional)),
            source.config_map.as_ref().and_then(|from| map(&from.name, from.optional)),
        ]
    });
    own.into_iter().chain(projected).flatten().collect()
}

fn needed(kind: &str, name: Option<impl AsRef<str>>, optional: Option<bool>) -> Option<String> {
    name.filter(|_| optional != Some(true)).map(|name| format!("{kind} {}", name.as_ref()))
}

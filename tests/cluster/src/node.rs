//! Real nodes: containerd, kubelet and kube-proxy.

/// The name of the n-th node, counted from 1, real or simulated.
pub fn name(index: usize) -> String {
    format!("node-{index}")
}

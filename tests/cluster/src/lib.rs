//! A real Kubernetes for tests and the demo: no container engine, no image registry, nothing installed by hand but Go.
//!
//! [`Cluster::start`] goes through these files in this order: `tools.rs` builds the pinned programs of Kubernetes once,
//! `pki.rs` gives them certificates, `control_plane.rs` starts them as plain processes, and nodes join: simulated ones
//! that only play a kubelet's part (`simulated.rs`), or real ones with containers (`node.rs`). Several clusters live side
//! by side, each in a folder of its own (`dir.rs`). Whatever becomes of the process that started one, nothing of it
//! stays behind (`reap.rs`).

pub mod argocd;
mod audit;
pub mod autoscalers;
mod cgroup;
mod cluster;
mod code;
mod command;
mod containerd;
mod control_plane;
mod datastore;
pub mod debian;
mod dir;
mod document;
mod go;
pub mod grpc;
pub mod haproxy;
mod kubeconfig;
pub mod kyverno;
mod net;
mod node;
pub mod oci;
mod options;
mod pause;
mod pki;
mod process;
pub mod prometheus;
mod reap;
mod requirements;
mod say;
mod simulated;
mod tools;
pub mod versions;

pub use audit::{AuditLog, Entry, Offset};
pub use cluster::{Backup, Cluster, DIR, NODE_ADDRESS, down, down_all};
pub use code::code;
pub use command::{asked_to_stop, bash, commands, fed, get, manifests, output, patiently, tail};
pub use dir::{DEFAULT, free_ports, target};
pub use document::put_between;
pub use go::module_folder;
pub use kubeconfig::UserAccount;
pub use options::{Node, Options, ProxyMode};
pub use pause::{answer_image, ends_image};
pub use requirements::install as install_node_dependencies;
pub use tools::Tools;

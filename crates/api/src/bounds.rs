//! How much an app may ask for.
//!
//! Without bounds, one app could be as large as an object can be, and the operator keeps every app in memory several times:
//! its spec, the stored revisions, and the Deployments of both colors. The bounds are far above any sensible use.

/// The largest number of items of a list of a PodSpec, unless [`EXCEPTIONS`] has its name.
const ITEMS: usize = 256;

/// The lists of which more or fewer items make sense, by name. `containers`, `initContainers` and `ports` are looked at by
/// rules, whose cost the API server estimates from these numbers.
const EXCEPTIONS: [(&str, usize); 9] = [
    ("args", 1024),
    ("command", 1024),
    ("containers", 32),
    ("env", 1024),
    ("hostAliases", 1024),
    ("initContainers", 32),
    // The keys of a ConfigMap or Secret.
    ("items", 1024),
    ("ports", 64),
    // The names of nodes in an affinity.
    ("values", 1024),
];

/// The largest size of a spec, as JSON without blanks, in bytes. `kubectl apply` can't store a larger one either: the
/// annotation that it keeps it in has the same limit.
pub const SPEC_BYTES: usize = 256 * 1024;

/// Returns the largest number of items of the list with this name in a PodSpec.
#[must_use]
pub fn most_items(list: &str) -> usize {
    EXCEPTIONS.iter().find(|(name, _)| *name == list).map_or(ITEMS, |(_, most)| *most)
}

//! An object of a watched kind that can't be decoded: `controller::sight` finds it, and `events` tells of it.

use bluegreen_client::careful::Unreadable;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource;

/// An object that can't be decoded, and why.
#[derive(Clone, Debug)]
pub struct Hidden {
    /// The object.
    pub object: ObjectReference,
    /// Why it can't be decoded.
    pub why: String,
}

impl Hidden {
    /// The object that this stands for.
    pub fn of<K: Resource<DynamicType = ()>>(unreadable: &Unreadable) -> Self {
        let meta = unreadable.metadata.clone();
        let object = ObjectReference {
            api_version: Some(K::api_version(&()).into_owned()),
            kind: Some(K::kind(&()).into_owned()),
            name: meta.name,
            namespace: meta.namespace,
            uid: meta.uid,
            resource_version: meta.resource_version,
            field_path: None,
        };
        Self { object, why: unreadable.why.clone() }
    }
}

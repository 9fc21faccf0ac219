//! How an object is kept: as it is, or as text.
//!
//! An object in memory takes several times as much as its JSON where it has many small parts: a variable of twenty bytes
//! takes four hundred, and seven hundred in a stored revision. So a large object is kept as text and decoded when its app's
//! pass asks for it, and a tenant's objects take about as much memory as their size.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// An object whose JSON is larger than this is kept as text. Few are: a Deployment of a usual app has 3 KiB.
const LARGE: usize = 32 * 1024;

/// An object in a store.
#[derive(Debug)]
pub(super) enum Kept<K> {
    Whole(Arc<K>),
    Text(Box<[u8]>),
}

impl<K: Serialize + DeserializeOwned> Kept<K> {
    pub(super) fn new(object: K) -> Self {
        match serde_json::to_vec(&object) {
            Ok(text) if text.len() > LARGE => Self::Text(text.into()),
            Ok(_) | Err(_) => Self::Whole(Arc::new(object)),
        }
    }

    /// The object. What was encoded here can always be decoded.
    pub(super) fn get(&self) -> Option<Arc<K>> {
        match self {
            Self::Whole(object) => Some(object.clone()),
            Self::Text(text) => serde_json::from_slice(text).map(Arc::new).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_large_object_is_kept_as_text_and_read_back_as_it_was() {
        let deployment = |variables: usize| -> Deployment {
            let env: Vec<_> = (0..variables).map(|number| json!({"name": format!("A{number}")})).collect();
            let entry = json!({"manager": "x", "operation": "Update", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}});
            serde_json::from_value(json!({
                "metadata": {"name": "a", "annotations": {"can't be decoded": "x"}, "managedFields": [entry]},
                "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "app", "env": env}]}}},
                "status": {"readyReplicas": 1},
            }))
            .unwrap()
        };
        for (variables, is_text) in [(10, false), (4000, true)] {
            let kept = Kept::new(deployment(variables));
            assert_eq!(matches!(kept, Kept::Text(_)), is_text);
            assert_eq!(*kept.get().unwrap(), deployment(variables));
        }
    }
}

//! PURE: CloudEvents 1.0 in structured JSON.

use serde_json::{Value, json};

use crate::transition::Transition;

/// How the types of the events begin.
const TYPE: &str = "dev.bluegreen.app.";

/// The body. Source and id together are the same for the same transition, so whoever gets it twice can tell.
pub(super) fn body(transition: &Transition, data: Value) -> Value {
    let Transition { id, kind, namespace, name, time, .. } = transition;
    let mut event = json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("/apis/bluegreen.dev/v1alpha1/namespaces/{namespace}/bluegreenapps/{name}"),
        "type": format!("{TYPE}{}", kind.as_str().to_lowercase()),
        "subject": format!("{namespace}/{name}"),
        "datacontenttype": "application/json",
        "data": data,
    });
    if let (Some(event), Some(time)) = (event.as_object_mut(), time) {
        event.insert("time".to_owned(), time.to_string().into());
    }
    event
}

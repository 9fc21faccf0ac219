//! What the API server answers to a write that has succeeded: the object as it was stored.
//!
//! Tenants may write into it, so an answer that can't be decoded is no failure. It tells nothing then, and the pass reads.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::core::v1::Service;
use serde::Deserialize;

use bluegreen_client::careful::{Careful, Readable};
use bluegreen_core::apply::Object;
use bluegreen_core::observe::Written;

/// The object of a request, as its answer shows it.
pub(super) fn stored(object: Object, answer: &str) -> Option<Written> {
    match object {
        Object::Service => read(answer).map(Written::Service),
        Object::ColorService(color) => {
            read(answer).map(|service: Arc<Service>| Written::ColorService(color, service))
        }
        Object::Preview => read(answer).map(Written::Preview),
        Object::Deployment(color) => {
            read(answer).map(|deployment: Arc<Deployment>| Written::Deployment(color, deployment))
        }
        Object::Revision { .. } => read::<ControllerRevision>(answer).map(Written::Revision),
        Object::Job => None,
    }
}

/// What a deletion that was answered leaves. A Deployment and a Service are deleted some time after the answer.
pub(super) fn deleted(object: Object) -> Option<Written> {
    match object {
        Object::Revision { color, number } => Some(Written::NoRevision { color, number }),
        Object::Service | Object::ColorService(_) | Object::Preview | Object::Deployment(_) | Object::Job => {
            None
        }
    }
}

/// The resourceVersion of an object.
pub(super) fn version(answer: &str) -> serde_json::Result<Option<String>> {
    serde_json::from_str::<Stamped>(answer).map(|object| object.metadata.resource_version)
}

fn read<K>(answer: &str) -> Option<Arc<K>>
where
    K: Readable + for<'a> Deserialize<'a>,
{
    let Careful(object) = serde_json::from_str(answer).ok()?;
    let object: K = object.ok()?;
    // What has no version was not stored.
    object.meta().resource_version.is_some().then(|| Arc::new(object))
}

#[derive(Deserialize)]
struct Stamped {
    metadata: Stamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stamp {
    resource_version: Option<String>,
}

#[cfg(test)]
mod tests {
    use bluegreen_api::Color;

    use super::*;

    const DEPLOYMENT: Object = Object::Deployment(Color::Green);

    #[test]
    fn an_answer_holds_the_object_as_it_was_stored() {
        let answer = r#"{"metadata": {"name": "hello-green", "resourceVersion": "7"}}"#;
        let Some(Written::Deployment(Color::Green, stored)) = stored(DEPLOYMENT, answer) else {
            panic!("nothing is told")
        };
        assert_eq!(stored.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(version(answer).unwrap().as_deref(), Some("7"));
    }

    /// What is told then would be taken for the object.
    #[test]
    fn an_answer_that_is_no_stored_object_tells_nothing() {
        for answer in [
            "",
            "null",
            r#"{"metadata": {"name": "hello-green"}}"#,
            r#"{"metadata": {"name": "hello-green", "resourceVersion": "7"}, "spec": 5}"#,
        ] {
            assert!(stored(DEPLOYMENT, answer).is_none(), "{answer}");
        }
        assert!(version("").is_err(), "the next status must not be written without a version");
    }

    #[test]
    fn only_the_deletion_of_a_revision_is_over_with_its_answer() {
        let revision = Object::Revision { color: Color::Green, number: 2 };
        assert!(matches!(deleted(revision), Some(Written::NoRevision { color: Color::Green, number: 2 })));
        for object in
            [Object::Service, Object::ColorService(Color::Blue), Object::Preview, DEPLOYMENT, Object::Job]
        {
            assert!(deleted(object).is_none(), "{object:?}");
        }
    }
}

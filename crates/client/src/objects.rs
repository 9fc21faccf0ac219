//! Requests for objects: everything that is read from the API server is read by these, [carefully](crate::careful).
//!
//! A whole answer is in memory at once, and so is what becomes of it. Answers that tenants can make as large as they want, such
//! as the list of an app's pods, wait for each other, and namespaces [take turns](crate::turns).

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use kube::api::ListParams;
use kube::core::{NamespaceResourceScope, ObjectList, PartialObjectMeta, Request};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::careful::{Careful, Readable};
use crate::turns::Turns;

/// Large answers that are read at the same time: two, and some more of namespaces that read none.
static LARGE: LazyLock<Arc<Turns>> = LazyLock::new(|| Turns::new(2));

/// A kind in a namespace.
pub trait Namespaced:
    Readable + Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug
{
}

impl<K> Namespaced for K where
    K: Readable + Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug
{
}

fn api<K: Namespaced>(client: &Client, namespace: &str) -> Api<Careful<K>> {
    Api::namespaced(client.clone(), namespace)
}

/// For metadata alone, `Api` has no requests that read carefully.
fn request<K: Namespaced>(namespace: &str) -> Request {
    Request::new(K::url_path(&(), Some(namespace)))
}

/// Sends a request that was built by [`Request`].
async fn send<T: DeserializeOwned>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> kube::Result<T> {
    client.request(request.map_err(kube::Error::BuildRequest)?).await
}

/// Returns the answer, or `None` if the object does not exist.
fn found<T>(answer: kube::Result<T>) -> kube::Result<Option<T>> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// One object, or `None` if it does not exist.
///
/// # Errors
/// When the request fails.
pub async fn get<K: Namespaced>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> kube::Result<Option<Careful<K>>> {
    api::<K>(client, namespace).get_opt(name).await
}

/// One child, or `None` if it does not exist. One that can't be decoded is a [stand-in](Careful::or_stand_in).
///
/// # Errors
/// When the request fails.
pub async fn child<K: Namespaced + Default>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> kube::Result<Option<Arc<K>>> {
    Ok(get(client, namespace, name).await?.map(|object| Arc::new(object.or_stand_in())))
}

/// Every child that these parameters select. One that can't be decoded is a [stand-in](Careful::or_stand_in).
///
/// # Errors
/// When the request fails.
pub async fn children<K: Namespaced + Default>(
    client: &Client,
    namespace: &str,
    params: &ListParams,
) -> kube::Result<Vec<Arc<K>>> {
    let list = api::<K>(client, namespace).list(params).await?;
    Ok(list.items.into_iter().map(|object| Arc::new(object.or_stand_in())).collect())
}

/// More pages than that are not read for a few objects.
const PAGES: usize = 100;

/// The first `most` objects that these parameters select and `keep` keeps, in pages of this size, each reduced by `keep` before the
/// next page is read. Those that can't be decoded are left out.
///
/// # Errors
/// When a request fails.
pub async fn some<K: Namespaced>(
    client: &Client,
    namespace: &str,
    params: &ListParams,
    page: u32,
    most: usize,
    mut keep: impl FnMut(&mut K) -> bool,
) -> kube::Result<Vec<K>> {
    let (mut params, mut all) = (params.clone().limit(page), Vec::new());
    for _ in 0..PAGES {
        let _one_of_few = LARGE.take(namespace).await;
        let list = api::<K>(client, namespace).list(&params).await?;
        let objects = list.items.into_iter().filter_map(|object| object.0.ok());
        all.extend(objects.filter_map(|mut object| keep(&mut object).then_some(object)));
        match list.metadata.continue_ {
            Some(next) if !next.is_empty() && all.len() < most => params = params.continue_token(&next),
            Some(_) | None => break,
        }
    }
    all.truncate(most);
    Ok(all)
}

/// The metadata of one object, or `None` if it does not exist.
///
/// # Errors
/// When the request fails.
pub async fn metadata<K: Namespaced>(
    client: &Client,
    namespace: &str,
    name: &str,
) -> kube::Result<Option<PartialObjectMeta<K>>> {
    let get = request::<K>(namespace).get_metadata(name, &kube::api::GetParams::default());
    found(send(client, get).await)?.map(|object: Careful<_>| readable(object)).transpose()
}

/// The metadata of every object that these parameters select, without annotations.
///
/// # Errors
/// When the request fails.
pub async fn all_metadata<K: Namespaced>(
    client: &Client,
    namespace: &str,
    params: &ListParams,
) -> kube::Result<Vec<PartialObjectMeta<K>>> {
    let _one_of_few = LARGE.take(namespace).await;
    let list: ObjectList<Careful<PartialObjectMeta<K>>> =
        send(client, request::<K>(namespace).list_metadata(params)).await?;
    list.items.into_iter().map(readable).collect()
}

/// Metadata holds nothing that can't be decoded, once the field managers are taken out. Where a proof depends on it, it fails
/// all the same, because an object that is left out would look as if it did not exist.
fn readable<K: Resource>(object: Careful<K>) -> kube::Result<K> {
    let mut object = object.0.map_err(|error| kube::Error::Service(error.into()))?;
    object.meta_mut().annotations = None;
    Ok(object)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http::{Request as HttpRequest, Response};
    use k8s_openapi::api::core::v1::Pod;
    use kube::client::Body;

    use super::*;

    /// Answers with an empty list, but never for the namespace `storm`.
    fn server() -> Client {
        let answer = |request: HttpRequest<Body>| async move {
            if request.uri().path().contains("/storm/") {
                std::future::pending::<()>().await;
            }
            let list = r#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{},"items":[]}"#;
            Ok::<_, std::convert::Infallible>(Response::new(Body::from(list.as_bytes().to_vec())))
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test]
    async fn large_answers_of_one_namespace_keep_those_of_another_one_waiting_for_nothing() {
        let client = server();
        let params = ListParams::default();
        let mut storm: Vec<_> =
            (0..20).map(|_| all_metadata::<Pod>(&client, "storm", &params).boxed_local()).collect();
        for read in &mut storm {
            assert!(read.now_or_never().is_none());
        }
        let time = std::time::Duration::from_secs(10);
        let pods = tokio::time::timeout(time, all_metadata::<Pod>(&client, "calm", &params));
        assert!(pods.await.expect("its turn").unwrap().is_empty());
    }
}

//! Connects to the cluster, and reads one app.

use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bluegreen_api::BlueGreenApp;
use bluegreen_client::careful::Careful;
use bluegreen_client::connection::for_decisions;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use crate::args::Global;

/// How long one request may take.
pub const REQUEST: Duration = Duration::from_secs(10);

/// A namespace of a cluster.
#[derive(Clone)]
pub struct Cluster {
    /// A client that never retries by itself.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Cluster {
    /// Connects as the flags say.
    ///
    /// # Errors
    /// When they don't lead to a cluster.
    pub async fn connect(global: &Global) -> anyhow::Result<Self> {
        let config = config(global).await?;
        let namespace = global.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(for_decisions(config, REQUEST)).context("can't create a client")?;
        Ok(Self { client, namespace })
    }

    /// A client for watches, which may be silent for longer than a request may take.
    ///
    /// # Errors
    /// As [`Cluster::connect`].
    pub async fn watching(global: &Global) -> anyhow::Result<Client> {
        Client::try_from(config(global).await?).context("can't create a client")
    }

    /// Another namespace of the same cluster.
    #[must_use]
    pub fn within(&self, namespace: &str) -> Self {
        Self { client: self.client.clone(), namespace: namespace.to_owned() }
    }

    /// The apps of the namespace.
    #[must_use]
    pub fn apps(&self) -> Api<Careful<BlueGreenApp>> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Reads one app.
    ///
    /// # Errors
    /// When it does not exist or can't be read.
    pub async fn read(&self, name: &str) -> Result<BlueGreenApp, RequestError> {
        within(self.apps().get(name)).await.and_then(decoded)
    }

    /// One app.
    ///
    /// # Errors
    /// When it does not exist or can't be read.
    pub async fn app(&self, name: &str) -> anyhow::Result<BlueGreenApp> {
        self.read(name).await.map_err(|error| error.in_words(name, &self.namespace))
    }
}

/// The app itself.
fn decoded(app: Careful<BlueGreenApp>) -> Result<BlueGreenApp, RequestError> {
    app.0.map_err(|unreadable| RequestError::Final(kube::Error::Service(unreadable.into())))
}

async fn config(global: &Global) -> anyhow::Result<Config> {
    let mut config = found(global).await?;
    if let Some(user) = &global.impersonate {
        config.auth_info.impersonate = Some(user.clone());
    }
    if !global.impersonate_groups.is_empty() {
        config.auth_info.impersonate_groups = Some(global.impersonate_groups.clone());
    }
    Ok(config)
}

async fn found(global: &Global) -> anyhow::Result<Config> {
    let options = KubeConfigOptions { context: global.context.clone(), ..KubeConfigOptions::default() };
    if let Some(path) = &global.kubeconfig {
        let file = Kubeconfig::read_from(path)?;
        return Config::from_custom_kubeconfig(file, &options).await.context("can't use this kubeconfig");
    }
    if let Some(context) = &global.context {
        let found = Config::from_kubeconfig(&options).await;
        return found.with_context(|| format!("can't use context {context:?} of the kubeconfig"));
    }
    Config::infer().await.context("no cluster: neither a kubeconfig nor a ServiceAccount was found")
}

/// A request that failed.
#[derive(Debug)]
pub enum RequestError {
    /// A retry does not help: the object does not exist, or the user is not allowed to read it.
    Final(kube::Error),
    /// A retry may help: the cluster could not be reached, or was too busy.
    Passing(String),
}

impl RequestError {
    fn new(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status)
                if (400..500).contains(&status.code) && ![408, 409, 429].contains(&status.code) =>
            {
                Self::Final(error)
            }
            kube::Error::Api(status) => Self::Passing(status.message.clone()),
            kube::Error::Auth(_) | kube::Error::SerdeError(_) => Self::Final(error),
            other => Self::Passing(root(other)),
        }
    }

    /// The error for a person.
    #[must_use]
    pub fn in_words(self, name: &str, namespace: &str) -> anyhow::Error {
        match self {
            Self::Final(kube::Error::Api(status)) if status.code == 404 && names_an_object(&status) => {
                anyhow!("there is no BlueGreenApp {name:?} in namespace {namespace:?}")
            }
            Self::Final(kube::Error::Api(status)) if status.code == 404 => {
                anyhow!("this cluster has no kind BlueGreenApp: install the operator's CRD")
            }
            Self::Final(kube::Error::Api(status)) => anyhow!("{}", status.message),
            Self::Final(kube::Error::Service(why)) => anyhow!("BlueGreenApp {name:?} can't be read: {why}"),
            Self::Final(other) => other.into(),
            Self::Passing(words) => anyhow!("can't reach the cluster: {words}"),
        }
    }
}

/// How long a denial is retried.
const DOUBTED: Duration = Duration::from_secs(30);

/// Tells a final denial from one by an API server that has just started: until that has loaded its RBAC rules and CRDs, it
/// denies what it allows a moment later.
#[derive(Debug, Default)]
pub struct Doubt {
    /// An earlier request succeeded, or the cluster could not be reached.
    grounds: bool,
    since: Option<Instant>,
}

impl Doubt {
    /// The same answer, except that a doubtful denial becomes [`RequestError::Passing`].
    ///
    /// # Errors
    /// As told by [`RequestError`].
    pub fn judge<T>(&mut self, answer: Result<T, RequestError>) -> Result<T, RequestError> {
        match answer {
            Err(RequestError::Final(kube::Error::Api(status)))
                if self.grounds && may_change_its_mind(&status) && self.lasts() < DOUBTED =>
            {
                Err(RequestError::Passing(status.message))
            }
            Err(error @ RequestError::Final(_)) => Err(error),
            Err(error @ RequestError::Passing(_)) => {
                self.grounds = true;
                Err(error)
            }
            Ok(answer) => {
                *self = Self { grounds: true, since: None };
                Ok(answer)
            }
        }
    }

    fn lasts(&mut self) -> Duration {
        self.since.get_or_insert_with(Instant::now).elapsed()
    }
}

/// Returns true for a missing permission or an unknown kind. A missing object was read from etcd, so that is final.
fn may_change_its_mind(status: &kube::core::Status) -> bool {
    matches!(status.code, 401 | 403) || (status.code == 404 && !names_an_object(status))
}

/// Whether an answer is about one object, not about its kind: what a cluster without the kind answers names none.
fn names_an_object(status: &kube::core::Status) -> bool {
    status.details.as_ref().is_some_and(|details| !details.name.is_empty())
}

/// The innermost cause: the outer ones only say that a request failed.
fn root(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// One request, with a time limit.
///
/// # Errors
/// As told by [`RequestError`].
pub async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, RequestError> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(answer) => answer.map_err(RequestError::new),
        Err(_) => Err(RequestError::Passing(format!("no answer within {REQUEST:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, name: &str) -> Result<(), RequestError> {
        let status = serde_json::json!({"code": code, "message": "no", "details": {"name": name}});
        let status =
            serde_json::from_value(status).map_err(|error| RequestError::Passing(error.to_string()))?;
        Err(RequestError::Final(kube::Error::Api(Box::new(status))))
    }

    fn is_final(answer: &Result<(), RequestError>) -> bool {
        matches!(answer, Err(RequestError::Final(_)))
    }

    #[test]
    fn a_refusal_is_doubted_only_after_another_answer_and_not_for_ever() {
        assert!(is_final(&Doubt::default().judge(refusal(403, "hello"))), "the first answer stands");
        let mut doubt = Doubt::default();
        assert!(doubt.judge(Ok(())).is_ok());
        for code in [401, 403] {
            assert!(!is_final(&doubt.judge(refusal(code, "hello"))), "{code}");
        }
        assert!(!is_final(&doubt.judge(refusal(404, ""))), "the kind is not known yet");
        assert!(is_final(&doubt.judge(refusal(404, "hello"))), "the object was deleted");
        doubt.since = Instant::now().checked_sub(DOUBTED);
        assert!(is_final(&doubt.judge(refusal(403, "hello"))), "it lasts");
    }
}

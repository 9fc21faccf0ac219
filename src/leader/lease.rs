//! The requests for the Lease. Only this module of the election talks to the API server.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use tracing::{debug, warn};

use super::{
    LeaseConfig,
    election::{Observation, Purpose, Snapshot},
};

/// Reads and writes one Lease. Each request has a deadline of its own.
pub(super) struct LeaseStore {
    api: Api<Lease>,
    cfg: LeaseConfig,
    /// The Lease as last received, so that a write keeps the labels and fields of others.
    last: Option<Lease>,
    /// The newest resourceVersion of the Lease so far.
    newest: u128,
    went_back: bool,
}

impl LeaseStore {
    pub(super) fn new(client: kube::Client, cfg: LeaseConfig) -> Self {
        Self { api: Api::namespaced(client, &cfg.namespace), cfg, last: None, newest: 0, went_back: false }
    }

    pub(super) async fn read(&mut self) -> Observation {
        // Without a resourceVersion, the API server answers with a quorum read and not from its cache.
        let name = self.cfg.name.clone();
        match self.within_deadline("read", self.api.get_opt(&name)).await {
            Some(Ok(found)) => {
                let snapshot = found.as_ref().map(snapshot);
                self.compare(snapshot.as_ref());
                self.last = found;
                Observation::Read(snapshot)
            }
            Some(Err(err)) => self.unknown("read", &err),
            None => Observation::Unknown,
        }
    }

    pub(super) async fn create(&mut self) -> Observation {
        let now = MicroTime(jiff::Timestamp::now());
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.cfg.name.clone()),
                namespace: Some(self.cfg.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.cfg.identity.clone()),
                lease_duration_seconds: Some(whole_seconds(self.cfg.duration)),
                lease_transitions: Some(1),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                ..LeaseSpec::default()
            }),
        };
        let params = PostParams::default();
        let answer = self.within_deadline("create", self.api.create(&params, &lease)).await;
        self.written("create", answer)
    }

    pub(super) async fn replace(&mut self, based_on: &Snapshot, purpose: Purpose) -> Observation {
        let lease = self.next_version(based_on, purpose);
        let what = match purpose {
            Purpose::Claim => "claim",
            Purpose::Renew => "renew",
            Purpose::Release => "release",
        };
        let params = PostParams::default();
        let answer = self.within_deadline(what, self.api.replace(&self.cfg.name, &params, &lease)).await;
        self.written(what, answer)
    }

    fn next_version(&self, based_on: &Snapshot, purpose: Purpose) -> Lease {
        let mut lease = self.last.clone().unwrap_or_default();
        lease.metadata.name = Some(self.cfg.name.clone());
        lease.metadata.namespace = Some(self.cfg.namespace.clone());
        lease.metadata.managed_fields = None;
        // Both are needed: a PUT may create a Lease, so with the version alone it would bring back a deleted one.
        lease.metadata.uid = Some(based_on.uid.clone());
        lease.metadata.resource_version = Some(based_on.resource_version.clone());

        let now = MicroTime(jiff::Timestamp::now());
        let epoch = match purpose {
            Purpose::Claim => based_on.transitions.saturating_add(1),
            Purpose::Renew | Purpose::Release => based_on.transitions,
        };
        let spec = lease.spec.get_or_insert_default();
        spec.lease_transitions = Some(i32::try_from(epoch).unwrap_or(i32::MAX));
        spec.renew_time = Some(now.clone());
        spec.lease_duration_seconds = Some(whole_seconds(self.cfg.duration));
        match purpose {
            Purpose::Claim => {
                spec.holder_identity = Some(self.cfg.identity.clone());
                spec.acquire_time = Some(now);
            }
            Purpose::Renew => spec.holder_identity = Some(self.cfg.identity.clone()),
            Purpose::Release => {
                spec.holder_identity = Some(String::new());
                // As client-go does, for candidates that wait for the end of the duration even if the Lease was
                // released.
                spec.lease_duration_seconds = Some(1);
            }
        }
        lease
    }

    fn written(&mut self, what: &str, answer: Option<Result<Lease, kube::Error>>) -> Observation {
        match answer {
            Some(Ok(lease)) => {
                let snapshot = snapshot(&lease);
                self.compare(Some(&snapshot));
                self.last = Some(lease);
                Observation::Written(snapshot)
            }
            // 409: the version, the uid or the existence differs. 422: the uid differs, on some servers. 404: the
            // Lease is gone, or its namespace is, which the read that follows will show.
            Some(Err(kube::Error::Api(status))) if matches!(status.code, 404 | 409 | 422) => {
                debug!(lease = %self.cfg.name, what, status.code, "Lease write refused: {}", status.message);
                Observation::Refused
            }
            Some(Err(err)) => self.unknown(what, &err),
            None => Observation::Unknown,
        }
    }

    /// Returns true if an answer was older than one before it. Reads and writes of one object never go back, unless the data of
    /// the API server was replaced by older data.
    pub(super) fn went_back(&self) -> bool {
        self.went_back
    }

    fn compare(&mut self, found: Option<&Snapshot>) {
        // A resourceVersion that is not a number is not compared.
        let version = found.and_then(|lease| lease.resource_version.parse::<u128>().ok());
        let Some(version) = version else { return };
        self.went_back = version < self.newest;
        self.newest = version.max(self.newest);
    }

    fn unknown(&self, what: &str, err: &kube::Error) -> Observation {
        warn!(namespace = %self.cfg.namespace, lease = %self.cfg.name, what, "Lease request failed: {err}");
        Observation::Unknown
    }

    /// Waits for an answer until the deadline. Returns `None` if the deadline has passed. The request is dropped
    /// then, but may still take effect.
    async fn within_deadline<T>(&self, what: &str, request: impl Future<Output = T>) -> Option<T> {
        let limit = self.cfg.request_timeout();
        let answer = tokio::time::timeout(limit, request).await.ok();
        if answer.is_none() {
            warn!(namespace = %self.cfg.namespace, lease = %self.cfg.name, what, ?limit, "Lease request timed out");
        }
        answer
    }
}

fn snapshot(lease: &Lease) -> Snapshot {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.unwrap_or_default();
    Snapshot {
        uid: lease.metadata.uid.clone().unwrap_or_default(),
        resource_version: lease.metadata.resource_version.clone().unwrap_or_default(),
        holder: spec.holder_identity.unwrap_or_default(),
        transitions: spec.lease_transitions.unwrap_or_default().into(),
        declared: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
    }
}

/// Converts a duration to the whole seconds of a Lease, at least one. It rounds up, which is the safe direction.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds.max(1)).unwrap_or(i32::MAX)
}

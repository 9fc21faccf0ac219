//! How much the operator wrote for each app, from the audit log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use bluegreen_cluster::{AuditLog, Offset};
use tokio::task::JoinHandle;

/// Counts as the log grows: it is too long to be read at once.
pub struct Writes {
    counts: Arc<Mutex<BTreeMap<u64, u64>>>,
    counting: JoinHandle<Result<()>>,
}

impl Writes {
    /// Begins to count a user's write requests, those refused included, Leases and Events aside.
    pub fn count(audit: AuditLog, user: &'static str) -> Result<Self> {
        let counts = Arc::<Mutex<BTreeMap<u64, u64>>>::default();
        let (sums, mut offset) = (counts.clone(), audit.end()?);
        let counting = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                offset = take(&audit, offset, user, &sums)?;
            }
        });
        Ok(Self { counts, counting })
    }

    /// Write requests by the seed of the sequence that they were for.
    pub async fn by_seed(self) -> Result<BTreeMap<u64, u64>> {
        // What was asked for last is in the log a moment later.
        tokio::time::sleep(Duration::from_secs(3)).await;
        if self.counting.is_finished() {
            self.counting.await??;
        } else {
            self.counting.abort();
        }
        Ok(self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn take(audit: &AuditLog, from: Offset, user: &str, sums: &Mutex<BTreeMap<u64, u64>>) -> Result<Offset> {
    let (entries, offset) = audit.since(from)?;
    let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
    for entry in entries {
        let counts =
            entry.user == user && entry.is_write() && !matches!(entry.resource.as_str(), "leases" | "events");
        if let Some(seed) = seed(&entry.name).filter(|_| counts) {
            *sums.entry(seed).or_default() += 1;
        }
    }
    Ok(offset)
}

/// The seed in the name of an app or of its child, as in `s17-s-blue`.
fn seed(name: &str) -> Option<u64> {
    name.strip_prefix('s')?.split('-').next()?.parse().ok()
}

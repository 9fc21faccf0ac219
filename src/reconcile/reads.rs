//! Carries out the reads of a pass: of the app's objects, and of the pods that explain a late color.

use std::time::Duration;

use kube::ResourceExt;

use super::Shell;
use crate::telemetry::brief;
use bluegreen_api::Color;
use bluegreen_client::{narrow, read};
use bluegreen_core::AppObserver;
use bluegreen_core::explain::explain;
use bluegreen_core::observe::Snapshot;
use bluegreen_core::pass::{Answer, Depth, Explaining, Explanation, Reading};

/// How long reads must fail before an Event tells of it.
const UNREAD: Duration = Duration::from_secs(1);

/// The API server is short of time if a read takes more than one part in so many of its time limit. Reads that fail would be too
/// late a sign: the writes, which take longer than reads, would have failed before.
const SHORT_OF_TIME: u32 = 3;

/// Returns true if a read that took so long was answered soon. `answered`: the API server has said something.
fn is_soon(answered: bool, took: Duration, longest: Duration) -> bool {
    answered && took <= longest / SHORT_OF_TIME
}

/// Why a read brought nothing.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("can't read the app's objects: {0}")]
    Failed(#[from] kube::Error),
    #[error("the API server did not answer within {0:?}")]
    TooLate(Duration),
}

impl ReadError {
    /// Returns true if the API server has said something.
    fn is_answer(&self) -> bool {
        matches!(self, Self::Failed(kube::Error::Api(_)))
    }

    /// What the API server says, where it says something.
    fn words(&self) -> String {
        match self {
            Self::Failed(kube::Error::Api(status)) => status.message.clone(),
            Self::Failed(_) | Self::TooLate(_) => self.to_string(),
        }
    }
}

impl Shell<'_> {
    /// Reads the objects of the app. `unread`: since when no read has succeeded.
    pub(super) async fn read(
        &mut self,
        reading: &Reading<Snapshot>,
        unread: &mut Option<Duration>,
    ) -> Answer<Snapshot> {
        let began = self.context.clock.now().uptime;
        let answer = self.answer(reading).await;
        let took = self.context.clock.now().uptime.saturating_sub(began);
        let answered = answer.as_ref().err().is_none_or(ReadError::is_answer);
        self.in_time &= is_soon(answered, took, self.context.read_deadline);
        match answer {
            Ok(answer) => {
                *unread = None;
                answer
            }
            Err(error) => {
                tracing::warn!(error = brief(&error), "read failed");
                self.failed = true;
                let now = self.context.clock.now().uptime;
                // Without what it would have read, the status can't say it.
                if now.saturating_sub(*unread.get_or_insert(now)) >= UNREAD {
                    self.context.events.objects_not_read(self.app, &error.words());
                }
                Answer::Failed
            }
        }
    }

    async fn answer(&self, reading: &Reading<Snapshot>) -> Result<Answer<Snapshot>, ReadError> {
        let (client, began) = (&self.context.client, self.context.clock.now().uptime);
        let (namespace, name) = (self.app.namespace().unwrap_or_default(), self.app.name_any());
        match &reading.depth {
            Depth::Whole { owners } => {
                // One that neither the spec nor the caches know of is nobody's concern: most apps have none.
                let preview = self.app.spec.service.preview || self.context.cache.has_preview(self.app);
                let extras = read::Extras { owners: *owners, preview };
                let snapshot = self.in_time(read::live(client, &namespace, &name, extras)).await?;
                Ok(snapshot.map_or(Answer::Gone, |snapshot| Answer::Found { snapshot, began }))
            }
            Depth::Confirm { known, to } => match self.in_time(narrow::read(client, known, *to)).await {
                Ok(Some(snapshot)) => Ok(Answer::Found { snapshot, began }),
                Ok(None) => Ok(Answer::Unclear),
                // The rights of an earlier release, for example: they suffice to read everything.
                Err(ReadError::Failed(error)) => {
                    tracing::debug!(error = brief(&error), "can't read by name");
                    Ok(Answer::Unclear)
                }
                Err(error @ ReadError::TooLate(_)) => Err(error),
            },
        }
    }

    /// Lists the pods of late colors, and says why they are not ready.
    pub(super) async fn explain(
        &self,
        explaining: &Explaining<AppObserver<'_>>,
    ) -> Vec<(Color, Explanation)> {
        let snapshot = &explaining.decision().snapshot;
        let (namespace, name) = (self.app.namespace().unwrap_or_default(), self.app.name_any());
        let mut answers = Vec::new();
        for &color in &explaining.colors {
            let pods = read::pods(&self.context.client, &namespace, &name, color);
            let answer = match self.in_time(pods).await {
                Ok(pods) => {
                    let deployment = snapshot.deployments.get(color).as_deref();
                    Explanation::Words(explain(deployment, &pods, self.context.clock.now().wall))
                }
                Err(error) => {
                    tracing::debug!(error = brief(&error), "can't read the pods to explain them");
                    Explanation::Unread
                }
            };
            answers.push((color, answer));
        }
        answers
    }

    async fn in_time<T>(&self, read: impl Future<Output = kube::Result<T>>) -> Result<T, ReadError> {
        let deadline = self.context.read_deadline;
        Ok(tokio::time::timeout(deadline, read).await.map_err(|_| ReadError::TooLate(deadline))??)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_is_short_of_time_before_its_reads_fail() {
        let longest = Duration::from_secs(3);
        assert!(is_soon(true, Duration::from_secs(1), longest));
        assert!(!is_soon(true, Duration::from_millis(1100), longest));
        assert!(!is_soon(false, Duration::ZERO, longest));
    }
}

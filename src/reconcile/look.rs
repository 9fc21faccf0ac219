//! How a pass looks: at everything, or only to confirm that a switch may be made.

use std::sync::Arc;
use std::time::Instant;

use kube::ResourceExt;

use super::{Context, Decision, Error, decide, is_leaving};
use crate::api::{BlueGreenApp, Color};
use crate::memory::Memory;
use crate::observe::{Snapshot, narrow, read};
use crate::plan::Stage;

/// What the next look reads.
pub(super) enum How {
    /// Everything, by lists where names may be unknown.
    Whole {
        /// Who owns the pods, too.
        prove: bool,
    },
    /// The objects that this earlier look knew of, as far as a switch turns on them. Where that is not enough, or leads to
    /// anything else, everything is read after all.
    Confirm {
        /// The earlier look.
        known: Box<Snapshot>,
        /// The color that it would switch to.
        to: Color,
    },
}

impl How {
    /// What is read to act on this earlier look.
    pub(super) fn after(earlier: Decision) -> Self {
        match earlier.plan.moves_to(&earlier.facts) {
            Some(to) => Self::Confirm { known: Box::new(earlier.seen), to },
            None => Self::Whole { prove: is_switching(&earlier) },
        }
    }
}

/// Only then is it worth while to ask who owns the pods.
pub(super) fn is_switching(decision: &Decision) -> bool {
    matches!(decision.plan.stage, Stage::Switching { .. })
}

/// A look, and what follows from it.
pub(super) struct Look {
    pub decision: Decision,
    /// It knows who owns the target's pods.
    pub proven: bool,
    /// All of it was read live, so that a clock may start at it.
    pub live_read: bool,
    /// When it began.
    pub start: Instant,
}

/// Looks; `None` if the app is gone or going.
pub(super) async fn look(
    app: &Arc<BlueGreenApp>,
    how: How,
    context: &Context,
    memory: &mut Memory,
) -> Result<Option<Look>, Error> {
    let start = Instant::now();
    let prove = match how {
        How::Whole { prove } => prove,
        How::Confirm { known, to } => match confirm(&known, to, context, memory).await? {
            Some(decision) => return Ok(Some(Look { decision, proven: true, live_read: false, start })),
            None => true,
        },
    };
    let (start, namespace, name) = (Instant::now(), app.namespace().unwrap_or_default(), app.name_any());
    let Some(seen) = in_time(context, read::live(&context.client, &namespace, &name, prove)).await? else {
        context.forget(app);
        return Ok(None);
    };
    if is_leaving(&seen.app) {
        return Ok(None);
    }
    memory.latest = Some((seen.versions(), Instant::now()));
    let decision = decide(seen, context, memory, true);
    Ok(Some(Look { decision, proven: prove, live_read: true, start }))
}

/// A narrow look, if it leads to a step of the very switch that the earlier look asked for: nothing else may rest on it.
async fn confirm(
    known: &Snapshot,
    to: Color,
    context: &Context,
    memory: &mut Memory,
) -> Result<Option<Decision>, Error> {
    let seen = match in_time(context, narrow::read(&context.client, known, to)).await {
        Ok(Some(seen)) if !is_leaving(&seen.app) => seen,
        Ok(_) => return Ok(None),
        // Rights of an earlier release, for example: they suffice to read everything.
        Err(Error::Read(error)) => {
            tracing::debug!(%error, "can't read by name");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    memory.latest = Some((seen.versions(), Instant::now()));
    // Some of it is as old as the earlier look: no clock starts at it.
    let decision = decide(seen, context, memory, false);
    let confirmed = decision.plan.moves_to(&decision.facts) == Some(to);
    tracing::debug!(%to, confirmed, actions = ?decision.plan.actions, "looked by name");
    Ok(confirmed.then_some(decision))
}

async fn in_time<T>(
    context: &Context,
    read: impl Future<Output = kube::Result<Option<T>>>,
) -> Result<Option<T>, Error> {
    let answer = tokio::time::timeout(context.read_deadline, read).await;
    Ok(answer.map_err(|_| Error::ReadTimeout(context.read_deadline))??)
}

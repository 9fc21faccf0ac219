//! The operator's own writes, on the model's objects.

use bluegreen_api::PerColor;
use bluegreen_core::plan::{self, Action, Inventory, Observed, Selection, ServiceWrite, Source, Write};

use crate::checks;
use crate::facts;
use crate::objects::{Kept, Objects, REVISIONS, Service, Token, rendering};
use crate::request::{Ask, Why};

/// The requests of an action: the operator's own writes, on the model's objects.
pub(super) fn asks(action: &Action, facts: &Observed, seen: &Objects, token: Token) -> Vec<Ask> {
    let numbers = PerColor::from_fn(|color| {
        (1_u8..)
            .take(REVISIONS)
            .filter(|&number| facts::kept(seen, color, number).is_some())
            .map(i64::from)
            .collect::<Vec<_>>()
    });
    let served = &seen.app.status.served;
    let inventory = Inventory {
        served: PerColor::from_fn(|color| Some(i64::from(*served.get(color))).filter(|number| *number > 0)),
        stored: PerColor { blue: &numbers.blue, green: &numbers.green },
    };
    let writes = plan::writes(action, facts, &inventory).unwrap_or_default();
    writes.iter().filter_map(|write| ask(write, action, facts, seen, token)).collect()
}

/// `None` for objects that the model does not know: a color's own Service comes and goes with the color.
fn ask(write: &Write, action: &Action, facts: &Observed, seen: &Objects, token: Token) -> Option<Ask> {
    let small = |number: i64| u8::try_from(number).unwrap_or(u8::MAX);
    let size = |replicas: i32| u8::try_from(replicas).unwrap_or(u8::MAX);
    Some(match *write {
        Write::Service(ServiceWrite { create, selects, committed, served }) => {
            let selects = if selects == Selection::Edited { Selection::Nothing } else { selects };
            let served = PerColor::from_fn(|color| served.get(color).map_or(0, small));
            let service = Service { selects, committed, served, token };
            match action {
                _ if create => Ask::CreateService(service),
                Action::Restore { .. } => Ask::PutService(service, Why::Restore),
                Action::Promote { .. } => Ask::PutService(service, Why::Promote),
                Action::Switch { .. } => Ask::PutService(service, Why::Switch),
                _ => return None,
            }
        }
        Write::Revision { color, number, from } => {
            let kept = match from {
                Source::Spec => {
                    let content = rendering(&seen.app, color);
                    Kept { content, spec: content }
                }
                Source::Running => {
                    let running = (*seen.deployments.get(color))?;
                    Kept { content: running.content, spec: running.spec }
                }
            };
            Ask::Store(color, small(number), kept)
        }
        Write::Deployment { color, number, replicas, create } => {
            let (number, size) = (small(number), size(replicas));
            let kept = facts::kept(seen, color, number)?;
            if create {
                Ask::CreateDeployment(color, number, kept, size, token)
            } else {
                Ask::PutDeployment(color, number, kept, size, token)
            }
        }
        Write::StampService => Ask::StampService(token),
        Write::StampDeployment(color) => Ask::StampDeployment(color, token),
        Write::DeleteDeployment(color) => Ask::DeleteDeployment(color),
        Write::DeleteRevision { color, number } => Ask::Drop(color, small(number)),
        Write::ColorService { .. }
        | Write::DeleteColorService(_)
        | Write::Preview { .. }
        | Write::DeletePreview => return None,
        Write::Job { check, attempt } => Ask::RunJob(checks::created(seen, facts, check, attempt)?),
        Write::DeleteJob(stray) => Ask::DropJob(checks::dropped(seen, facts, stray)?),
    })
}

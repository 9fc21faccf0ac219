//! The objects of `tests/fuzz`, chosen by what they reach in the code: libFuzzer keeps each input that runs a branch which none
//! before has run, and changes those further. `make fuzz-guided` builds and runs it.

#![no_main]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../fuzz/checks.rs"]
mod checks;
#[path = "../../fuzz/lists.rs"]
mod lists;
#[path = "../../fuzz/objects.rs"]
mod objects;

use arbitrary::{Result, Unstructured};
use bluegreen_api::BlueGreenApp;
use k8s_openapi::api::apps::v1::{ControllerRevision, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use libfuzzer_sys::{Corpus, fuzz_target};
use objects::Objects;

fuzz_target!(|data: &[u8]| -> Corpus {
    let mut u = Unstructured::new(data);
    match one(&mut u) {
        // Too short, or nothing that could be decoded: nothing to go on from.
        Err(_) | Ok(false) => Corpus::Reject,
        Ok(true) => Corpus::Keep,
    }
});

/// Returns true if something was checked.
fn one(u: &mut Unstructured<'_>) -> Result<bool> {
    let kind = u.int_in_range(0..=2)?;
    let mut objects = Objects::serving(u)?;
    match kind {
        0 => {
            objects.spoil(u)?;
            let Some(snapshot) = objects.decode() else { return Ok(false) };
            checks::everything(&snapshot, u)?;
        }
        1 => {
            objects.spoil_spec(u)?;
            let Some(snapshot) = objects.decode() else { return Ok(false) };
            checks::serving_is_left_alone(&snapshot);
            checks::everything(&snapshot, u)?;
        }
        _ => match u.int_in_range(0..=5)? {
            0 => drop(lists::one_hides_no_other::<BlueGreenApp>(u, &objects.app)?),
            1 => drop(lists::one_hides_no_other::<Service>(u, &objects.service)?),
            2 => drop(lists::one_hides_no_other::<Deployment>(u, &objects.deployments.blue)?),
            3 => drop(lists::one_hides_no_other::<ControllerRevision>(u, &objects.revisions[0])?),
            4 => drop(lists::one_hides_no_other::<EndpointSlice>(u, &objects.live_slice)?),
            _ => match objects.jobs.first() {
                Some(job) => drop(lists::one_hides_no_other::<Job>(u, job)?),
                None => return Ok(false),
            },
        },
    }
    Ok(true)
}

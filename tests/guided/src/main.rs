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
        0 => objects.spoil(u)?,
        1 => objects.spoil_spec(u)?,
        _ => return Ok(lists::one_of_some_kind(u, &objects)?.is_some()),
    }
    let Some(snapshot) = objects.decode() else { return Ok(false) };
    if kind == 1 {
        checks::serving_is_left_alone(&snapshot);
    }
    checks::everything(&snapshot, u)?;
    Ok(true)
}

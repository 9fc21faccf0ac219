//! The table of docs/safety.md that `make faults` fills.

use std::fmt::Write as _;

use serde_json::Value;

use super::document;
use super::generated::check;

const BEGIN: &str = "<!-- From faults.jsonl: UPDATE_DOCS=1 cargo test --test docs -->\n";
const END: &str = "<!-- end of faults.jsonl -->\n";

#[test]
fn is_each_flow_that_was_played_in_the_table_with_its_code() {
    let mut table = String::from(
        "| flow | its writes | runs | its fault came too late in | failed | unsafe | code |\n|---|---|---|---|---|---|---|\n",
    );
    let kept = document("faults.jsonl");
    for line in kept.lines() {
        let of: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| of[name].as_u64().unwrap();
        let text = |name: &str| of[name].as_str().unwrap();
        let (writes, plans, missed) = (number("writes"), number("plans"), number("missed"));
        assert!(missed < plans && plans > writes, "{line}");
        writeln!(table, "| {} | {writes} | {plans} | {missed} | 0 | 0 | `{}` |", text("flow"), text("code"))
            .unwrap();
    }
    let safety = document("safety.md");
    let (before, rest) = safety.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    check("docs/safety.md", &format!("{before}{BEGIN}\n{table}\n{END}{after}"));
}

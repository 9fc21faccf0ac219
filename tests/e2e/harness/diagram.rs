//! The phase diagram of `docs/concepts.md`, as pairs: from which phase an app may go to which.

use std::collections::BTreeSet;

const CONCEPTS: &str = include_str!("../../../docs/concepts.md");

/// An arrow from one phase to another, by their names.
pub type Arrow = (String, String);

/// The first state of the diagram; in a status it is no phase at all.
pub const START: &str = "[*]";

/// Every arrow. One from or to a composite state stands for one from or to each state in it.
pub fn arrows() -> BTreeSet<Arrow> {
    let diagram = CONCEPTS.split("stateDiagram-v2").nth(1).and_then(|text| text.split("```").next());
    let lines: Vec<&str> = diagram.unwrap_or_default().lines().map(str::trim).collect();
    let composites: Vec<(&str, BTreeSet<String>)> =
        lines.iter().enumerate().filter_map(composite(&lines)).collect();
    let states = |name: &str| {
        let composite = composites.iter().find(|(composite, _)| *composite == name);
        composite.map_or_else(|| BTreeSet::from([name.to_owned()]), |(_, states)| states.clone())
    };
    let mut all = BTreeSet::new();
    for (from, to) in lines.iter().filter_map(|line| ends(line)) {
        for from in states(from) {
            all.extend(states(to).into_iter().map(|to| (from.clone(), to)));
        }
    }
    all.retain(|(from, to)| from != to);
    all
}

/// `state Name {` and the states whose arrows stand up to its `}`.
fn composite<'a>(lines: &[&'a str]) -> impl Fn((usize, &&'a str)) -> Option<(&'a str, BTreeSet<String>)> {
    move |(index, line)| {
        let name = line.strip_prefix("state ")?.strip_suffix(" {")?;
        let inside = lines[index + 1..].iter().take_while(|line| **line != "}").filter_map(|line| ends(line));
        Some((name, inside.flat_map(|(from, to)| [from.to_owned(), to.to_owned()]).collect()))
    }
}

fn ends(line: &str) -> Option<(&str, &str)> {
    let (from, rest) = line.split_once(" --> ")?;
    Some((from, rest.split(':').next()?.trim()))
}

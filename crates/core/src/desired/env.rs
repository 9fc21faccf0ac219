//! The variables of the container `app`: those of the overlay, with those of the color's block.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{Container, EnvVar};

/// Adds the variables of a color's block. A variable replaces the overlay's variable of the same name as a whole,
/// because Kubernetes refuses one that has both `value` and `valueFrom`.
pub(super) fn add(container: &mut Container, color: &[EnvVar]) {
    if color.is_empty() {
        return;
    }
    let env = container.env.get_or_insert_default();
    let mut declared: Vec<Declared> = (0..env.len()).map(Declared::Overlay).collect();
    // Of two with the same name, the first is replaced.
    let mut places: HashMap<String, usize> =
        env.iter().enumerate().rev().map(|(index, variable)| (variable.name.clone(), index)).collect();
    for (index, variable) in color.iter().enumerate() {
        let place = Declared::Color(index);
        let found = places.get(&variable.name).copied();
        match found.and_then(|at| env.get_mut(at).zip(declared.get_mut(at))) {
            Some((other, declared)) => (*other, *declared) = (variable.clone(), place),
            None => {
                places.insert(variable.name.clone(), env.len());
                env.push(variable.clone());
                declared.push(place);
            }
        }
    }
    *env = in_order(std::mem::take(env), &declared);
}

/// Where a variable was declared, and at which place of that list.
#[derive(Clone, Copy)]
enum Declared {
    Overlay(usize),
    Color(usize),
}

impl Declared {
    /// Returns true if a reference to `other` resolves. Within a list it does if `other` comes first, as Kubernetes
    /// says. A reference from one list to the other always does.
    fn sees(self, other: Self) -> bool {
        match (self, other) {
            (Self::Overlay(here), Self::Overlay(there)) | (Self::Color(here), Self::Color(there)) => {
                there < here
            }
            (Self::Overlay(_), Self::Color(_)) | (Self::Color(_), Self::Overlay(_)) => true,
        }
    }
}

/// Moves each variable that another refers to before that other one, and leaves the order as it is otherwise.
///
/// The kubelet resolves `$(NAME)` only if `NAME` comes earlier in the list. The search keeps its own stack, since
/// a chain of references can be long.
fn in_order(env: Vec<EnvVar>, declared: &[Declared]) -> Vec<EnvVar> {
    let places: BTreeMap<_, _> = env
        .iter()
        .zip(declared)
        .enumerate()
        .map(|(index, (v, declared))| (v.name.as_str(), (index, *declared)))
        .collect();
    let needs = |variable: &EnvVar, from: Declared| -> Vec<usize> {
        let names = references(variable.value.as_deref().unwrap_or_default());
        let found = names.filter_map(|name| places.get(name));
        found.filter(|(_, declared)| from.sees(*declared)).map(|(index, _)| *index).collect()
    };
    let needs: Vec<_> = env.iter().zip(declared).map(|(variable, from)| needs(variable, *from)).collect();
    let mut variables: Vec<_> = env.into_iter().zip(needs).map(Some).collect();
    let mut ordered = Vec::with_capacity(variables.len());
    for index in 0..variables.len() {
        let mut waiting: Vec<(EnvVar, std::vec::IntoIter<usize>)> = Vec::new();
        let mut next = Some(index);
        loop {
            // A variable that was taken already is in the list, or waits for this one: then they refer to each other.
            if let Some((variable, needs)) =
                next.and_then(|index| variables.get_mut(index)).and_then(Option::take)
            {
                waiting.push((variable, needs.into_iter()));
            }
            let Some((_, needs)) = waiting.last_mut() else { break };
            next = needs.next();
            if next.is_none()
                && let Some((variable, _)) = waiting.pop()
            {
                ordered.push(variable);
            }
        }
    }
    ordered
}

/// Returns the names in `$(NAME)`, as the kubelet finds them. `$$` stands for a dollar sign.
pub fn references(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('$')?;
            rest = after;
            if let Some(after) = after.strip_prefix('$') {
                rest = after;
            } else if let Some(after) = after.strip_prefix('(') {
                let (name, after) = after.split_once(')')?;
                rest = after;
                return Some(name);
            }
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The variables in the order in which the container gets them: `A=x` each.
    fn added(overlay: &[&str], color: &[&str]) -> Vec<String> {
        let list = |of: &[&str]| -> Vec<EnvVar> {
            let variable = |text: &&str| {
                let (name, value) = text.split_once('=').unwrap();
                EnvVar { name: name.to_owned(), value: Some(value.to_owned()), value_from: None }
            };
            of.iter().map(variable).collect()
        };
        let mut container = Container { env: Some(list(overlay)), ..Container::default() };
        add(&mut container, &list(color));
        let env = container.env.unwrap();
        env.into_iter().map(|variable| format!("{}={}", variable.name, variable.value.unwrap())).collect()
    }

    #[test]
    fn a_variable_of_the_color_comes_before_those_of_the_template_that_refer_to_it() {
        for (overlay, color, expected) in [
            (vec!["URL=x$(SLOT)", "A=1"], vec!["SLOT=blue"], vec!["SLOT=blue", "URL=x$(SLOT)", "A=1"]),
            // Replaced in place, and needed before.
            (vec!["URL=$(SLOT)", "SLOT=none"], vec!["SLOT=blue"], vec!["SLOT=blue", "URL=$(SLOT)"]),
            // What it refers to itself goes with it, from either list.
            (
                vec!["URL=$(B)", "HOST=h"],
                vec!["A=$(HOST)", "B=$(A)"],
                vec!["HOST=h", "A=$(HOST)", "B=$(A)", "URL=$(B)"],
            ),
            (vec!["A=$(B)"], vec!["B=$(A)"], vec!["B=$(A)", "A=$(B)"]),
        ] {
            assert_eq!(added(&overlay, &color), expected, "{overlay:?} {color:?}");
        }
    }

    #[test]
    fn without_a_reference_to_the_color_the_order_stays_as_it_was() {
        for overlay in ["URL=$(LATER)", "URL=$$(SLOT)", "URL=$SLOT", "URL=$(SLOT", "URL=$(URL)"] {
            let color = ["SLOT=blue", "NEW=$(AFTER)", "AFTER=$(URL)"];
            let expected = [&[overlay, "LATER=1"], &color[..]].concat();
            assert_eq!(added(&[overlay, "LATER=1"], &color), expected);
        }
    }
}

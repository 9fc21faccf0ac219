//! PURE: which transitions a receiver is told.

use std::collections::BTreeSet;

use crate::transition::{Kind, Transition};

/// What a receiver wants to know. Each empty set stands for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Namespaces of apps.
    pub namespaces: BTreeSet<String>,
    /// Names of apps.
    pub apps: BTreeSet<String>,
    /// Kinds of transitions.
    pub kinds: BTreeSet<Kind>,
}

impl Filter {
    /// The receiver is told this.
    #[must_use]
    pub fn accepts(&self, transition: &Transition) -> bool {
        fn has<T: Ord>(set: &BTreeSet<T>, item: &T) -> bool {
            set.is_empty() || set.contains(item)
        }
        has(&self.namespaces, &transition.namespace)
            && has(&self.apps, &transition.name)
            && has(&self.kinds, &transition.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::switched;

    #[test]
    fn each_part_of_a_filter_must_accept() {
        let transition = switched();
        let of = |namespace: &str, app: &str, kind: Option<Kind>| {
            let set = |word: &str| [word.to_owned()].into_iter().filter(|word| !word.is_empty()).collect();
            Filter { namespaces: set(namespace), apps: set(app), kinds: kind.into_iter().collect() }
        };
        for filter in [of("", "", None), of("shop", "hello", Some(Kind::Switched))] {
            assert!(filter.accepts(&transition), "{filter:?}");
        }
        for filter in [of("bank", "", None), of("", "other", None), of("", "", Some(Kind::Stalled))] {
            assert!(!filter.accepts(&transition), "{filter:?}");
        }
    }
}

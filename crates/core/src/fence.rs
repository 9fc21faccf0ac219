//! The fencing token: it says which leader may have a write in flight.
//!
//! A resourceVersion protects one object against a stale write. But a decision here rests on several objects: a
//! switch that was sent and timed out can still take effect after *another* object has changed. So before a leader
//! acts, it stamps its token on the live Service and on both Deployments. The stamp changes their resourceVersions,
//! so every write that was sent with an older one fails.
//!
//! The token changes with every term of leadership, and after every write whose result is unknown. A leader that
//! knows the results of all its writes has nothing to fence, and stamps nothing.

use std::fmt;

use crate::plan::Fence;

/// The fencing token of this leader for the objects of one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The Lease, as `namespace/name`. The terms of two installations can't be compared.
    pub operator: String,
    /// The first characters of the Lease's uid. A Lease that was deleted and created again counts its terms from the
    /// start.
    pub lease: String,
    /// The number of the term. It grows with every acquisition of the Lease.
    pub epoch: i64,
    /// The number of the attempt. It grows after every write of this term whose result is unknown.
    pub attempt: u32,
}

impl Token {
    /// Returns this term's token after that many writes with an unknown result.
    #[must_use]
    pub fn with_attempt(&self, attempt: u32) -> Self {
        Self { attempt, ..self.clone() }
    }

    /// Returns the token that an object carries, or `None` if its label is not a token.
    #[must_use]
    pub fn read(label: &str, operator: &str) -> Option<Self> {
        let (lease, epoch, attempt) = parse(label)?;
        Some(Self { operator: operator.to_owned(), lease: lease.to_owned(), epoch, attempt })
    }

    /// Compares this leader's token with the one that an object carries.
    ///
    /// `operator` is the Lease that the object names. Only the live Service names one. A Deployment has only the
    /// label, which is enough to tell the terms of one Lease apart.
    pub fn compare(&self, label: Option<&str>, operator: Option<&str>) -> Fence {
        if let Some(operator) = operator
            && operator != self.operator
        {
            return Fence::Foreign(operator.to_owned());
        }
        let Some((lease, epoch, attempt)) = label.and_then(parse) else { return Fence::Stale };
        if lease != self.lease {
            // An earlier Lease of this installation: this leader holds the one that exists.
            return Fence::Stale;
        }
        match epoch.cmp(&self.epoch) {
            std::cmp::Ordering::Greater => Fence::Newer,
            std::cmp::Ordering::Equal if attempt == self.attempt => Fence::Mine,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Less => Fence::Stale,
        }
    }
}

/// The token as a label value. A label does not change a Deployment's generation, an annotation does.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.lease, self.epoch, self.attempt)
    }
}

fn parse(label: &str) -> Option<(&str, i64, u32)> {
    let mut parts = label.splitn(3, '.');
    let lease = parts.next()?;
    let epoch = parts.next()?.parse().ok()?;
    let attempt = parts.next()?.parse().ok()?;
    Some((lease, epoch, attempt))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(epoch: i64, attempt: u32) -> Token {
        Token { operator: "system/operator".into(), lease: "0a1b2c3d".into(), epoch, attempt }
    }

    #[test]
    fn a_token_survives_the_round_trip_through_a_label() {
        let mine = token(7, 2);
        assert_eq!(mine.compare(Some(&mine.to_string()), Some("system/operator")), Fence::Mine);
        assert_eq!(Token::read(&mine.to_string(), "system/operator"), Some(mine));
    }

    #[test]
    fn an_unknown_result_makes_ones_own_stamp_stale() {
        assert_eq!(token(7, 3).compare(Some(&token(7, 2).to_string()), None), Fence::Stale);
    }

    #[test]
    fn a_later_term_deposes_and_an_earlier_one_is_fenced() {
        assert_eq!(token(7, 0).compare(Some(&token(8, 0).to_string()), None), Fence::Newer);
        assert_eq!(token(7, 0).compare(Some(&token(6, 9).to_string()), None), Fence::Stale);
    }

    #[test]
    fn terms_of_a_lease_that_was_made_anew_are_not_compared() {
        let old = Token { lease: "ffffffff".into(), ..token(900, 0) };
        assert_eq!(token(1, 0).compare(Some(&old.to_string()), Some("system/operator")), Fence::Stale);
    }

    #[test]
    fn another_installation_is_named_and_garbage_is_stale() {
        let mine = token(1, 0);
        assert_eq!(mine.compare(Some("x"), Some("other/op")), Fence::Foreign("other/op".into()));
        assert_eq!(mine.compare(Some("no token"), None), Fence::Stale);
        assert_eq!(mine.compare(None, None), Fence::Stale);
    }
}

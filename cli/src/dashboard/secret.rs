//! A secret that nobody guesses, and that nobody finds out by measuring how long a comparison takes.

use std::fmt::Write as _;

use subtle::ConstantTimeEq;

/// Bytes of a secret: 256 bits.
const BYTES: usize = 32;

/// A random secret.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one, from the operating system's random numbers.
    ///
    /// # Errors
    /// When the operating system has none.
    pub fn new() -> anyhow::Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            // Infallible for a String.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        Ok(Self(hex))
    }

    /// Whether this text is the secret. It takes the same time wherever the two differ.
    #[must_use]
    pub fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The secret, for whoever is to have it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_different_each_time_and_only_itself() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        assert!(one.reveal().len() * 4 >= 128, "{} hex digits", one.reveal().len());
        assert!(one.is(one.reveal()) && !one.is(other.reveal()));
        assert!(!one.is("") && !one.is(&one.reveal()[1..]));
    }
}

//! Why there was no answer, in words.

use std::error::Error;
use std::io;

/// Why there was no answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Whether there was a TCP connection. Without one, the network may be the reason; with one, it is the server.
    pub connected: bool,
    /// The reason, for people.
    pub words: String,
}

impl Trouble {
    /// A failure before there was a TCP connection.
    pub fn before_connected(words: impl Into<String>) -> Self {
        Self { connected: false, words: words.into() }
    }

    /// A failure after there was a TCP connection.
    pub fn after_connected(words: impl Into<String>) -> Self {
        Self { connected: true, words: words.into() }
    }
}

/// An error and what caused it, without numbers of the operating system and without saying anything twice.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = match error.downcast_ref::<io::Error>() {
            // "connection refused" and not "Connection refused (os error 111)".
            Some(error) if error.raw_os_error().is_some() && error.kind() != io::ErrorKind::Other => {
                known(error)
            }
            _ => error.to_string(),
        };
        if !said.iter().any(|before| before.contains(&words)) {
            said.push(words);
        }
        next = error.source();
    }
    said.join(": ")
}

/// The kind of an error of the operating system, or its words if Rust has no stable name for it.
fn known(error: &io::Error) -> String {
    let (kind, words) = (error.kind().to_string(), error.to_string());
    if kind == "uncategorized error" { words } else { kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_operating_system_are_words() {
        assert_eq!(causes(&io::Error::from_raw_os_error(111)), "connection refused");
        assert_eq!(causes(&io::Error::other("certificate expired")), "certificate expired");
        assert!(causes(&io::Error::from_raw_os_error(71)).starts_with("Protocol error"));
    }
}

//! The name of an image.

use std::fmt;

use anyhow::ensure;

/// A full image name with a tag, such as `docker.io/library/hello:v1.0.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    name: String,
    tag: String,
}

impl Reference {
    /// Checks a name and a tag. A short name gets what container engines would add: `hello` means
    /// `docker.io/library/hello`. Kubernetes asks containerd for the full name, so an archive with a short one would be
    /// imported and never found.
    ///
    /// # Errors
    /// When a container engine would refuse the name or the tag.
    pub fn parse(name: &str, tag: &str) -> anyhow::Result<Self> {
        let name = match name.split_once('/') {
            None => format!("docker.io/library/{name}"),
            Some(("docker.io", rest)) if !rest.contains('/') => format!("docker.io/library/{rest}"),
            Some((first, _)) if is_registry(first) => name.to_owned(),
            Some(_) => format!("docker.io/{name}"),
        };
        let mut parts = name.split('/');
        let registry = parts.next().unwrap_or_default();
        let (host, port) = registry.split_once(':').unwrap_or((registry, "0"));
        ensure!(
            !host.is_empty()
                && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
                && port.parse::<u16>().is_ok(),
            "{registry:?} in {name:?} can't be a registry"
        );
        ensure!(
            parts.all(is_component),
            "{name:?} can't be an image name: use lowercase letters, digits and single separators (. _ -), without a \
             tag or digest"
        );
        ensure!(
            !tag.is_empty()
                && tag.len() <= 128
                && !tag.starts_with(['.', '-'])
                && tag.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')),
            "{tag:?} can't be a tag: use up to 128 letters, digits, _ . and -, not starting with . or -"
        );
        Ok(Self { name, tag: tag.to_owned() })
    }

    /// The name with its registry, without the tag.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}

/// Container engines take the first part for a registry only if it can't be a user's name.
fn is_registry(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':'])
}

/// Lowercase letters and digits, with separators only between them: `.`, `_`, `__` or any number of `-`.
fn is_component(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.starts_with(is_word)
        && part.ends_with(is_word)
        && part.split(is_word).all(|separator| {
            matches!(separator, "" | "." | "_" | "__") || separator.chars().all(|c| c == '-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_becomes_the_one_that_kubernetes_asks_for() {
        for (short, full) in [
            ("hello", "docker.io/library/hello:v1"),
            ("docker.io/hello", "docker.io/library/hello:v1"),
            ("lyonger/cicd_test", "docker.io/lyonger/cicd_test:v1"),
            ("docker.io/library/hello", "docker.io/library/hello:v1"),
            ("localhost/hello", "localhost/hello:v1"),
            ("registry.test:5000/a/b--c", "registry.test:5000/a/b--c:v1"),
        ] {
            assert_eq!(Reference::parse(short, "v1").unwrap().to_string(), full);
        }
    }

    #[test]
    fn what_an_engine_would_refuse_is_refused_here() {
        for name in
            ["", "Hello", "hello:v1", "a//b", "a/", "/a", "hello@sha256:00", "a___b", "-a", "a.test:x/b"]
        {
            assert!(Reference::parse(name, "v1").is_err(), "{name:?}");
        }
        for tag in ["", ".v1", "-v1", "v1/2", "v 1", &"v".repeat(129)] {
            assert!(Reference::parse("hello", tag).is_err(), "{tag:?}");
        }
    }
}

//! Is this what the document shows, but for what differs each time: times, addresses, and the names of pods?

/// Compares two outputs, line by line and word by word. A line `…` in the document stands for any number of lines, and a word
/// `…` for the rest of its line.
pub fn same(shown: &str, printed: &str) -> Result<(), String> {
    let printed: Vec<&str> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut rest = printed.iter();
    let mut skips = false;
    for line in shown.lines().filter(|line| !line.trim().is_empty()) {
        if line.trim() == "…" {
            skips = true;
            continue;
        }
        let found = if skips {
            rest.any(|other| alike(line, other))
        } else {
            rest.next().is_some_and(|other| alike(line, other))
        };
        if !found {
            return Err(format!("the document shows the line {line:?}, which was not printed in its place"));
        }
        skips = false;
    }
    match rest.next() {
        Some(line) if !skips => Err(format!("the document does not show the line {line:?}")),
        _ => Ok(()),
    }
}

fn alike(shown: &str, printed: &str) -> bool {
    let mut printed = printed.split_whitespace();
    for word in shown.split_whitespace() {
        if word == "…" {
            return true;
        }
        if printed.next().is_none_or(|other| shape(word) != shape(other)) {
            return false;
        }
    }
    printed.next().is_none()
}

/// A word without what differs each time.
fn shape(word: &str) -> String {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if is_duration(core) {
        return word.replace(core, "TIME");
    }
    let is_address = |part: &&str| {
        let octets: Vec<_> = part.split('.').collect();
        octets.len() == 4 && octets.iter().all(|octet| !octet.is_empty())
    };
    if let Some(address) = word.split(|c: char| !c.is_ascii_digit() && c != '.').find(is_address) {
        return word.replace(address, "ADDRESS");
    }
    word.split('-').map(|part| if is_random(part) { "RANDOM" } else { part }).collect::<Vec<_>>().join("-")
}

/// `2m`, `1m5s`, `0.14s`, `120ms`.
fn is_duration(word: &str) -> bool {
    let units = word.trim_end_matches(|c: char| "smhdu".contains(c));
    units.len() < word.len()
        && word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || ".smhdu".contains(c))
}

/// What Kubernetes appends to names: no vowels, so that no word comes out.
fn is_random(part: &str) -> bool {
    (5..=10).contains(&part.len()) && part.chars().all(|c| "bcdfghjklmnpqrstvwxz2456789".contains(c))
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn what_differs_each_time_is_no_difference() {
        let shown = "NAME   AGE\npod/hello-blue-6d4cf56db6-2x2mz   1/1   30s\n";
        same(shown, "NAME AGE\n\npod/hello-blue-7c9d8f5b77-8kqpf 1/1 2m5s\n").unwrap();
        same("curl: http://10.0.0.1:8888 in 0.14s", "curl: http://10.96.7.33:8888 in 2s").unwrap();
        same("a\n…\nz …\n", "a\nb\nc\nz 1 2\n").unwrap();
    }

    #[test]
    fn anything_else_is() {
        for (shown, printed) in [
            ("hello green", "hello blue"),
            ("3/3", "2/3"),
            ("v2.0.0", "v1.0.0"),
            ("a", "a\nb"),
            ("a\nb", "a"),
            ("a b", "a"),
            ("a\n…\nz", "a\nb"),
        ] {
            assert!(same(shown, printed).is_err(), "{shown:?} {printed:?}");
        }
    }
}

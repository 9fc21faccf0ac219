//! The page in three forms: for a browser, for `curl`, for a program.

use axum::http::HeaderMap;
use serde::Serialize;

/// The title every version of the page has had.
pub const TITLE: &str = "Welcome to LaGou Education WebSite!";

/// What the page says.
#[derive(Clone, Debug, Serialize)]
pub struct Page<'a> {
    /// Always [`TITLE`].
    pub title: &'static str,
    /// The image's version.
    pub version: &'a str,
    /// The pod's color.
    pub color: &'a str,
    /// The pod's name.
    pub hostname: &'a str,
}

/// The form a client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a browser.
    Html,
    /// For a program.
    Json,
    /// For everyone else; `curl` sends `*/*`.
    Text,
}

impl Form {
    /// Chooses by the client's `Accept` header: the known type with the highest weight, the earlier one on a tie.
    #[must_use]
    pub fn wanted(headers: &HeaderMap) -> Self {
        let accept = headers.get_all("accept").iter().filter_map(|value| value.to_str().ok());
        let mut best = (Self::Text, 0.0);
        for entry in accept.flat_map(|value| value.split(',')) {
            let mut parts = entry.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "text/html" | "application/xhtml+xml" => Self::Html,
                "application/json" => Self::Json,
                "text/plain" | "text/*" | "*/*" => Self::Text,
                _ => continue,
            };
            let weight = parts
                .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
                .map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
            if weight > best.1 {
                best = (form, weight);
            }
        }
        best.0
    }

    /// The value for `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

impl<'a> Page<'a> {
    /// The page of one pod.
    #[must_use]
    pub fn new(version: &'a str, color: &'a str, hostname: &'a str) -> Self {
        Self { title: TITLE, version, color, hostname }
    }

    /// Four lines that `grep` and `awk` can read.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { title, version, color, hostname } = self;
        format!("Title: {title}\nVersion: {version}\nColor: {color}\nHostname: {hostname}\n")
    }

    /// A page without scripts, fonts or pictures from elsewhere, so that it works in a cluster without internet.
    #[must_use]
    pub fn html(&self) -> String {
        let accent = accent(self.color);
        let [title, version, color, hostname] =
            [self.title, self.version, self.color, self.hostname].map(escaped);
        format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%23{accent}'/%3E%3C/svg%3E">
<style>
:root {{ color-scheme: light dark; --accent: #{accent}; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1.125rem/1.5 system-ui, sans-serif; background: color-mix(in srgb, var(--accent) 8%, Canvas); color: CanvasText; }}
main {{ width: min(36rem, calc(100vw - 3rem)); background: Canvas; border-top: .5rem solid var(--accent); border-radius: .5rem; padding: 2rem; box-sizing: border-box; box-shadow: 0 .5rem 2rem #0002; }}
h1 {{ margin: 0 0 1.5rem; font-size: 1.5rem; line-height: 1.25; }}
dl {{ margin: 0; display: grid; grid-template-columns: max-content 1fr; gap: .5rem 1.5rem; }}
dt {{ opacity: .7; }}
dd {{ margin: 0; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }}
.color {{ display: inline-block; padding: 0 .75em; border-radius: 1em; background: var(--accent); color: #fff; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<dl>
<dt>Version</dt><dd>{version}</dd>
<dt>Color</dt><dd><span class="color">{color}</span></dd>
<dt>Hostname</dt><dd>{hostname}</dd>
</dl>
</main>
</body>
</html>
"#
        )
    }
}

/// An accent (RRGGBB) on which white text is readable. Fixed for the known colors and gray for others, so that
/// nothing from the environment ends up in the style sheet.
fn accent(color: &str) -> &'static str {
    match color {
        "blue" => "1d5fd1",
        "green" => "1a7f37",
        _ => "57606a",
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert("accept", accept.parse().unwrap());
        Form::wanted(&headers)
    }

    #[test]
    fn who_gets_which_form() {
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(wanted(firefox), Form::Html);
        assert_eq!(wanted("*/*"), Form::Text, "curl");
        assert_eq!(wanted("application/json"), Form::Json);
        assert_eq!(wanted("application/json, text/plain, */*"), Form::Json, "axios");
        assert_eq!(wanted("text/html;q=0.2, application/json;q=0.9"), Form::Json);
        assert_eq!(wanted("text/html;q=0"), Form::Text, "q=0 means: not this one");
        assert_eq!(wanted("image/png"), Form::Text);
        assert_eq!(Form::wanted(&HeaderMap::new()), Form::Text, "a kubelet");
    }

    #[test]
    fn the_environment_can_not_inject_markup() {
        let html = Page::new("<script>1</script>", "\"blue\"", "a&b").html();
        assert!(html.contains("&lt;script&gt;1&lt;/script&gt;"));
        assert!(html.contains("&quot;blue&quot;"));
        assert!(html.contains("a&amp;b"));
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn the_accent_is_the_color() {
        let [blue, green] = ["blue", "green"].map(|color| Page::new("v1", color, "pod").html());
        assert!(blue.contains("--accent: #1d5fd1"));
        assert!(green.contains("--accent: #1a7f37"));
    }
}

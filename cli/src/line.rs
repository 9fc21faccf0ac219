//! PURE: a line of output, in tones that become colors only where colors are wanted.

use anstyle::{AnsiColor, Style};
use bluegreen_core::harmless::visible;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a piece of text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    Plain,
    /// A heading, or what is live.
    Strong,
    /// Less important.
    Dim,
    /// The color blue.
    Blue,
    /// The color green.
    Green,
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Not as it should be.
    Bad,
}

impl Tone {
    /// A color's own tone.
    #[must_use]
    pub const fn of(color: bluegreen_api::Color) -> Self {
        match color {
            bluegreen_api::Color::Blue => Self::Blue,
            bluegreen_api::Color::Green => Self::Green,
        }
    }

    fn style(self) -> Style {
        let colored = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Blue => colored(AnsiColor::BrightBlue),
            Self::Green => colored(AnsiColor::Green),
            Self::Good => colored(AnsiColor::Green),
            Self::Busy => colored(AnsiColor::Yellow),
            Self::Bad => colored(AnsiColor::Red),
        }
    }
}

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(String, Tone)>);

impl Line {
    /// An empty line.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A line in one tone.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        Self::new().add(text, Tone::Plain)
    }

    /// Adds text, with what a terminal would obey made visible: much of it was written by somebody else.
    #[must_use]
    pub fn add(mut self, text: impl Into<String>, tone: Tone) -> Self {
        self.0.push((visible(&text.into()), tone));
        self
    }

    /// Adds text, cut or filled to a width.
    #[must_use]
    pub fn cell(self, text: &str, width: usize, tone: Tone) -> Self {
        let text = shorten(&visible(text), width);
        let fill = " ".repeat(width.saturating_sub(text.width()));
        self.add(text, tone).add(fill, Tone::Plain)
    }

    /// Adds another line's pieces.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// How wide it is.
    #[must_use]
    pub fn width(&self) -> usize {
        self.0.iter().map(|(text, _)| text.width()).sum()
    }

    /// As it is printed, cut to a width, without blanks at its end.
    #[must_use]
    pub fn render(&self, width: usize, colors: bool) -> String {
        let mut left = width;
        let mut pieces: Vec<(String, Tone)> = Vec::new();
        let whole = self.width();
        for (text, tone) in &self.0 {
            let rest = whole > width && text.width() >= left;
            let text = if rest { cut(text, left) } else { text.clone() };
            left = left.saturating_sub(text.width());
            pieces.push((text, *tone));
        }
        while let Some((text, _)) = pieces.last_mut() {
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                break;
            }
            pieces.pop();
        }
        let paint = |(text, tone): (String, Tone)| {
            let style = tone.style();
            if colors && !text.trim().is_empty() && style != Style::new() {
                format!("{style}{text}{style:#}")
            } else {
                text
            }
        };
        pieces.into_iter().map(paint).collect()
    }
}

/// Several lines as one text.
#[must_use]
pub fn render(lines: &[Line], width: usize, colors: bool) -> String {
    lines.iter().map(|line| line.render(width, colors) + "\n").collect()
}

/// At most that wide, with an ellipsis at its end.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = prefix(text, width.saturating_sub(1));
    if width > 0 {
        cut.push('…');
    }
    cut
}

fn prefix(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).collect()
}

/// At most that wide; what is left out is in the middle, since names of pods differ at their ends.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let tail = width.saturating_sub(1) / 3;
    let head = width.saturating_sub(1).saturating_sub(tail);
    let reversed: String = text.chars().rev().collect();
    let end: String = prefix(&reversed, tail).chars().rev().collect();
    format!("{}…{end}", prefix(text, head))
}

/// Breaks a text at blanks into lines of at most that width.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in visible(text).split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

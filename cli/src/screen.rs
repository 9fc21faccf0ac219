//! A part of the terminal that is drawn again and again, in place.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use crossterm::cursor::MoveToPreviousLine;
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};

use crate::args::When;
use crate::line::{self, Line};

/// Where nobody says how wide it is.
const WIDTH: usize = 80;

/// Where lines go: its size, and whether it shows colors.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// The width in columns.
    pub width: usize,
    /// The height in rows; none where nothing can be redrawn.
    pub height: Option<usize>,
    /// Whether lines have colors.
    pub colors: bool,
}

impl Terminal {
    /// Returns what is known of standard output.
    #[must_use]
    pub fn stdout(when: When) -> Self {
        let stream = io::stdout();
        Self::of(when, stream.is_terminal(), AutoStream::choice(&stream))
    }

    /// Returns what is known of standard error.
    #[must_use]
    pub fn stderr(when: When) -> Self {
        let stream = io::stderr();
        Self::of(when, stream.is_terminal(), AutoStream::choice(&stream))
    }

    fn of(when: When, is_terminal: bool, choice: ColorChoice) -> Self {
        let colors = match when {
            When::Auto => choice != ColorChoice::Never,
            When::Always => true,
            When::Never => false,
        };
        let size = terminal::size().ok().filter(|_| is_terminal);
        let (width, height) =
            size.map_or((WIDTH, None), |(columns, rows)| (columns.into(), Some(rows.into())));
        Self { width: if width == 0 { WIDTH } else { width }, height, colors }
    }

    /// Lines as text.
    #[must_use]
    pub fn text(self, lines: &[Line]) -> String {
        line::render(lines, self.width, self.colors)
    }
}

/// Lines on a terminal, drawn over those that were there before.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    drawn: u16,
}

impl<W: Write> Screen<W> {
    /// Begins where the cursor is, at the start of a line.
    pub const fn new(out: W) -> Self {
        Self { out, drawn: 0 }
    }

    /// Draws over what was drawn before: all of it in one write, each line cleared only behind its new end, so that
    /// nothing flickers. What does not fit is left out, since what has scrolled away can't be drawn over.
    ///
    /// # Errors
    /// When the terminal can't be written to.
    pub fn draw(&mut self, lines: &[Line], terminal: Terminal) -> io::Result<()> {
        let most = terminal.height.unwrap_or(usize::MAX).saturating_sub(1).max(1);
        let mut rows: Vec<String> =
            lines.iter().take(most).map(|line| line.render(terminal.width, terminal.colors)).collect();
        if lines.len() > most {
            rows[most - 1] = format!("… {} more lines", lines.len() - most + 1);
        }
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate)?;
        if self.drawn > 0 {
            queue!(frame, MoveToPreviousLine(self.drawn))?;
        }
        for row in &rows {
            queue!(frame, Print(row), Clear(ClearType::UntilNewLine), Print("\r\n"))?;
        }
        queue!(frame, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        self.drawn = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        self.out.write_all(&frame)?;
        self.out.flush()
    }
}

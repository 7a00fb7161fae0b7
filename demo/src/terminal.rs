//! The terminal while the demo's screen is up: taken over whole, and given back as it was, also after a panic.
//!
//! In raw mode Ctrl-C is a key like any other, so it is read here.

use std::io;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal;
use service::shutdown::SAME_REQUEST;

use crate::screen;
use crate::view::View;

/// The alternate screen in raw mode; dropping it gives the terminal back.
pub(crate) struct Terminal {
    terminal: DefaultTerminal,
    asked_at: Option<Instant>,
}

/// Whether the user has pressed `q`, Escape or Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    No,
    Once,
    /// A second time, in earnest: a key that is held down repeats itself, as signals do.
    Again,
}

impl Terminal {
    /// Takes the terminal over; `None` when it is too small for the screen.
    ///
    /// A panic restores the terminal before its message is printed.
    ///
    /// # Errors
    /// When the terminal refuses raw mode.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        let (columns, rows) = terminal::size()?;
        let (columns_least, rows_least) = screen::LEAST_SIZE;
        if columns < columns_least || rows < rows_least {
            return Ok(None);
        }
        Ok(Some(Self { terminal: ratatui::try_init()?, asked_at: None }))
    }

    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn show(&mut self, view: &View<'_>) -> io::Result<()> {
        self.terminal.draw(|frame| screen::draw(frame, view)).map(drop)
    }

    /// What the user has pressed since the last call. Does not wait.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(crate) fn asked_to_stop(&mut self) -> io::Result<Asked> {
        let mut answer = Asked::No;
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && key.kind == KeyEventKind::Press
                && asks_to_stop(key)
            {
                match self.asked_at {
                    None => (self.asked_at, answer) = (Some(Instant::now()), Asked::Once),
                    Some(first) if first.elapsed() < SAME_REQUEST => {}
                    Some(_) => answer = Asked::Again,
                }
            }
        }
        Ok(answer)
    }
}

fn asks_to_stop(key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('c') => key.modifiers.contains(KeyModifiers::CONTROL),
        KeyCode::Char('q') | KeyCode::Esc => true,
        _ => false,
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

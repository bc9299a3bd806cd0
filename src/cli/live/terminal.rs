//! The terminal's second screen, and the way back from it however the run ends.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::view::live::screen::Screen;

/// How long to wait for who is drawing: a terminal may be stopped (Ctrl-S), and then for ever.
const PATIENCE: Duration = Duration::from_millis(10);
const TRIES: u32 = 20;

/// Signals that end or stop the process without leave, beside Ctrl-C.
#[cfg(unix)]
pub(super) const SIGNALS: &[i32] = &[signal_hook::consts::SIGQUIT, signal_hook::consts::SIGTSTP];
/// Elsewhere a run that is ended by force leaves the terminal as it is.
#[cfg(not(unix))]
pub(super) const SIGNALS: &[i32] = &[];

/// The second screen while it is needed; dropped, it gives the first one back.
pub(super) struct SecondScreen {
    screen: Shared,
    /// Columns, when the user chose.
    width: Option<usize>,
}

type Shared = Arc<Mutex<Screen>>;

impl SecondScreen {
    /// The second screen, in `width` columns or those of the terminal.
    pub(super) fn new(width: Option<usize>) -> Self {
        Self { screen: Shared::default(), width }
    }

    /// What gives the first one back before the process ends or stops. Nobody draws between the two.
    pub(super) fn last(&self) -> impl Fn(&dyn Fn()) + Send + 'static {
        let screen = Arc::clone(&self.screen);
        move |end| leave(&screen, end)
    }

    /// Columns and rows it has now.
    pub(super) fn size(&self) -> (usize, usize) {
        let size = terminal_size::terminal_size_of(io::stdout());
        let (width, rows) = size.map_or((80, 24), |(width, rows)| (width.0, rows.0));
        (self.width.unwrap_or(usize::from(width)), usize::from(rows))
    }

    /// Draws `text` in place of what was drawn before.
    pub(super) fn draw(&self, text: &str, out: &mut dyn Write) -> io::Result<()> {
        self.lock().draw(text, out)
    }

    /// Goes back to the first screen.
    pub(super) fn close(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut screen = self.lock();
        let Some(octets) = screen.close() else { return Ok(()) };
        out.write_all(octets)?;
        out.flush()
    }

    fn lock(&self) -> MutexGuard<'_, Screen> {
        self.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SecondScreen {
    fn drop(&mut self) {
        leave(&self.screen, &|| ());
    }
}

/// Whether the output goes to a terminal that has a second screen.
pub(super) fn has_second_screen() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Gives the first screen back past whoever draws, and does `then` before anybody draws again.
fn leave(screen: &Mutex<Screen>, then: &dyn Fn()) {
    let mut screen = (0..TRIES).find_map(|_| match screen.try_lock() {
        Ok(screen) => Some(screen),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => {
            thread::sleep(PATIENCE);
            None
        }
    });
    if let Some(octets) = screen.as_mut().and_then(|screen| screen.close()) {
        write(octets);
    }
    then();
}

/// Writes to the terminal past what is held back for it, unless it is stopped.
#[cfg(unix)]
fn write(octets: &[u8]) {
    use std::os::fd::AsFd as _;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    let stdout = io::stdout();
    let mut ready = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut ready, PollTimeout::ZERO).is_ok_and(|count| count == 1) {
        // A terminal that is gone needs no screen.
        let _ = nix::unistd::write(&stdout, octets);
    }
}

#[cfg(not(unix))]
fn write(octets: &[u8]) {
    let _ = io::stdout().write_all(octets);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_draws_between_the_return_of_the_first_screen_and_the_end() {
        let second = SecondScreen::new(None);
        let screen = Arc::clone(&second.screen);
        let is_held = std::cell::Cell::new(false);
        second.last()(&|| is_held.set(matches!(screen.try_lock(), Err(TryLockError::WouldBlock))));
        assert!(is_held.get());
        assert!(screen.try_lock().is_ok());
    }
}

//! The terminal's second screen, and the way back from it however the run ends.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::view::live::screen::Screen;

/// How long to wait for who is drawing: a terminal may be stopped (Ctrl-S), and then for ever.
const PATIENCE: Duration = Duration::from_millis(10);
const TRIES: u32 = 20;

/// The second screen while it is needed; dropped, it gives the first one back.
pub(super) struct SecondScreen {
    screen: Shared,
    /// Columns, when the user chose.
    width: Option<usize>,
}

type Shared = Arc<Mutex<Screen>>;

impl SecondScreen {
    /// The second screen, in `width` columns or those of the terminal; `ear` gives the first one
    /// back when a signal ends or stops the process.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub(super) fn new(width: Option<usize>, ear: Ear) -> io::Result<Self> {
        let screen = Shared::default();
        ear.listen(Arc::clone(&screen))?;
        Ok(Self { screen, width })
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
        leave(&self.screen);
    }
}

/// Whether the output goes to a terminal that has a second screen.
pub(super) fn has_second_screen() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_some_and(|term| term != "dumb")
}

/// Gives the first screen back past whoever draws.
fn leave(screen: &Mutex<Screen>) {
    for _ in 0..TRIES {
        let mut screen = match screen.try_lock() {
            Ok(screen) => screen,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                thread::sleep(PATIENCE);
                continue;
            }
        };
        if let Some(octets) = screen.close() {
            write(octets);
        }
        return;
    }
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

#[cfg(unix)]
pub(super) use signals::Ear;

/// Elsewhere a run that is ended by force leaves the terminal as it is.
#[cfg(not(unix))]
pub(super) struct Ear;

#[cfg(not(unix))]
impl Ear {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    fn listen(self, _: Shared) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(unix)]
mod signals {
    use std::io::{self, Read as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;
    use std::thread;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use signal_hook::consts::{SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
    use signal_hook::low_level::{emulate_default_handler, exit, pipe};

    use super::{Shared, leave};
    use crate::cli::INTERRUPTED;

    /// Hears the signals that end or stop the process while another thread writes.
    pub(in super::super) struct Ear([(i32, UnixStream); 4]);

    impl Ear {
        /// Begins to hear; what comes before somebody [listens](Self::listen) is kept.
        ///
        /// # Errors
        /// When the system has no more file descriptors.
        pub(in super::super) fn new() -> io::Result<Self> {
            let hear = |signal| {
                let (heard, told) = UnixStream::pair()?;
                pipe::register(signal, told)?;
                io::Result::Ok((signal, heard))
            };
            Ok(Self([hear(SIGINT)?, hear(SIGTERM)?, hear(SIGQUIT)?, hear(SIGTSTP)?]))
        }

        /// Gives the first screen back before a second Ctrl-C ends the process or Ctrl-Z stops it.
        pub(super) fn listen(self, screen: Shared) -> io::Result<()> {
            let mut asked = 0_usize;
            let act = move |signal: i32, times: usize| {
                if signal != SIGTSTP {
                    asked += times;
                    if asked < 2 && signal != SIGQUIT {
                        // The first one is obeyed at leisure.
                        return;
                    }
                }
                leave(&screen);
                if signal == SIGINT || signal == SIGTERM {
                    exit(INTERRUPTED.into());
                }
                // What the signal does to any program; refused, it does nothing.
                let _ = emulate_default_handler(signal);
            };
            thread::Builder::new().name("signals".to_owned()).spawn(move || self.hear(act))?;
            Ok(())
        }

        fn hear(mut self, mut act: impl FnMut(i32, usize)) {
            loop {
                let streams = self.0.each_ref().map(|(_, stream)| stream);
                let mut ready =
                    streams.map(|stream| PollFd::new(stream.as_fd(), PollFlags::POLLIN));
                // Interrupted, it looks again.
                let _ = poll(&mut ready, PollTimeout::NONE);
                let ready = ready.map(|stream| stream.any().unwrap_or(false));
                for ((signal, stream), _) in self.0.iter_mut().zip(ready).filter(|(_, is)| *is) {
                    // An octet for each time.
                    match stream.read(&mut [0; 8]) {
                        Ok(0) => return,
                        Ok(times) => act(*signal, times),
                        Err(_) => {}
                    }
                }
            }
        }
    }
}

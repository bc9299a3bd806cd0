//! `siplens live --list` on a terminal: it gives the first screen back however it ends.

#![allow(clippy::disallowed_methods)] // Deadlines are of the time of whoever runs the tests.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::{program, sample};

/// What the program writes to go to the second screen, and to come back.
const OPEN: &str = "\x1b[?1049h";
const CLOSE: &str = "\x1b[?1049l";
/// What anything may take at most.
const DEADLINE: Duration = Duration::from_mins(1);

/// A run with a terminal as its output.
struct Terminal {
    child: Child,
    /// Held open: the capture does not end by itself.
    input: Option<ChildStdin>,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// One that has drawn the table of a sample.
    fn showing(columns: u16) -> Self {
        Self::of((columns, 24), &[])
    }

    /// The same of so many columns and rows, with more `args`.
    fn of((ws_col, ws_row): (u16, u16), args: &[&str]) -> Self {
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let mut command = program();
        command.args(["live", "--list", "--utc", "-"]).args(args).env("TERM", "xterm");
        command.stdin(Stdio::piped()).stdout(pty.slave).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        // What the command still holds of the terminal would keep it open.
        drop(command);
        let mut input = child.stdin.take().unwrap();
        input.write_all(&fs::read(sample("failures.pcap")).unwrap()).unwrap();
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let (told, mut master) = (Arc::clone(&shown), File::from(pty.master));
        thread::spawn(move || {
            let mut buffer = [0; 1 << 12];
            while let Ok(read @ 1..) = master.read(&mut buffer) {
                told.lock().unwrap().extend(&buffer[..read]);
            }
        });
        let terminal = Self { child, input: Some(input), shown };
        terminal.until("the table", |shown| shown.contains("packets"));
        terminal
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    fn until(&self, what: &str, is: impl Fn(&str) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !is(&self.text()) {
            assert!(Instant::now() < until, "waited for {what}, in vain, in {:?}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Whether the last that was shown stands on the first screen, with a cursor.
    fn is_back(&self) -> bool {
        let text = self.text();
        let last = |what: &str| text.rfind(what);
        last(OPEN) < last(CLOSE) && last("\x1b[?25l") < last("\x1b[?25h")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_screen_comes_back_however_the_run_ends() {
    use Signal::{SIGINT, SIGQUIT, SIGTERM};
    let endings: [&[Signal]; 6] =
        [&[], &[SIGINT], &[SIGTERM], &[SIGINT, SIGINT], &[SIGTERM, SIGINT], &[SIGQUIT]];
    for ending in endings {
        let mut terminal = Terminal::showing(100);
        assert!(!terminal.is_back(), "{:?}", terminal.text());
        for signal in ending {
            terminal.signal(*signal);
        }
        if ending.is_empty() {
            terminal.input = None;
        }
        let status = terminal.child.wait().unwrap();
        terminal.until(&format!("the first screen after {ending:?}"), |_| terminal.is_back());
        let code = match ending {
            [] => Some(0),
            [SIGQUIT] => None,
            _ => Some(130),
        };
        assert_eq!(status.code(), code, "{ending:?}");
    }
}

#[test]
fn a_run_that_is_stopped_gives_the_screen_back_and_takes_it_again() {
    let terminal = Terminal::showing(100);
    terminal.signal(Signal::SIGTSTP);
    let place = format!("/proc/{}/stat", terminal.child.id());
    terminal.until("it to stop", |_| fs::read_to_string(&place).unwrap().contains(") T "));
    terminal.until("the first screen", |_| terminal.is_back());
    terminal.signal(Signal::SIGCONT);
    terminal.until("the second screen", |_| !terminal.is_back());
}

#[test]
fn eighty_columns_hold_who_and_what_became_of_it_and_the_call_id() {
    let terminal = Terminal::showing(80);
    for word in ["From", "To", "State", "Findings", "Call-ID", "completed"] {
        terminal.until(word, |text| text.contains(word));
    }
}

#[test]
fn calls_that_have_no_room_are_counted_below_those_that_have() {
    // The rows of what was drawn last to its end, once all is read.
    let drawn = |terminal: &Terminal| {
        terminal
            .until("the end", |text| text.rsplit("\x1b[J").nth(1).unwrap_or("").contains("47 SIP"));
        let text = terminal.text();
        let (whole, _) = text.rsplit_once("\x1b[J").unwrap();
        let last = whole.rsplit("\x1b[H").next().unwrap().replace("\x1b[K", "").replace('\r', "");
        last.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = Terminal::showing(100);
    let count = drawn(&whole).len() - 2;
    assert!(4 < count && !whole.text().contains("older"), "{:?}", whole.text());
    for (args, mark) in [(&[][..], "…"), (&["--ascii"], "...")] {
        let terminal = Terminal::of((100, 6), args);
        let lines = drawn(&terminal);
        assert_eq!(lines.len(), 6, "{lines:?}");
        assert_eq!(lines[4], format!("{mark} and {} older", count - 3), "{lines:?}");
    }
    let exact = Terminal::of((100, count as u16 + 2), &[]);
    assert_eq!(drawn(&exact).len(), count + 2);
    assert!(!exact.text().contains("older"), "{:?}", exact.text());
}

//! A program that runs beside the test, and what it said so far.

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::stage::Place;

/// What anything may take at most: nobody waits so long unless something is broken.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// A program that runs; killed when the test is over.
pub struct Running {
    child: Child,
    out: Heard,
    err: Heard,
}

/// What a program wrote.
#[derive(Clone, Default)]
struct Heard(Arc<(Mutex<Told>, Condvar)>);

#[derive(Default)]
struct Told {
    octets: Vec<u8>,
    is_over: bool,
}

/// How a program ended.
pub struct Over {
    pub status: ExitStatus,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl Over {
    /// Its exit status; minus the signal that ended it.
    pub fn code(&self) -> i32 {
        self.status.code().or(self.status.signal().map(|signal| -signal)).unwrap()
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.err).into_owned()
    }

    /// The rows for programs.
    pub fn rows(&self) -> Vec<serde_json::Value> {
        self.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Starts `siplens live` at `place`; it captures from its end of the wire when this returns.
pub fn live(place: &Place, args: &[&str]) -> Running {
    live_as(place, args, &[])
}

/// The same from `interfaces`, with commas between.
pub fn live_on(place: &Place, interfaces: &str, args: &[&str]) -> Running {
    let running = Running::start(&mut live_command(place, interfaces, args));
    running.until_err("watching");
    running
}

/// The same with variables in its environment.
pub fn live_as(place: &Place, args: &[&str], environment: &[(&str, &str)]) -> Running {
    let mut command = live_command(place, &place.interface, args);
    let running = Running::start(command.envs(environment.iter().copied()));
    running.until_err("watching");
    running
}

/// The same with nobody who reads what it prints but the caller.
pub fn live_unheard(place: &Place, args: &[&str]) -> (Running, ChildStdout) {
    let (running, out) = Running::start_unheard(&mut live_command(place, &place.interface, args));
    running.until_err("watching");
    (running, out)
}

fn live_command(place: &Place, interfaces: &str, args: &[&str]) -> Command {
    let mut command = place.command(env!("CARGO_BIN_EXE_siplens"));
    command.env("TZ", "UTC").args(["live", "-i", interfaces]).args(args);
    for name in ["NO_COLOR", "PAGER", "SIPLENS_PAGER", "COLUMNS", "SUDO_UID", "SUDO_GID"] {
        command.env_remove(name);
    }
    command
}

impl Running {
    /// Starts `command`, and reads what it writes.
    pub fn start(command: &mut Command) -> Self {
        let (running, out) = Self::start_unheard(command);
        running.out.listen(out);
        running
    }

    /// Starts `command`; its stdout is for the caller to read, or not.
    pub fn start_unheard(command: &mut Command) -> (Self, ChildStdout) {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (Heard::default(), Heard::default());
        err.listen(child.stderr.take().unwrap());
        out.0.0.lock().unwrap().is_over = true;
        let stdout = child.stdout.take().unwrap();
        (Self { child, out, err }, stdout)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `text` stands on stdout.
    pub fn until_out(&self, text: &str) -> String {
        self.out.until(text, |all| all.contains(text))
    }

    /// Waits until `text` stands on stderr.
    pub fn until_err(&self, text: &str) -> String {
        self.err.until(text, |all| all.contains(text))
    }

    /// Waits until what stands on stdout is as `is` says; `what` names it.
    pub fn until_out_is(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        self.out.until(what, is)
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it ended by itself.
    pub fn over(mut self) -> Over {
        let status = eventually("the end of the program", || self.child.try_wait().unwrap());
        Over { status, out: self.out.all(), err: self.err.all() }
    }

    /// Ends it as Ctrl-C does.
    pub fn interrupt(self) -> Over {
        self.signal(Signal::SIGINT);
        self.over()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_over() {
            return;
        }
        // Not each has a group of its own.
        let _ = killpg(Pid::from_raw(self.child.id() as i32), Signal::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Heard {
    fn listen(&self, mut stream: impl Read + Send + 'static) {
        let heard = self.clone();
        heard.0.0.lock().unwrap().is_over = false;
        thread::spawn(move || {
            let mut buffer = [0; 1 << 12];
            loop {
                let read = stream.read(&mut buffer).unwrap_or(0);
                let mut told = heard.0.0.lock().unwrap();
                told.octets.extend(&buffer[..read]);
                told.is_over = read == 0;
                heard.0.1.notify_all();
                if read == 0 {
                    break;
                }
            }
        });
    }

    fn until(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let (told, changed) = &*self.0;
        let mut told = told.lock().unwrap();
        let until = Instant::now() + DEADLINE;
        loop {
            let text = String::from_utf8_lossy(&told.octets).into_owned();
            if is(&text) {
                return text;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!told.is_over && !left.is_zero(), "waited for {what}, in vain, in: {text}");
            told = changed.wait_timeout(told, left).unwrap().0;
        }
    }

    /// All of it, to its end.
    fn all(&self) -> Vec<u8> {
        let (told, changed) = &*self.0;
        let mut told = told.lock().unwrap();
        let until = Instant::now() + DEADLINE;
        while !told.is_over && Instant::now() < until {
            told = changed.wait_timeout(told, DEADLINE).unwrap().0;
        }
        told.octets.clone()
    }
}

/// Asks again and again until there is an answer.
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "waited for {what}, in vain");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The sum of a family of numbers that a run at `place` serves at port 9464; it publishes them once
/// a second.
pub fn metric(place: &Place, name: &str) -> u64 {
    let page = place.within(|| -> std::io::Result<String> {
        let mut stream = TcpStream::connect("127.0.0.1:9464")?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    });
    let page = page.unwrap_or_default();
    let of_family =
        |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
    let values = page.lines().filter(of_family).filter_map(|line| line.rsplit(' ').next());
    values.map(|value| value.parse::<u64>().unwrap()).sum()
}

//! Where output goes: a file, a pipe, a terminal, a pager; and how it may look there.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::Context as _;
use jiff::tz::TimeZone;

use super::args::{OutputArgs, When};
use crate::view::{Charset, Coloring, Style, TimeStyle};

/// Columns of a drawing that goes to no terminal.
pub(super) const WIDTH: usize = 120;

/// Where one command writes. Dropped or [closed](Sink::close), it waits for its pager.
pub struct Sink {
    writer: Writer,
    /// Whether colors may be used.
    pub color: bool,
    /// Columns there are; `None` for what goes to no terminal.
    pub width: Option<usize>,
}

enum Writer {
    /// A file, and whether it is a new one.
    File(BufWriter<File>, Origin),
    Stdout(BufWriter<io::Stdout>),
    Pager(Child, Option<BufWriter<ChildStdin>>),
}

/// Whether a file was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    New,
    Old,
}

/// Whether a command's output is read to its end before it is acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// Long text for people: paged on a terminal.
    Allowed,
    /// Rows as they come, or output for programs.
    Never,
}

impl Sink {
    /// Opens what `options` name.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(options: &OutputArgs, paging: Paging) -> anyhow::Result<Self> {
        if let Some(path) = &options.output {
            let (file, origin) =
                create(path).with_context(|| format!("cannot write {}", path.display()))?;
            let color = options.color == When::Always;
            let width = options.width.map(usize::from);
            return Ok(Self { writer: Writer::File(BufWriter::new(file), origin), color, width });
        }
        let terminal = io::stdout().is_terminal();
        let color = match options.color {
            When::Always => true,
            When::Never => false,
            When::Auto => terminal && !is_set("NO_COLOR") && !is_dumb(),
        };
        let width = options.width.map(usize::from);
        let width = width.or_else(|| terminal.then(terminal_width).flatten());
        let paged = terminal && paging == Paging::Allowed && !options.no_pager;
        let writer = paged.then(pager).flatten();
        let writer = writer
            .unwrap_or_else(|| Writer::Stdout(BufWriter::with_capacity(1 << 16, io::stdout())));
        Ok(Self { writer, color, width })
    }

    /// How rows are written here: what goes to a file or a pipe is not cut.
    pub fn row_style(&self, options: &OutputArgs) -> Style {
        Style { width: self.width.unwrap_or(Style::UNBOUNDED), ..self.style(options) }
    }

    /// How output is drawn here.
    pub fn style(&self, options: &OutputArgs) -> Style {
        Style {
            width: self.width.unwrap_or(WIDTH),
            charset: if options.ascii { Charset::Ascii } else { Charset::Unicode },
            coloring: if self.color { Coloring::ByClass } else { Coloring::None },
            time: time_style(options),
        }
    }

    /// The file it goes to, if it was made for that.
    pub fn file(&self) -> Option<&File> {
        match &self.writer {
            Writer::File(file, Origin::New) => Some(file.get_ref()),
            Writer::File(..) | Writer::Stdout(_) | Writer::Pager(..) => None,
        }
    }

    /// Writes what is held back, and waits until the pager is left.
    ///
    /// # Errors
    /// When writing fails; a broken pipe among them.
    pub fn close(mut self) -> io::Result<()> {
        self.flush()?;
        if let Writer::Pager(child, stdin) = &mut self.writer {
            drop(stdin.take());
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Writer::Pager(child, stdin) = &mut self.writer {
            drop(stdin.take());
            // The pager's own exit status says nothing about us.
            let _ = child.wait();
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.writer {
            Writer::File(file, _) => file.write(bytes),
            Writer::Stdout(stdout) => stdout.write(bytes),
            Writer::Pager(_, Some(stdin)) => stdin.write(bytes),
            Writer::Pager(_, None) => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.writer {
            Writer::File(file, _) => file.flush(),
            Writer::Stdout(stdout) => stdout.flush(),
            Writer::Pager(_, Some(stdin)) => stdin.flush(),
            Writer::Pager(_, None) => Ok(()),
        }
    }
}

/// Makes the file `path`, or empties it when it is there.
fn create(path: &Path) -> io::Result<(File, Origin)> {
    match File::create_new(path) {
        Ok(file) => Ok((file, Origin::New)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            File::create(path).map(|file| (file, Origin::Old))
        }
        Err(error) => Err(error),
    }
}

/// Whether two paths name one file, be it by links, be it one that is still to be made.
pub(super) fn is_same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.is_file() && identity(&one) == identity(&other),
        (Err(_), Err(_)) => {
            let place = |path: &Path| {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new(".")).canonicalize();
                Some((folder.ok()?, path.file_name()?.to_owned()))
            };
            place(one).is_some_and(|one| Some(one) == place(other))
        }
        _ => false,
    }
}

#[cfg(unix)]
fn identity(about: &fs::Metadata) -> impl PartialEq {
    use std::os::unix::fs::MetadataExt as _;
    (about.dev(), about.ino())
}

#[cfg(not(unix))]
fn identity(about: &fs::Metadata) -> impl PartialEq {
    (about.created().ok(), about.len())
}

/// How times are written.
pub(super) fn time_style(options: &OutputArgs) -> TimeStyle {
    if options.utc { TimeStyle::Utc } else { TimeStyle::Zone(TimeZone::system()) }
}

/// Starts the user's pager, or less; `None` when there is none to start.
fn pager() -> Option<Writer> {
    let words = env::var("SIPLENS_PAGER").or_else(|_| env::var("PAGER"));
    let words = words.unwrap_or_else(|_| "less".to_owned());
    let mut words = words.split_whitespace();
    let program = words.next().filter(|program| *program != "cat")?;
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped());
    if env::var_os("LESS").is_none() {
        // Quit when it fits on the screen, pass colors, chop long lines, leave the text there.
        command.env("LESS", "FRSX");
    }
    let mut child = command.spawn().ok()?;
    let stdin = child.stdin.take().map(BufWriter::new);
    Some(Writer::Pager(child, stdin))
}

/// True for an environment variable that is set to something.
fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// True for a terminal that shows text and nothing else.
fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

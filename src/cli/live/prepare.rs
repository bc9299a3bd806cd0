//! Opens all that a live run needs, and gives up the rights that took.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::super::output::{Paging, Sink};
use super::super::run::add_key_logs;
use super::args::LiveArgs;
use super::metrics::{Listener, Page};
#[cfg(unix)]
use super::privileges;
use super::source::Opened;
use super::watch::say;
use crate::capture::write::Savefile;
use crate::engine::{Plan, Reader};

/// All that is open.
pub(super) struct Prepared {
    /// Reads frames, and knows the key logs.
    pub(super) reader: Reader,
    /// Where the output goes.
    pub(super) sink: Sink,
    /// What is watched.
    pub(super) opened: Opened,
    /// Where numbers are published.
    pub(super) page: Option<Page>,
    /// Where packets are kept.
    pub(super) savefile: Option<Savefile>,
}

impl Prepared {
    /// Opens what `args` name, in the order that leaves no stranger's octet to a process with
    /// rights: files, devices and sockets, then the rights go, then threads may start.
    ///
    /// # Errors
    /// When something cannot be opened, or root cannot be given up.
    pub(super) fn of(
        args: &LiveArgs,
        plan: &Plan,
        interrupted: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let mut reader = Reader::new(&plan.limits);
        add_key_logs(&mut reader, &args.source.keylog)?;
        let sink = Sink::open(&args.output, Paging::Never)?;
        let opened = Opened::of(&args.source, interrupted)?;
        say(&opened.notes, args.output.quiet);
        let listener = args.metrics.as_deref().map(Listener::bind).transpose()?;
        let savefile = savefile(args)?;
        give_up_rights(args, &sink, savefile.as_ref())?;
        let page = listener.map(Listener::serve).transpose()?;
        Ok(Self { reader, sink, opened, page, savefile })
    }
}

/// The file of `-w`.
fn savefile(args: &LiveArgs) -> anyhow::Result<Option<Savefile>> {
    let Some(write) = &args.keep.write else { return Ok(None) };
    anyhow::ensure!(write.as_os_str() != "-", "-w -: packets go to files, rows to standard output");
    if let Some(follow) = &args.source.follow {
        let place = |path: &Path| path.canonicalize().ok();
        let is_same = place(write).is_some_and(|write| Some(write) == place(follow));
        anyhow::ensure!(!is_same, "-w {} is what --follow reads", write.display());
    }
    Ok(Some(Savefile::create(write, args.keep.ring)?))
}

/// From here on nothing is opened any more but what was named.
#[cfg(unix)]
fn give_up_rights(args: &LiveArgs, sink: &Sink, savefile: Option<&Savefile>) -> anyhow::Result<()> {
    let quiet = args.output.quiet;
    let directory = savefile.and_then(Savefile::directory);
    let kept = savefile.and_then(Savefile::file);
    let wanted = privileges::Wanted {
        user: args.source.successor.as_deref(),
        readable: args.source.follow.iter().map(|path| directory_of(path)).collect(),
        writable: directory.into_iter().map(Path::to_owned).collect(),
        outputs: sink.file().into_iter().chain(kept).collect(),
    };
    let told = privileges::give_up(&wanted)?;
    say(&told.notes, quiet);
    if 0 < args.output.verbose {
        say(&Vec::from_iter(told.lacking), quiet);
    }
    Ok(())
}

/// Where another file may take the place of `path`.
#[cfg(unix)]
fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(not(unix))]
fn give_up_rights(_: &LiveArgs, _: &Sink, _: Option<&Savefile>) -> anyhow::Result<()> {
    Ok(())
}

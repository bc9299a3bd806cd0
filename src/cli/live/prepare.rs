//! Opens all that a live run needs, and gives up the rights that took.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::super::output::{Paging, Sink, is_same_file};
use super::args::LiveArgs;
use super::budget::Budget;
use super::metrics::{Listener, Page};
#[cfg(unix)]
use super::privileges;
use super::secrets;
use super::source::Opened;
use super::watch::say;
use crate::capture::write::Savefile;
use crate::engine::Reader;

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
        budget: &Budget,
        interrupted: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        keep_apart(args)?;
        let mut reader = Reader::new(&budget.reading);
        secrets::add(&mut reader, &args.source.keylog, args.output.quiet)?;
        let sink = Sink::open(&args.output, Paging::Never)?;
        let opened = Opened::of(&args.source, budget.unfinished, interrupted)?;
        say(&opened.notes, args.output.quiet);
        let listener = args.metrics.as_deref().map(Listener::bind).transpose()?;
        let savefile = savefile(args)?;
        give_up_rights(args, &sink, savefile.as_ref())?;
        let page = listener.map(Listener::serve).transpose().context("cannot serve metrics")?;
        Ok(Self { reader, sink, opened, page, savefile })
    }
}

/// Refuses to write where something is read, or two things to one file.
fn keep_apart(args: &LiveArgs) -> anyhow::Result<()> {
    let named = |name, path: Option<&PathBuf>| path.map(|path| (name, path.clone()));
    // A ring writes to files of other names.
    let kept = args.keep.write.as_ref().filter(|_| args.keep.ring.is_none());
    let written = [named("-o", args.output.output.as_ref()), named("-w", kept)];
    let written: Vec<_> = written.into_iter().flatten().collect();
    let mut others: Vec<_> = args.source.keylog.iter().map(|path| ("--keylog", path)).collect();
    others.extend(args.source.follow.iter().map(|path| ("--follow", path)));
    others.extend(args.policy.policy.iter().map(|path| ("--policy", path)));
    others.extend(written.iter().skip(1).map(|(name, path)| (*name, path)));
    for (name, path) in &written {
        let same = others.iter().find(|(other, place)| other != name && is_same_file(path, place));
        if let Some((other, place)) = same {
            anyhow::bail!(
                "{name} {} and {other} {} are the same file",
                path.display(),
                place.display()
            );
        }
    }
    Ok(())
}

/// The file of `-w`.
fn savefile(args: &LiveArgs) -> anyhow::Result<Option<Savefile>> {
    let Some(write) = &args.keep.write else { return Ok(None) };
    anyhow::ensure!(write.as_os_str() != "-", "-w -: packets go to files, rows to standard output");
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
        reopened: args.source.follow.iter().cloned().collect(),
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

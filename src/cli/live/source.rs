//! Opens what is watched, while the rights to do so are still there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, bail, ensure};

use super::super::{harmless, zone};
use super::args::SourceArgs;
#[cfg(unix)]
use super::drops::HEP;
#[cfg(unix)]
use crate::capture::live::HepListener;
use crate::capture::live::{Captor, Device, Live, Shares, Tuning, interfaces, of_source};
use crate::capture::{Capture, Error, Filter, Following, Input, Options};

/// What is open and not read yet.
#[derive(Default)]
pub(super) struct Opened {
    captors: Vec<Captor>,
    /// What the inputs are called, in the order in which frames name them.
    pub(super) names: Vec<String>,
    /// The same in words.
    pub(super) watched: Vec<String>,
    /// What the system calls its interfaces, by its numbers for them.
    devices: BTreeMap<u32, String>,
    /// Sentences for the user.
    pub(super) notes: Vec<String>,
}

impl Opened {
    /// Opens what `args` name. Up to `unfinished` octets are held of packets of HEP that are not whole.
    ///
    /// # Errors
    /// When one of them cannot be opened, with what to do about it.
    pub(super) fn of(
        args: &SourceArgs,
        unfinished: usize,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let words = args.filter_words();
        ensure!(
            args.bpf.is_none() || words.is_empty(),
            "--bpf and {:?}: write the packet filter in one place",
            words.join(" ")
        );
        let mut opened = Self::default();
        #[cfg(unix)]
        opened.add_agents(args, unfinished)?;
        // Last, for what comes so may have any number of interfaces.
        if args.is_pipe() {
            ensure!(
                args.interface.is_empty() && args.follow.is_none(),
                "- is standard input: not beside -i or --follow"
            );
            opened.add_pipe(args)?;
        } else if let [word] = args.words.as_slice() {
            is_no_filter(word)?;
        }
        if let Some(path) = &args.follow {
            opened.add_growing(path, args, stop)?;
        }
        if opened.captors.is_empty() || !args.interface.is_empty() {
            opened.add_devices(args)?;
            opened.devices = devices();
        }
        Ok(opened)
    }

    /// Starts to capture; `shares` are what may be held of frames.
    ///
    /// # Errors
    /// When the system allows no more threads.
    pub(super) fn start(self, shares: Shares) -> io::Result<Live> {
        Ok(Live::start(self.captors, self.names, shares)?.knowing(self.devices))
    }

    fn add_pipe(&mut self, args: &SourceArgs) -> anyhow::Result<()> {
        let capture = Capture::open(&[Input::Stdin], options(args)?);
        self.captors.push(of_source(capture, self.names.len() as u32));
        self.names.push("-".to_owned());
        self.watched.push("standard input".to_owned());
        Ok(())
    }

    fn add_growing(
        &mut self,
        path: &Path,
        args: &SourceArgs,
        stop: &Arc<AtomicBool>,
    ) -> anyhow::Result<()> {
        let mut next = Some(options(args)?);
        let again = args.clone();
        let following = Following::open(path, Arc::clone(stop), move || {
            // It was understood before.
            next.take().or_else(|| options(&again).ok()).unwrap_or_default()
        })?;
        self.captors.push(of_source(following, self.names.len() as u32));
        let name = harmless(&path.display().to_string());
        self.watched.push(format!("{name} from its beginning"));
        self.names.push(name);
        Ok(())
    }

    #[cfg(unix)]
    fn add_agents(&mut self, args: &SourceArgs, unfinished: usize) -> anyhow::Result<()> {
        let Some(address) = args.hep_listen else { return Ok(()) };
        let listener = HepListener::bind(address, args.hep_rate, args.buffer as usize)?;
        self.captors.extend(listener.captors(self.names.len() as u32, unfinished));
        self.names.push(format!("{HEP}{}", address.0));
        self.watched.push(format!("HEP at {}", address.0));
        Ok(())
    }

    fn add_devices(&mut self, args: &SourceArgs) -> anyhow::Result<()> {
        let tuning = Tuning {
            filter: args.packet_filter(),
            snap_length: args.snaplen,
            buffer: args.buffer,
            immediate: args.immediate,
            promiscuous: args.promiscuous,
        };
        let any = ["any".to_owned()];
        let names = if args.interface.is_empty() { &any[..] } else { &args.interface };
        for name in names {
            if self.names.contains(&harmless(name)) {
                bail!("-i {name}: named twice");
            }
            let device = Device::open(name, &tuning).map_err(|error| match error {
                Error::NoRights { .. } => {
                    anyhow::anyhow!("{error}; {}", how_to_get_rights())
                }
                error => error.into(),
            })?;
            for note in device.notes() {
                if !self.notes.contains(note) {
                    self.notes.push(note.clone());
                }
            }
            self.captors.push(device.captor(self.names.len() as u32));
            self.names.push(harmless(name));
            self.watched.push(harmless(name));
        }
        Ok(())
    }
}

/// The interfaces there are, by the numbers that packets of `any` bear.
#[cfg(unix)]
fn devices() -> BTreeMap<u32, String> {
    let all = nix::net::if_::if_nameindex();
    let named =
        |one: &nix::net::if_::Interface| (one.index(), one.name().to_string_lossy().into_owned());
    all.map(|all| all.iter().map(named).collect()).unwrap_or_default()
}

#[cfg(not(unix))]
fn devices() -> BTreeMap<u32, String> {
    BTreeMap::new()
}

#[cfg(unix)]
use super::privileges::how_to_get_rights;

#[cfg(not(unix))]
fn how_to_get_rights() -> &'static str {
    "run it as an administrator"
}

/// How a capture that comes is read.
fn options(args: &SourceArgs) -> anyhow::Result<Options> {
    let filter = args.packet_filter().map(|text| Filter::new(&text)).transpose()?;
    let log_zone = args.tz.clone().unwrap_or_else(jiff::tz::TimeZone::system);
    Ok(Options { filter, log_zone: Some(zone::clocks(log_zone)) })
}

/// Says what was meant by a single word that is no packet filter: a file, an interface.
fn is_no_filter(word: &str) -> anyhow::Result<()> {
    let is_path = word.contains(['.', '/']) && Path::new(word).exists();
    ensure!(
        !is_path,
        "live watches what happens: {word} is read by siplens messages, list, check …; a file that \
         still grows by siplens live --follow {word}"
    );
    let is_interface = word == "any"
        || interfaces().is_ok_and(|all| all.iter().any(|interface| interface.name == word));
    ensure!(!is_interface, "{word} is an interface: siplens live -i {word}");
    if let Err(error) = Filter::new(word) {
        bail!("{error}. Interfaces are named with -i (siplens live -D lists them)");
    }
    Ok(())
}

/// `--interfaces`: one row each.
///
/// # Errors
/// When the system does not tell.
pub(super) fn list() -> anyhow::Result<String> {
    let all = interfaces().context("--interfaces")?;
    let widest = all.iter().map(|interface| interface.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for interface in all {
        let state = if interface.up { "up" } else { "down" };
        let mut about: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        about.extend(interface.description);
        let name = &interface.name;
        let line = format!("{name:widest$}  {state:4}  {}", about.join("  "));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    Ok(text)
}

//! The words of `siplens live`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum, ValueHint};

use super::super::args::{ChoiceArgs, FailOn, OutputArgs, RuleArgs, size_of};
use super::super::audit::args::PolicyArgs;
use super::super::audit::values::span;
use super::budget::LEAST;
use super::terminal::has_second_screen;
#[cfg(unix)]
use crate::capture::live::{HEP_RATE, HepAddress};
use crate::capture::write::Ring;
use crate::engine::keeping::Keep;

/// Options of `live`.
#[derive(Debug, Args)]
pub struct LiveArgs {
    /// What is watched.
    #[command(flatten)]
    pub source: SourceArgs,
    /// What is shown.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Which packets are kept.
    #[command(flatten)]
    pub keep: KeepArgs,
    /// When it ends.
    #[command(flatten)]
    pub end: EndArgs,
    /// Serve counters for Prometheus: a port on loopback, or an address and a port
    #[arg(long, value_name = "ADDR", help_heading = "Means")]
    pub metrics: Option<String>,
    /// Memory of the whole program, 16M at least; settled calls that do not fit are let go, and
    /// counted
    #[arg(long, value_name = "SIZE", value_parser = memory_of, default_value = "512M")]
    #[arg(help_heading = "Means")]
    pub memory: usize,
    /// Which calls.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The rules to apply.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// What is expected of devices.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// How it looks.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What tcpdump has.
    #[command(flatten)]
    pub habits: HabitArgs,
}

impl LiveArgs {
    /// True when calls are drawn on the terminal's second screen.
    pub(super) fn is_drawn(&self) -> bool {
        let is_text = self.show.format == LiveFormat::Text;
        self.show.list && is_text && self.output.output.is_none() && has_second_screen()
    }
}

/// What is watched.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// A packet filter, as with --bpf. One that begins with - is for a capture that is read from
    /// standard input as it comes: ssh host tcpdump -U -w - | siplens live -
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,
    /// Interfaces to capture from, with commas between; any is all of them, and what is taken
    /// unless given
    #[arg(short = 'i', long, value_name = "IFACE", value_delimiter = ',')]
    pub interface: Vec<String>,
    /// List the interfaces there are, and end
    #[arg(short = 'D', long)]
    pub interfaces: bool,
    /// Read a capture file, or a log, that another program is still writing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(conflicts_with = "interface")]
    pub follow: Option<PathBuf>,
    /// Take what agents report in HEP, over UDP and TCP: a port on loopback, or an address and a port
    #[cfg(unix)]
    #[arg(long, value_name = "ADDR")]
    pub hep_listen: Option<HepAddress>,
    /// Reports of one agent that are taken in a second; beyond, they are counted
    #[cfg(unix)]
    #[arg(long, value_name = "N", default_value_t = HEP_RATE, requires = "hep_listen")]
    pub hep_rate: u32,
    /// Packet filter in the language of tcpdump, run by the kernel
    #[arg(long, value_name = "EXPR", conflicts_with = "bpf_words")]
    pub bpf: Option<String>,
    /// Packet filter, as with --bpf
    #[arg(last = true, value_name = "BPF")]
    pub bpf_words: Vec<String>,
    /// Octets captured of each packet; 0 is all, as it is with tcpdump
    #[arg(short = 's', long, value_name = "N", default_value_t = SNAPLEN)]
    #[arg(value_parser = snaplen_of)]
    pub snaplen: u32,
    /// Buffer of the kernel for each interface, and for HEP over UDP
    #[arg(short = 'B', long, value_name = "SIZE", value_parser = buffer_of)]
    #[arg(default_value = "32M")]
    pub buffer: u32,
    /// Hand each packet over at once, not in blocks every 100 ms; costs more, and loses sooner
    #[arg(long)]
    pub immediate: bool,
    /// See packets for other hosts too
    #[arg(long)]
    pub promiscuous: bool,
    /// Whom to become once all is open, by name or number; unless given, who called sudo, or nobody.
    /// root stays root
    #[arg(id = "become", short = 'Z', long = "user", value_name = "USER")]
    pub successor: Option<String>,
    /// TLS secrets of the connections (SSLKEYLOGFILE format)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub keylog: Vec<PathBuf>,
    /// Zone of the times in a followed log that names none
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    #[arg(value_parser = super::super::zone::parse)]
    pub tz: Option<jiff::tz::TimeZone>,
}

impl SourceArgs {
    /// True when more than one thread captures, each in its own time.
    pub fn is_several(&self) -> bool {
        // Agents are heard over UDP and TCP.
        if self.hears_agents() {
            return true;
        }
        let others = usize::from(self.is_pipe()) + usize::from(self.follow.is_some());
        1 < others + self.interface.len()
    }

    /// True when all packets are captured by this machine, now.
    pub fn is_local(&self) -> bool {
        !self.hears_agents() && self.is_of_now()
    }

    /// True when agents may report what they see.
    pub fn hears_agents(&self) -> bool {
        #[cfg(unix)]
        let hears = self.hep_listen.is_some();
        #[cfg(not(unix))]
        let hears = false;
        hears
    }

    /// True when all frames bear the time of this machine; a pipe or a file may be a replay.
    pub fn is_of_now(&self) -> bool {
        !self.is_pipe() && self.follow.is_none()
    }

    /// True when a capture is read from standard input.
    pub fn is_pipe(&self) -> bool {
        self.words.first().is_some_and(|word| word == "-")
    }

    /// The packet filter: of `--bpf`, or of the words.
    pub fn packet_filter(&self) -> Option<String> {
        let words = self.filter_words();
        self.bpf.clone().or_else(|| (!words.is_empty()).then(|| words.join(" ")))
    }

    /// The words of a packet filter that stand without an option.
    pub(super) fn filter_words(&self) -> Vec<&str> {
        let words = self.words.iter().skip(usize::from(self.is_pipe())).chain(&self.bpf_words);
        words.map(String::as_str).collect()
    }
}

/// What fingers add that know tcpdump. All but -A are as they are anyway.
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the command line.
pub struct HabitArgs {
    /// Names are never looked up
    #[arg(short = 'n', action = ArgAction::Count, hide = true)]
    pub numeric: u8,
    /// The text of messages: -v
    #[arg(short = 'A', hide = true)]
    pub ascii_text: bool,
    /// Lines are written at once
    #[arg(short = 'l', hide = true)]
    pub line_buffered: bool,
    /// So are packets
    #[arg(short = 'U', hide = true)]
    pub packet_buffered: bool,
    /// Packets for other hosts are not asked for
    #[arg(short = 'p', hide = true, conflicts_with = "promiscuous")]
    pub not_promiscuous: bool,
}

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Show")]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the command line.
pub struct ShowArgs {
    /// A table of calls that refreshes; the whole of it at the end
    #[arg(long, group = "view")]
    pub list: bool,
    /// Protocol violations as they become certain; all of them at the end
    #[arg(long, group = "view")]
    pub check: bool,
    /// The ladder of each call when it has ended
    #[arg(long, group = "view")]
    pub ladder: bool,
    /// What happens to registrations: LAPSE, OFFLINE, STORM, BACK …; the audit at the end
    #[arg(long, group = "view")]
    pub registrations: bool,
    /// Lowest severity of a violation that makes the exit status 1, with --check
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// How to print; ndjson is one object per line
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: LiveFormat,
}

impl ShowArgs {
    /// True when single messages are shown.
    pub const fn is_of_messages(&self) -> bool {
        !(self.list || self.check || self.ladder || self.registrations)
    }
}

/// Which packets are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Keep")]
pub struct KeepArgs {
    /// Write packets to this file, as pcapng; it can be read at any time
    #[arg(short = 'w', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub write: Option<PathBuf>,
    /// Which packets: sip, calls (those the filter lets through, with their RTP), all
    #[arg(long, value_name = "WHAT", default_value = "all", requires = "write")]
    pub keep: Keep,
    /// Begin a new file by size or time, and keep so many: 10x100MB, 24x1h, 10x100MB,1h
    #[arg(long, value_name = "RING", requires = "write")]
    pub ring: Option<Ring>,
}

/// When it ends.
#[derive(Debug, Args)]
#[command(next_help_heading = "End")]
pub struct EndArgs {
    /// Stop after this many SIP messages that the filter lets through
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop after this time: 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration_of)]
    pub duration: Option<Duration>,
    /// Stop when the first call that the filter lets through has ended, 5 s after its last message:
    /// answers and copies may be on their way until then
    #[arg(long)]
    pub exit_after_call: bool,
}

/// Formats of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LiveFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Ndjson,
}

/// Octets of a packet as long as any.
const SNAPLEN: u32 = 262_144;

fn snaplen_of(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Ok(SNAPLEN),
        Ok(length @ 64..=SNAPLEN) => Ok(length),
        _ => Err(format!("expected 64 to {SNAPLEN}, or 0 for all")),
    }
}

fn memory_of(text: &str) -> Result<usize, String> {
    let octets = size_of(text)?;
    if octets < LEAST {
        return Err(format!("less than {}M leaves no room for calls", LEAST >> 20));
    }
    Ok(octets)
}

fn buffer_of(text: &str) -> Result<u32, String> {
    let octets = size_of(text)?;
    let fits = |octets: &u32| (1 << 16..=i32::MAX.cast_unsigned()).contains(octets);
    u32::try_from(octets).ok().filter(fits).ok_or_else(|| "expected 64K to 2047M".to_owned())
}

fn duration_of(text: &str) -> Result<Duration, String> {
    span(text).map(|nanos| Duration::from_nanos(nanos.unsigned_abs()))
}

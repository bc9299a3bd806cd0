//! How `--memory` is shared out, so that the whole process stays within it.
//!
//! Each store has a share and counts what it takes by what the allocator gives it. What is left
//! over is for the program itself and for the holes the allocator leaves.

use super::args::LiveArgs;
use crate::capture::live::Shares;
use crate::engine::keeping::Keep;
use crate::limits::Limits;
use crate::time::SECOND;

/// The least that may be allowed: less leaves no room for calls beside a flood.
pub(super) const LEAST: usize = 16 << 20;

/// The parts that memory is shared out in.
const PARTS: usize = 64;
/// For the program itself, and for what the allocator rounds up or does not give back.
const SLACK: usize = 8;
/// For frames that wait for the reader; as much is being read.
const QUEUE: usize = 2;
/// For frames of several interfaces that wait to be put in order.
const ORDER: usize = 4;
/// For packets of HEP over TCP that are not whole, and for those who send HEP.
const UNFINISHED: usize = 1;
const AGENTS: usize = 2;
/// For TCP connections, and for octets that wait in them.
const CONNECTIONS: usize = 4;
const STREAMS: usize = 4;
/// For fragments of datagrams; as much is for those of SCTP.
const FRAGMENTS: usize = 1;
/// For what is remembered by name alone.
const NAMES: usize = 4;
/// For what the rules said of calls that were let go, and for the summary at the end.
const REPORTS: usize = 4;
/// For the numbers of registrations that `--metrics` serves beside another view.
const NUMBERS: usize = 8;
/// For packets of which it is not known yet whether they are kept.
const KEPT: usize = 8;
/// For calls of which `--exit-after-call` awaits the end.
const AWAITED: usize = 4;

/// Octets of frames that wait, at most: more helps no further.
const LONGEST_QUEUE: usize = 32 << 20;
/// Octets of a TCP connection beside what waits in it.
const CONNECTION: usize = 1 << 10;
/// Octets of a name, in all the places where one is remembered.
const NAME: usize = 512;
/// Octets of a message whose copies would be known, and of a call that is followed.
const COPY: usize = 320;
const FOLLOWED: usize = 128;
/// Octets of `--memory` for each device that is told apart.
const DEVICE: usize = 8 << 10;
/// Messages of one flow that are held: what lasts longer begins anew.
const FLOW_MESSAGES: usize = 10_000;

/// How late the report of a capture agent may be, nanoseconds: it may have lost its connection.
const REPORT_DELAY: i64 = 30 * SECOND;

/// What each part of a live run may hold.
pub(super) struct Budget {
    /// Frames on their way.
    pub(super) frames: Shares,
    /// Octets of packets of HEP over TCP that are not whole.
    pub(super) unfinished: usize,
    /// Who reads them.
    pub(super) reading: Limits,
    /// What is shown: calls, or registrations.
    pub(super) shown: Limits,
    /// The numbers of registrations beside it.
    pub(super) numbers: Limits,
    /// Calls whose end is awaited.
    pub(super) awaited: Limits,
    /// Octets of packets that are not decided.
    pub(super) kept: usize,
    /// Messages whose copies are known, where messages are not held.
    pub(super) copies: u32,
    /// Calls that are followed, likewise.
    pub(super) followed: usize,
    /// Findings that are known to have been told.
    pub(super) told: usize,
}

impl Budget {
    /// Shares `--memory` out among what `args` ask for.
    pub(super) fn of(args: &LiveArgs) -> Self {
        let part = args.memory / PARTS;
        let when = |is: bool, parts: usize| if is { parts } else { 0 };
        let order = when(args.source.is_several(), ORDER);
        let agents = when(args.source.hears_agents(), UNFINISHED + AGENTS);
        let numbers = when(args.metrics.is_some() && !args.show.registrations, NUMBERS);
        let kept = when(args.keep.write.is_some() && args.keep.keep != Keep::All, KEPT);
        let awaited = when(args.end.exit_after_call, AWAITED);
        let always = SLACK + 2 * QUEUE + CONNECTIONS + STREAMS + 2 * FRAGMENTS + NAMES + REPORTS;
        let shown = PARTS - always - order - agents - numbers - kept - awaited;
        let usual = Limits::default();
        let least = |limit: usize, octets: usize| limit.min(octets);
        let common = Limits {
            flow_messages: FLOW_MESSAGES,
            devices: args.memory / DEVICE,
            names: least(usual.names, NAMES * part / NAME),
            signs: least(usual.names, NAMES * part / NAME),
            report_delay: if args.source.is_of_now() { REPORT_DELAY } else { i64::MAX },
            ..usual.clone()
        };
        let of_calls = |parts: usize| Limits { memory: parts * part, ..common.clone() };
        Self {
            frames: Shares {
                queue: least(LONGEST_QUEUE, QUEUE * part),
                order: least(LONGEST_QUEUE, order * part),
            },
            unfinished: UNFINISHED * part,
            reading: Limits {
                // A quarter is for TCP.
                memory: 4 * STREAMS * part,
                streams: least(usual.streams, 2 * CONNECTIONS * part / CONNECTION),
                stream_bytes: least(usual.stream_bytes, 2 * part),
                fragments: least(usual.fragments, FRAGMENTS * part / 512),
                fragment_bytes: least(usual.fragment_bytes, FRAGMENTS * part),
                tls: least(usual.tls, CONNECTIONS * part / CONNECTION),
                inflate: least(usual.inflate, 2 * part),
                ..common.clone()
            },
            shown: of_calls(shown),
            numbers: of_calls(numbers),
            awaited: of_calls(awaited),
            kept: kept * part,
            copies: u32::try_from(shown * part / 2 / COPY).unwrap_or(u32::MAX),
            followed: shown * part / 4 / FOLLOWED,
            told: least(usual.names, 4 * NAMES * part / NAME),
        }
    }
}

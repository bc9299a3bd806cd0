//! What may be held, and what was let go: the bounds of every store and the counters of every loss.

use std::collections::BTreeMap;

/// The bounds of every store. Printed in docs/limits.md, each with the test that proves it.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of private memory that messages, streams and fragments may hold together.
    pub memory: usize,
    /// Octets of one SIP message; a longer one is counted and skipped.
    pub message: usize,
    /// TCP connections (directions) tracked at once.
    pub streams: usize,
    /// Octets one direction of a TCP connection may hold while it waits for a gap to fill.
    pub stream_bytes: usize,
    /// Datagrams in reassembly at once.
    pub fragments: usize,
    /// Octets of fragments held at once.
    pub fragment_bytes: usize,
    /// Encapsulations peeled from one frame before it is given up.
    pub depth: usize,
    /// TLS connections tracked at once.
    pub tls: usize,
    /// Octets one compressed payload may grow to.
    pub inflate: usize,
    /// Call flows held at once.
    pub flows: usize,
    /// Messages held of one call flow; older ones are let go.
    pub flow_messages: usize,
    /// Devices the registration audit tells apart.
    pub devices: usize,
    /// Bindings of one device that are live at once.
    pub bindings: usize,
    /// How much later than the time it gives a report of a capture agent may come, nanoseconds.
    pub report_delay: i64,
    /// Hosts, endpoints, calls and findings that are remembered by name alone, of each kind.
    pub names: usize,
    /// Senders of keep-alives without content, and ends of connections, that are remembered.
    pub signs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 4 << 30,
            message: 256 << 10,
            streams: 65_536,
            stream_bytes: 1 << 20,
            fragments: 4_096,
            fragment_bytes: 16 << 20,
            depth: 16,
            tls: 16_384,
            inflate: 4 << 20,
            flows: 4_000_000,
            flow_messages: 100_000,
            devices: 1 << 20,
            bindings: 256,
            // Reports of what a file holds come years later.
            report_delay: i64::MAX,
            names: 65_536,
            signs: 1 << 20,
        }
    }
}

/// All words of [`Tally::lost`], in order.
pub const REASONS: &[&str] = &[
    "desync",
    "dropped",
    "encrypted",
    "encrypted-no-handshake",
    "encrypted-partly",
    "encrypted-unknown-cipher",
    "encrypted-wrong-keys",
    "file-corrupt",
    "file-cut",
    "fragment-lost",
    "hep-agents",
    "hep-clock",
    "hep-connections",
    "hep-inflate",
    "hep-malformed",
    "hep-not-sip",
    "hep-overload",
    "hep-rate",
    "let-go",
    "let-go-attempts",
    "let-go-bindings",
    "let-go-calls",
    "let-go-changes",
    "let-go-connections",
    "let-go-copies",
    "let-go-devices",
    "let-go-evidence",
    "let-go-hosts",
    "let-go-idle",
    "let-go-keepalives",
    "let-go-orphans",
    "let-go-past",
    "let-go-probed",
    "let-go-registrars",
    "let-go-tls",
    "let-go-unreported",
    "notices",
    "sctp-gap",
    "skipped-octets",
    "source-gone",
    "tcp-gap",
    "too-deep",
    "too-long",
    "truncated",
    "undecodable",
    "unknown-interface",
    "unknown-link",
    "unreadable",
    "ws-deflate",
    "ws-desync",
];

/// Counters: what came in, and why what was not understood was not.
///
/// Every frame ends in exactly one of `sip_frames`, `other_frames` and `skipped_frames`.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Frames read.
    pub frames: u64,
    /// Frames that carried SIP, a keep-alive, or belong to a connection that carried SIP.
    pub sip_frames: u64,
    /// Frames that were understood and carried something else.
    pub other_frames: u64,
    /// Frames that were not understood; why is in `lost`.
    pub skipped_frames: u64,
    /// SIP messages found.
    pub messages: u64,
    /// Losses by reason. Keys are stable words (docs/json.md): `truncated`, `undecodable`,
    /// `tcp-gap`, `encrypted`, `fragment-lost`, `too-long`, `file-cut`, `let-go` …
    pub lost: BTreeMap<&'static str, u64>,
    /// Sentences for the user about single events (a file cut at frame n, a wrong key log).
    pub notices: Vec<String>,
}

impl Tally {
    /// Counts one loss.
    pub fn lose(&mut self, reason: &'static str) {
        self.lose_many(reason, 1);
    }

    /// Counts `count` losses.
    pub fn lose_many(&mut self, reason: &'static str, count: u64) {
        *self.lost.entry(reason).or_default() += count;
    }

    /// Adds a sentence for the user; at most 100 are kept, then they are only counted.
    pub fn notice(&mut self, text: String) {
        if self.notices.len() < 100 {
            self.notices.push(text);
        } else {
            self.lose("notices");
        }
    }

    /// Adds the counters of `other` (another file or shard).
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.sip_frames += other.sip_frames;
        self.other_frames += other.other_frames;
        self.skipped_frames += other.skipped_frames;
        self.messages += other.messages;
        for (reason, count) in &other.lost {
            *self.lost.entry(reason).or_default() += count;
        }
        for notice in &other.notices {
            self.notice(notice.clone());
        }
    }
}

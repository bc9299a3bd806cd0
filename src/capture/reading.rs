//! An open input in one of the formats, and what all of them have in common.

use std::sync::Arc;

use crate::capture::Secrets;
use crate::capture::netmon::NetMon;
use crate::capture::octets::Octets;
use crate::capture::pcap::Pcap;
use crate::capture::pcapng::{News, PcapNg};
use crate::capture::record::{Fault, Record};
use crate::capture::snoop::Snoop;
use crate::capture::text::{self, LogTally, TextLog};
use crate::frame::{Home, LinkType};

/// An open input, read record by record.
pub(super) enum Reading {
    Pcap(Octets, Pcap),
    PcapNg(Octets, Box<PcapNg>),
    Snoop(Octets, Snoop),
    NetMon(Octets, NetMon),
    Log(Box<Log>),
}

/// A text log, and the message it came to.
pub(super) struct Log {
    text: TextLog<Octets>,
    /// Line of the message's start line.
    line: u64,
    message: Vec<u8>,
}

impl Log {
    /// A log whose messages are still to be found.
    pub(super) fn new(text: TextLog<Octets>) -> Self {
        Self { text, line: 0, message: Vec::new() }
    }

    fn next(&mut self) -> Result<Option<Record>, Fault> {
        let Some(logged) = self.text.next_message()? else { return Ok(None) };
        self.line = logged.line;
        self.message = logged.bytes;
        let length = self.message.len();
        Ok(Some(Record {
            time: logged.time,
            link: LinkType(text::LINK_TYPE),
            interface: 0,
            // How much the log lost it does not say; that it did must show.
            wire_len: length as u32 + u32::from(logged.cut),
            start: 0,
            length,
        }))
    }
}

impl Reading {
    /// Reads on to the next record, which `record` is then; `false` at the end.
    #[inline(always)]
    pub(super) fn next(&mut self, record: &mut Record) -> Result<bool, Fault> {
        Ok(match self {
            Self::Pcap(octets, pcap) => record.becomes(pcap.next(octets)?),
            Self::PcapNg(octets, pcapng) => record.becomes(pcapng.next(octets)?),
            Self::Snoop(octets, snoop) => record.becomes(snoop.next(octets)?),
            Self::NetMon(octets, netmon) => record.becomes(netmon.next(octets)?),
            Self::Log(log) => record.becomes(log.next()?),
        })
    }

    /// The number of the record `next` came to: of its line in a log, else one on from `before`.
    #[inline]
    pub(super) fn number(&self, before: u64) -> u64 {
        match self {
            Self::Log(log) => log.line,
            _ => before + 1,
        }
    }

    /// The packet of the record `next` came to.
    #[inline(always)]
    pub(super) fn packet(&self, record: &Record) -> &[u8] {
        match self {
            Self::Pcap(octets, _)
            | Self::PcapNg(octets, _)
            | Self::Snoop(octets, _)
            | Self::NetMon(octets, _) => octets.claimed(record.start, record.length),
            Self::Log(log) => &log.message,
        }
    }

    /// What packets lie in, when they stay there.
    #[inline(always)]
    pub(super) fn home(&self) -> Option<&Arc<Home>> {
        match self {
            Self::Pcap(octets, _)
            | Self::PcapNg(octets, _)
            | Self::Snoop(octets, _)
            | Self::NetMon(octets, _) => octets.home(),
            Self::Log(_) => None,
        }
    }

    /// Octets of the input before the record that could not be read.
    pub(super) fn offset(&self) -> u64 {
        match self {
            Self::Pcap(octets, _) | Self::Snoop(octets, _) | Self::NetMon(octets, _) => {
                octets.offset()
            }
            Self::PcapNg(_, pcapng) => pcapng.offset(),
            Self::Log(_) => 0,
        }
    }

    /// What was read beside packets and not taken yet.
    #[inline]
    pub(super) fn news(&mut self) -> Option<&mut News> {
        match self {
            Self::PcapNg(_, pcapng) => Some(&mut pcapng.news),
            _ => None,
        }
    }

    /// Packets lost so far, as the input says.
    pub(super) fn dropped(&self) -> u64 {
        match self {
            Self::PcapNg(_, pcapng) => pcapng.dropped(),
            Self::Snoop(_, snoop) => snoop.dropped(),
            Self::Pcap(..) | Self::NetMon(..) | Self::Log(_) => 0,
        }
    }

    /// What was counted of a log so far.
    pub(super) fn log(&self) -> Option<LogTally> {
        match self {
            Self::Log(log) => Some(log.text.tally()),
            _ => None,
        }
    }

    /// Reads all secrets of a file that lies open before us; a stream's come as they come.
    pub(super) fn read_secrets_ahead(&mut self) -> Vec<Secrets> {
        let Self::PcapNg(octets, pcapng) = self else { return Vec::new() };
        match octets.fork() {
            Some(mut ahead) => pcapng.read_secrets_ahead(&mut ahead),
            None => Vec::new(),
        }
    }
}

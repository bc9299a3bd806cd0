//! Packet filters compiled by libpcap, one program for each link type that occurs.

use pcap::{BpfProgram, Capture, Linktype};

use super::{FilterError, Widened, widen};
use crate::frame::{Frame, LinkType};

/// A packet filter.
pub struct Filter {
    expression: String,
    widened: Option<Widened>,
    programs: Vec<(LinkType, Option<BpfProgram>)>,
    notes: Vec<String>,
}

impl Filter {
    /// Compiles the expression for Ethernet to see that it is one; other links follow when met.
    pub fn new(expression: &str) -> Result<Self, FilterError> {
        let ethernet = LinkType(1);
        let widened = widen(expression);
        // The expression as given is tried first, so that the error is about what the user wrote.
        let given = compile(ethernet, expression)?;
        let wide = widened.as_ref().and_then(|wide| compile(ethernet, &wide.tagged).ok());
        let mut filter = Self {
            expression: expression.to_owned(),
            widened,
            programs: vec![(ethernet, Some(wide.unwrap_or(given)))],
            notes: Vec::new(),
        };
        if let Some(wide) = &filter.widened {
            filter.notes.push(format!("packet filter `{expression}` also takes {}", wide.besides));
        }
        Ok(filter)
    }

    /// The programs to try on an interface of this link type, the widest first, each with what there
    /// is to say of it.
    pub(in crate::capture) fn programs(&self, link: LinkType) -> Vec<(String, Option<String>)> {
        let note = |besides: &str| {
            Some(format!("packet filter `{}` also takes {besides}", self.expression))
        };
        let wide = self.widened.iter().flat_map(|wide| {
            let tagged = (wide.tagged.clone(), note(wide.besides));
            [tagged, (wide.plain.clone(), wide.fragments.and_then(note))]
        });
        let program = |(text, _): &(String, Option<String>)| compile(link, text).is_ok();
        wide.filter(program).chain([(self.expression.clone(), None)]).collect()
    }

    /// The error that libpcap does not take `expression`.
    pub(in crate::capture) fn refused(expression: &str, error: pcap::Error) -> FilterError {
        let reason = match error {
            pcap::Error::PcapError(reason) => reason,
            other => other.to_string(),
        };
        FilterError::Expression { expression: expression.to_owned(), reason }
    }

    /// True when the frame matches.
    pub(crate) fn passes(&mut self, frame: &Frame<'_>) -> bool {
        let known = self.programs.iter().position(|(link, _)| *link == frame.link);
        let index = known.unwrap_or_else(|| self.add(frame.link));
        match self.programs.get(index) {
            Some((_, Some(program))) => program.filter(frame.bytes),
            _ => true,
        }
    }

    /// Sentences for the user since the last call.
    pub(crate) fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// Compiles for one more link type.
    #[cold]
    fn add(&mut self, link: LinkType) -> usize {
        let wide = self.widened.as_ref();
        let program = wide
            .and_then(|wide| {
                compile(link, &wide.tagged).or_else(|_| compile(link, &wide.plain)).ok()
            })
            .map_or_else(|| compile(link, &self.expression), Ok);
        if let Err(error) = &program {
            // Showing more than was asked for is better than hiding what was.
            self.notes.push(format!(
                "on link type {} it cannot be applied, all its packets pass: {error}",
                link.0
            ));
        }
        self.programs.push((link, program.ok()));
        self.programs.len() - 1
    }
}

fn compile(link: LinkType, expression: &str) -> Result<BpfProgram, FilterError> {
    Capture::dead(Linktype(dlt(link)))
        .and_then(|capture| capture.compile(expression, true))
        .map_err(|error| Filter::refused(expression, error))
}

/// The number libpcap has inside for a link type that files number otherwise.
fn dlt(link: LinkType) -> i32 {
    match link.0 {
        // LINKTYPE_RAW; the number differs by system (bpf.h).
        101 if cfg!(target_os = "openbsd") => 14,
        101 => 12,
        // LINKTYPE_PPP_HDLC, ATM_RFC1483, C_HDLC, LOOP: as DLT_ on Linux.
        100 => 11,
        other => i32::from(other),
    }
}

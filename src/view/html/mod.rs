//! The report: one self-contained HTML file without network; its only script
//! sorts and searches the table of devices.
//!
//! Every octet from the capture goes through [`visible`](super::visible) and is escaped, by the
//! templates or by [`markup`](super::markup). The file is written part by part, so that a large
//! report is never held in memory.

mod calls;
mod choice;
mod findings;
mod numbers;
mod registrations;
mod source;

use std::io::{self, Write};

use std::sync::Arc;

use askama::Template;
use rustc_hash::FxHashMap;

use self::choice::Choice;
use super::ladder::LadderOptions;
use super::{Subject, TimeStyle, svg};
use crate::frame::FrameId;
use crate::model::audit::Audit;
use crate::rules::{Selection, Severity};

/// What the report holds.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Heading of the report.
    pub title: String,
    /// Zone of its times.
    pub time: TimeStyle,
    /// How ladders are laid out.
    pub ladder: LadderOptions,
    /// Calls drawn in full; those with findings come first, the others are listed only.
    pub calls: usize,
    /// Messages drawn of one call.
    pub messages: usize,
    /// Rows of each list.
    pub rows: usize,
    /// The audit of the registrations and the rules that judge it, when the report is to hold it.
    pub audit: Option<Arc<(Audit, Selection)>>,
}

impl Default for ReportOptions {
    fn default() -> Self {
        Self {
            title: "SIP report".to_owned(),
            time: TimeStyle::Utc,
            ladder: LadderOptions::default(),
            calls: 200,
            messages: 200,
            rows: 2000,
            audit: None,
        }
    }
}

/// Writes the report on `subject`.
pub fn write(
    subject: &Subject<'_>,
    options: &ReportOptions,
    out: &mut dyn Write,
) -> io::Result<()> {
    let choice = Choice::of(subject, options);
    let page = Page { subject, options, choice: &choice };
    let lists = calls::lists(&page);
    let audit = match &options.audit {
        Some(audit) => page.registrations(audit)?,
        None => None,
    };
    let script = audit.as_ref().map(|_| digest(registrations::SCRIPT.as_bytes()));
    let faults = audit.as_ref().map(|audit| audit.faults).unwrap_or_default();
    render(&numbers::head(&page, &lists, script, (faults.errors, faults.warnings)), out)?;
    let is_bare = subject.flows.is_empty() && audit.is_some();
    if !is_bare {
        render(&findings::findings(&page), out)?;
    }
    for list in &lists {
        render(&calls::ListPart { list }, out)?;
    }
    if let Some(audit) = &audit {
        render(audit, out)?;
    }
    if is_bare {
        return render(&Foot { version: VERSION, left_out: 0, is_bare }, out);
    }
    out.write_all(
        b"<section id=\"ladders\" aria-labelledby=\"ladders-h\">\n<h2 id=\"ladders-h\">Ladders</h2>\n",
    )?;
    for group in &choice.drawn {
        render(&calls::call(&page, group), out)?;
    }
    render(&Foot { version: VERSION, left_out: choice.left_out, is_bare }, out)
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What all parts of the report read.
struct Page<'a> {
    subject: &'a Subject<'a>,
    options: &'a ReportOptions,
    choice: &'a Choice,
}

impl Page<'_> {
    /// The part on registrations; their attempts lead to the messages that are drawn.
    fn registrations(
        &self,
        (audit, selection): &(Audit, Selection),
    ) -> io::Result<Option<registrations::Registrations>> {
        let mut places: FxHashMap<FrameId, String> = FxHashMap::default();
        for flow in self.choice.drawn.iter().flatten().map(|id| self.subject.flow(*id)) {
            for (id, entry) in flow.entries().filter(|(_, entry)| entry.message.is_request()) {
                if let Some(href) = self.choice.message_href(flow.id, id) {
                    places.insert(entry.message.envelope.frame, href);
                }
            }
        }
        registrations::registrations(&registrations::Part {
            audit,
            selection,
            time: &self.options.time,
            href: &|frame| places.get(&frame).cloned(),
        })
    }
}

#[derive(Template)]
#[template(path = "report_foot.html")]
struct Foot {
    version: &'static str,
    left_out: usize,
    /// No ladder was begun.
    is_bare: bool,
}

/// A finding as a badge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Badge {
    severity: &'static str,
    code: &'static str,
    name: &'static str,
}

/// Badges, each rule once, worst first.
fn badges(found: impl Iterator<Item = (Severity, &'static str, &'static str)>) -> Vec<Badge> {
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(severity, code, _)| (std::cmp::Reverse(*severity), *code));
    found.dedup_by_key(|(_, code, _)| *code);
    found
        .into_iter()
        .map(|(severity, code, name)| Badge { severity: severity.word(), code, name })
        .collect()
}

/// The whole style of the page.
fn style() -> String {
    format!("{}{}", include_str!("../../../templates/report.css"), svg::STYLE)
}

/// SHA-256 in base64, as a content security policy names a script.
fn digest(script: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    base64(&Sha256::digest(script))
}

/// Base64 (RFC 4648 section 4).
fn base64(octets: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(octets.len().div_ceil(3) * 4);
    for three in octets.chunks(3) {
        let octet = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

fn render(part: &impl Template, out: &mut dyn Write) -> io::Result<()> {
    Template::write_into(part, &mut &mut *out)?;
    out.write_all(b"\n")
}

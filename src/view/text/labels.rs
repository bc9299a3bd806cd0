//! What may be written on an arrow, from the most telling to the shortest.

use crate::view::ladder::{Arrow, Class};
use crate::view::style::Charset;
use crate::view::visible::{columns, elide, visible_ascii};

/// Labels of one arrow.
pub(super) struct Labels {
    /// Choices in order, each with what it leaves out and lines below must say.
    choices: Vec<(String, Vec<String>)>,
    /// A reason phrase that may be cut before it is left out.
    phrase: Option<String>,
}

/// Columns from which on the beginning of a reason phrase tells more than the status alone.
const PHRASE: usize = 18;

impl Labels {
    /// One label.
    pub(super) fn plain(text: &str) -> Self {
        Self { choices: vec![(text.to_owned(), Vec::new())], phrase: None }
    }

    /// The first choice that fits into `room` columns with what is left for lines below; the last
    /// one cut when none fits; `None` where cutting would leave nothing to read.
    pub(super) fn fitting(&self, room: usize, ellipsis: &str) -> Option<(String, Vec<String>)> {
        let fits = self.choices.iter().position(|(text, _)| columns(text) <= room);
        if let Some(choice) = fits.and_then(|at| self.choices.get(at)) {
            return Some(match &self.phrase {
                Some(phrase) if fits == Some(self.choices.len() - 1) && PHRASE <= room => {
                    (elide(phrase, room, ellipsis), choice.1.clone())
                }
                _ => choice.clone(),
            });
        }
        let (text, below) = self.choices.last()?;
        // Three octets of a status, or enough of a method to know it.
        (6 <= room).then(|| (elide(text, room, ellipsis), below.clone()))
    }

    /// The most telling label.
    pub(super) fn longest(&self) -> &str {
        self.choices.first().map_or("", |(text, _)| text)
    }
}

/// Labels of `arrow`.
pub(super) fn labels(arrow: &Arrow, charset: Charset) -> Labels {
    let safe = |text: &str| in_charset(text, charset);
    let label = safe(&arrow.label());
    let remarks: Vec<String> = arrow.remarks().iter().map(|w| format!(" [{w}]")).collect();
    let remarks = safe(&remarks.concat());
    let below_remarks = || -> Vec<String> {
        Some(remarks.trim().to_owned()).filter(|text| !text.is_empty()).into_iter().collect()
    };
    let mut choices = Vec::new();
    let heads = [label.clone(), safe(&short(arrow))];
    match (&arrow.sdp, &arrow.payload) {
        (Some(sdp), _) => {
            for text in [&sdp.full, &sdp.short, &sdp.brief] {
                choices.push((format!("{label} ({}){remarks}", safe(text)), Vec::new()));
            }
            let mut below: Vec<String> =
                if sdp.passed_on { Vec::new() } else { vec![safe(&sdp.short)] };
            choices.push((format!("{label} (SDP){remarks}"), below.clone()));
            below.extend(below_remarks());
            for text in heads {
                choices.push((format!("{text} (SDP)"), below.clone()));
                choices.push((text, below.clone()));
            }
        }
        (None, Some(payload)) => {
            choices.push((format!("{label} ({}){remarks}", safe(payload)), Vec::new()));
            let mut below: Vec<String> =
                if arrow.is_next_hop() { Vec::new() } else { vec![safe(payload)] };
            choices.push((format!("{label}{remarks}"), below.clone()));
            below.extend(below_remarks());
            choices.extend(heads.map(|text| (text, below.clone())));
        }
        (None, None) => {
            choices.push((format!("{label}{remarks}"), Vec::new()));
            choices.extend(heads.map(|text| (text, below_remarks())));
        }
    }
    if let (true, Some(method)) = (arrow.class != Class::Request, &arrow.tail) {
        // Too narrow even for the method: it goes below.
        let status = arrow.head.split(' ').next().unwrap_or_default();
        let mut below = choices.last().map(|(_, below)| below.clone()).unwrap_or_default();
        below.insert(0, safe(&format!("({method})")));
        choices.push((status.to_owned(), below));
    }
    let is_bare = arrow.class != Class::Request && arrow.tail.is_none();
    Labels { choices, phrase: is_bare.then_some(label) }
}

/// The label without reason phrase: the status, and the method it answers unless that is INVITE.
fn short(arrow: &Arrow) -> String {
    let status = arrow.head.split(' ').next().unwrap_or_default();
    match &arrow.tail {
        _ if arrow.class == Class::Request => arrow.head.clone(),
        Some(method) => format!("{status} ({method})"),
        None => status.to_owned(),
    }
}

/// `text` with the characters of `charset` only.
pub(crate) fn in_charset(text: &str, charset: Charset) -> String {
    match charset {
        Charset::Unicode => text.to_owned(),
        Charset::Ascii => visible_ascii(text.as_bytes()),
    }
}

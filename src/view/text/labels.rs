//! What may be written on an arrow, from the most telling to the shortest.

use crate::view::ladder::Arrow;
use crate::view::style::Charset;
use crate::view::visible::{columns, elide, visible_ascii};

/// Labels of one arrow.
pub(super) struct Labels {
    /// Choices in order, each with what it leaves out and lines below must say.
    choices: Vec<(String, Vec<String>)>,
}

impl Labels {
    /// One label.
    pub(super) fn plain(text: &str) -> Self {
        Self { choices: vec![(text.to_owned(), Vec::new())] }
    }

    /// The first choice that fits into `room` columns with what is left for lines below; the last
    /// one cut when none fits; `None` where cutting would leave nothing to read.
    pub(super) fn fitting(&self, room: usize, ellipsis: &str) -> Option<(String, Vec<String>)> {
        if let Some(choice) = self.choices.iter().find(|(text, _)| columns(text) <= room) {
            return Some(choice.clone());
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
    let heads = [label.clone(), safe(&arrow.head)];
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
    Labels { choices }
}

/// `text` with the characters of `charset` only.
pub(crate) fn in_charset(text: &str, charset: Charset) -> String {
    match charset {
        Charset::Unicode => text.to_owned(),
        Charset::Ascii => visible_ascii(text.as_bytes()),
    }
}

//! The completeness line: what was read, and what was not understood, by reason.

use crate::limits::Tally;

/// How much of what was read a filter let through: `; 7 messages fit the filter`.
pub fn chosen(count: usize, what: &str) -> String {
    match count {
        1 => format!("; 1 {what} fits the filter"),
        _ => format!("; {count} {what}s fit the filter"),
    }
}

/// `29 SIP messages in 42 packets; not understood: 3 truncated, 1 tcp-gap`.
pub fn line(tally: &Tally) -> String {
    let mut text = format!("{} SIP messages in {} packets", tally.messages, tally.frames);
    let lost: Vec<_> = tally
        .lost
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if !lost.is_empty() {
        text.push_str("; not understood: ");
        text.push_str(&lost.join(", "));
    }
    text
}

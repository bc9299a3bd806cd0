//! Label values that strangers chose: safe to print, short, and few.

use std::collections::{BTreeMap, BTreeSet};

use crate::view::visible::visible_ascii;

/// Stands for all values beyond the bound.
const OTHER: &str = "other";
/// Characters of one value; longer ones are cut.
const LONGEST: usize = 120;

/// The values that have a series of their own, in bounds.
#[derive(Debug)]
pub(super) struct Admitted {
    most: usize,
    values: BTreeSet<String>,
}

impl Admitted {
    /// Those in `known` from the start, and `more` at the end.
    pub(super) fn new(known: &[&str], more: usize) -> Self {
        let values = known.iter().map(|value| (*value).to_owned()).collect();
        Self { most: known.len() + more, values }
    }

    /// The label for `value`: its own as long as there is room, then `other`.
    pub(super) fn label(&mut self, value: &str) -> String {
        let value = clean(value);
        if self.values.contains(&value) {
            return value;
        }
        if self.most <= self.values.len() {
            return OTHER.to_owned();
        }
        self.values.insert(value.clone());
        value
    }

    /// `counts` by label; those that share one are added up.
    pub(super) fn fold<'a>(
        &mut self,
        counts: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> BTreeMap<String, u64> {
        let mut folded = BTreeMap::new();
        for (value, count) in counts {
            *folded.entry(self.label(value)).or_default() += count;
        }
        folded
    }
}

/// Printable ASCII of bounded length; the beginning of `value` is enough to tell what it was.
fn clean(value: &str) -> String {
    // One more than is kept: what cannot be seen takes more room, never less.
    let beginning: String = value.chars().take(LONGEST + 1).collect();
    let mut clean = visible_ascii(beginning.as_bytes());
    if LONGEST < clean.len() {
        clean.truncate(LONGEST - 3);
        clean.push_str("...");
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_keep_their_names_and_later_ones_share_one() {
        let mut admitted = Admitted::new(&["k"], 2);
        let labels: Vec<_> = ["b", "c", "a", "b", "k"].map(|v| admitted.label(v)).into();
        assert_eq!(labels, ["b", "c", "other", "b", "k"]);
        let folded = admitted.fold([("a", 1), ("b", 2), ("d", 4)]);
        assert_eq!(folded, [("b".into(), 2), ("other".into(), 5)].into());
    }

    #[test]
    fn values_are_printable_and_short() {
        assert_eq!(clean("a\0\u{202e}\n\"é"), "a\\x00\\u{202e}\\n\"\\u{e9}");
        assert_eq!(clean(&"\u{1b}".repeat(10_000)).len(), LONGEST);
        assert_eq!(clean(&"x".repeat(LONGEST)), "x".repeat(LONGEST));
    }
}

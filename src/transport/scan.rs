//! Finds octets sixteen at a time: in a text of one line the start of a search that chooses the widest
//! registers of the processor costs more than the search.

use wide::u8x16;

/// Where `octet` stands first.
#[inline]
pub(crate) fn find(text: &[u8], octet: u8) -> Option<usize> {
    find_any(text, [octet])
}

/// Where any of `octets` stands first.
#[inline]
pub(crate) fn find_any<const N: usize>(text: &[u8], octets: [u8; N]) -> Option<usize> {
    let any = octets.map(u8x16::splat);
    let marks = |all: u8x16| any.iter().fold(u8x16::ZERO, |marks, one| marks | all.simd_eq(*one));
    position(text, marks, |octet| octets.contains(&octet))
}

/// The pieces of `text` between one `octet` and the next; none after the last one.
#[inline]
pub(crate) fn pieces(text: &[u8], octet: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = find(rest, octet).unwrap_or(rest.len());
        let piece = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        Some(piece)
    })
}

/// `text` without white space at its ends; nearly always it has none, and that is seen at once.
#[inline]
pub(crate) const fn trim(text: &[u8]) -> &[u8] {
    match text {
        [first, .., last] if b' ' < *first && b' ' < *last => text,
        _ => text.trim_ascii(),
    }
}

/// Where the first octet below `limit`, which is not 0, stands: below the space, in a header line,
/// that is its end.
#[inline]
pub(crate) fn find_below(text: &[u8], limit: u8) -> Option<usize> {
    position(text, |all| at_most(all, limit - 1), |octet| octet < limit)
}

/// Where the first control octet of ASCII stands; in a header line, nearly always, that is its end.
#[inline]
pub(crate) fn find_control(text: &[u8]) -> Option<usize> {
    position(text, controls_in, |octet| octet.is_ascii_control())
}

/// Where the first line behind `at` begins whose first octet is one of two small `letters`, in any case,
/// or no more than a space. `None` says nothing of the last octets of `text`.
#[inline]
pub(crate) fn find_line(text: &[u8], at: usize, letters: [u8; 2]) -> Option<usize> {
    let [one, other] = letters.map(u8x16::splat);
    let (feed, case) = (u8x16::splat(b'\n'), u8x16::splat(CASE));
    let (ends, _) = text.get(at..)?.as_chunks();
    let (starts, _) = text.get(at + 1..)?.as_chunks();
    ends.iter().zip(starts).zip((at + 1..).step_by(WIDTH)).find_map(|((ends, starts), at)| {
        let starts = u8x16::new(*starts);
        let lower = starts | case;
        let begins = lower.simd_eq(one) | lower.simd_eq(other) | at_most(starts, b' ');
        let marks = (u8x16::new(*ends).simd_eq(feed) & begins).to_bitmask();
        (marks != 0).then(|| at + marks.trailing_zeros() as usize)
    })
}

/// False when none of `pairs` stands in `text`, letters in any case. It may say of a text with a pair
/// much like one of them that it has one.
#[inline]
pub(crate) fn may_have_pair<const N: usize>(text: &[u8], pairs: [[u8; 2]; N]) -> bool {
    let case = u8x16::splat(CASE);
    let pairs = pairs.map(|pair| pair.map(|octet| u8x16::splat(octet | CASE)));
    let has = |ones: &[u8; WIDTH], others: &[u8; WIDTH]| {
        let (ones, others) = (u8x16::new(*ones) | case, u8x16::new(*others) | case);
        let marks = |[one, other]: [u8x16; 2]| ones.simd_eq(one) & others.simd_eq(other);
        pairs.iter().fold(u8x16::ZERO, |all, pair| all | marks(*pair)).any()
    };
    let behind = text.get(1..).unwrap_or_default();
    let ((ones, _), (others, _)) = (text.as_chunks(), behind.as_chunks());
    if ones.iter().zip(others).any(|(ones, others)| has(ones, others)) {
        return true;
    }
    match (behind.last_chunk(), text.len().checked_sub(WIDTH + 1)) {
        // Some of these were seen before.
        (Some(others), Some(start)) => {
            text[start..].first_chunk().is_some_and(|ones| has(ones, others))
        }
        _ => {
            let mut padded = [u8::MAX; WIDTH + 1];
            padded[..text.len()].copy_from_slice(text);
            matches!((padded.first_chunk(), padded.last_chunk()), (Some(a), Some(b)) if has(a, b))
        }
    }
}

/// Finds the octets of one kind in a text, one after the other, and judges 64 octets at a time: so
/// it costs the same however far apart they stand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks<'a> {
    text: &'a [u8],
    judge: fn(&[u8], usize) -> u64,
    /// Where the octets begin that were judged last.
    block: usize,
    /// Which of them are of the kind, the first octet lowest.
    bits: u64,
}

impl<'a> Marks<'a> {
    /// Finds the control octets of ASCII in `text`.
    #[inline]
    pub(crate) fn of_controls(text: &'a [u8]) -> Self {
        Self { text, judge: controls, block: 0, bits: controls(text, 0) }
    }

    /// Finds what stands between words in `text`: all but letters, digits, hyphens and dots of ASCII.
    #[inline]
    pub(crate) fn of_separators(text: &'a [u8], from: usize) -> Self {
        Self { text, judge: separators, block: from, bits: separators(text, from) }
    }

    /// Where the first one stands from `at` on; the length of the text when there is none.
    #[inline]
    pub(crate) fn next_from(&mut self, at: usize) -> usize {
        let mut bits = match at.wrapping_sub(self.block) {
            ahead @ 0..BLOCK => self.bits & u64::MAX << ahead,
            _ => self.judge(at),
        };
        while bits == 0 {
            bits = self.judge(self.block + BLOCK);
        }
        self.block + bits.trailing_zeros() as usize
    }

    /// Which of 64 octets are of the kind, the first of them lowest: those from `at` on, where nobody
    /// has looked further yet.
    #[inline]
    pub(crate) fn first_bits(&self, at: usize) -> u64 {
        debug_assert_eq!(self.block, at);
        self.bits
    }

    #[cold]
    fn judge(&mut self, at: usize) -> u64 {
        (self.block, self.bits) = (at, (self.judge)(self.text, at));
        self.bits
    }
}

/// Octets that are judged together, one bit of a word for each.
const BLOCK: usize = 64;
/// Octets that are looked at in one step.
const WIDTH: usize = 16;
/// The bit that tells small letters from large ones.
const CASE: u8 = 0x20;

#[inline(never)]
fn controls(text: &[u8], at: usize) -> u64 {
    judged(text, at, controls_in)
}

#[inline(never)]
fn separators(text: &[u8], at: usize) -> u64 {
    judged(text, at, |all| {
        let from = |first: u8, last: u8| at_most(all - u8x16::splat(first), last - first);
        let letters = at_most((all | u8x16::splat(0x20)) - u8x16::splat(b'a'), b'z' - b'a');
        // Hyphen, dot and digits stand side by side but for the slash.
        let slashes = all.simd_eq(u8x16::splat(b'/'));
        !(letters | from(b'-', b'9')) | slashes
    })
}

#[inline]
fn controls_in(all: u8x16) -> u8x16 {
    at_most(all, b' ' - 1) | all.simd_eq(u8x16::splat(0x7f))
}

/// Marks the octets that are no greater than `most`.
#[inline]
fn at_most(all: u8x16, most: u8) -> u8x16 {
    all.min(u8x16::splat(most)).simd_eq(all)
}

/// Which of the octets of `text` from `at` on are of a kind. All behind the end are.
#[inline]
fn judged(text: &[u8], at: usize, marks: impl Fn(u8x16) -> u8x16) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        return bits(block, marks);
    }
    let behind = u64::MAX << rest.len();
    match text.last_chunk() {
        // Some octets before them are shifted out.
        Some(last) if !rest.is_empty() => bits(last, marks) >> (BLOCK - rest.len()) | behind,
        _ => {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            bits(&block, marks) | behind
        }
    }
}

#[inline]
fn bits(block: &[u8; BLOCK], marks: impl Fn(u8x16) -> u8x16) -> u64 {
    let (parts, _) = block.as_chunks();
    let of = |part: &[u8; WIDTH]| u64::from(marks(u8x16::new(*part)).to_bitmask());
    parts.iter().rev().fold(0, |bits, part| bits << WIDTH | of(part))
}

/// Where the first octet stands that `marks` marks; `is_it` judges in texts below eight octets.
#[inline]
fn position(
    text: &[u8],
    marks: impl Fn(u8x16) -> u8x16,
    is_it: impl Fn(u8) -> bool,
) -> Option<usize> {
    let first = |part: &[u8; WIDTH], unseen: u32| {
        let bits = marks(u8x16::new(*part)).to_bitmask() & unseen;
        (bits != 0).then(|| bits.trailing_zeros() as usize)
    };
    let (parts, rest) = text.as_chunks::<WIDTH>();
    for (part, at) in parts.iter().zip((0..).step_by(WIDTH)) {
        if let Some(here) = first(part, u32::MAX) {
            return Some(at + here);
        }
    }
    match text.last_chunk() {
        _ if rest.is_empty() => None,
        // The last sixteen octets, of which some were seen before: none of those is it.
        Some(last) => {
            let seen = WIDTH - rest.len();
            first(last, u32::MAX << seen).map(|here| text.len() - WIDTH + here)
        }
        None => match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            // Where the halves overlap they are the same octets.
            (Some(low), Some(high)) => {
                let apart = 8 * (text.len() - 8);
                let low = u128::from(u64::from_le_bytes(*low));
                let all = low | u128::from(u64::from_le_bytes(*high)) << apart;
                first(&all.to_le_bytes(), !(u32::MAX << text.len()))
            }
            _ => text.iter().position(|&octet| is_it(octet)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_stand_where_octets_of_their_kind_do(
            text in proptest::collection::vec(prop_oneof![4 => Just(b'a'), 1 => any::<u8>()], 0..200),
            from in 0_usize..210,
            steps in proptest::collection::vec(0_usize..90, 1..9),
        ) {
            let is_word = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.');
            let mut controls = Marks::of_controls(&text);
            let mut separators = Marks::of_separators(&text, from);
            let mut at = 0;
            for step in steps {
                // Forward for the most part, and back now and then.
                at = if step % 8 == 0 { step } else { at + step }.min(text.len());
                let next = |is_it: &dyn Fn(&u8) -> bool| {
                    text[at..].iter().position(is_it).map_or(text.len(), |next| at + next)
                };
                prop_assert_eq!(controls.next_from(at), next(&u8::is_ascii_control));
                prop_assert_eq!(separators.next_from(at), next(&|octet| !is_word(octet)));
            }
        }

        #[test]
        fn no_line_is_passed_over(
            parts in proptest::collection::vec(prop_oneof![
                2 => Just("\n"), 1 => proptest::sample::select(vec!["c", "C", "i", "I", "b", "j", "#", "\x03", "\t", " ", "\r", "é", "-"]),
            ], 0..60),
            at in 0_usize..70,
        ) {
            let text = parts.concat();
            let text = text.as_bytes();
            let is_it = |line: &usize| {
                text[line - 1] == b'\n' && (text[*line] <= b' ' || b"cCiI".contains(&text[*line]))
            };
            let first = (at + 1..text.len()).find(is_it);
            let found = find_line(text, at, *b"ci");
            prop_assert!(found == first || found.is_none() && first.is_none_or(|at| text.len() < at + WIDTH));
        }

        #[test]
        fn no_pair_is_passed_over(text in "[abcA@ \\t-]{0,50}") {
            let pairs = [*b"ab", *b"@c", *b"c ", *b"b-"];
            let lower = text.to_ascii_lowercase();
            let has = lower.as_bytes().windows(2).any(|pair| pairs.iter().any(|p| p == pair));
            let may_have = may_have_pair(text.as_bytes(), pairs);
            prop_assert!(may_have || !has);
            // Nothing else in these texts is like one of them but for a tab.
            prop_assert!(has || !may_have || text.contains('\t'));
        }

        #[test]
        fn the_first_octet_is_found_wherever_it_stands(
            text in proptest::collection::vec(prop_oneof![any::<u8>(), 0_u8..4, 0x1e_u8..0x22, 0x7e_u8..0x81, 0x20_u8..0x7f], 0..40),
            octet in prop_oneof![any::<u8>(), 0_u8..4],
        ) {
            prop_assert_eq!(find(&text, octet), text.iter().position(|&o| o == octet));
            prop_assert_eq!(trim(&text), text.trim_ascii());
            let any = [octet, 0x1f, 0x80];
            prop_assert_eq!(find_any(&text, any), text.iter().position(|o| any.contains(o)));
            let split = text.split(|&o| o == octet).map(<[u8]>::to_vec);
            let pieces = pieces(&text, octet).map(<[u8]>::to_vec);
            prop_assert_eq!(
                pieces.filter(|piece| !piece.is_empty()).collect::<Vec<_>>(),
                split.filter(|piece| !piece.is_empty()).collect::<Vec<_>>()
            );
            prop_assert_eq!(find_below(&text, b' '), text.iter().position(|&o| o < b' '));
            prop_assert_eq!(find_below(&text, 0x7f), text.iter().position(|&o| o < 0x7f));
            prop_assert_eq!(find_control(&text), text.iter().position(u8::is_ascii_control));
        }
    }
}

//! Looks for some words at once, in any case, without reading most of the text.

/// Pairs of octets told apart, case left out.
const PAIRS: usize = 1 << 10;

/// Words in lower case, of two octets or more, one table for all.
#[derive(Debug)]
pub(super) struct Words {
    words: &'static [&'static str],
    /// Octets of the shortest word: so much of each is in the table.
    window: usize,
    /// How far the window may go on when it ends with a pair; 0 when a word may stand in it.
    skip: [u8; PAIRS],
}

impl Words {
    /// The table for `words`.
    pub(super) const fn new(words: &'static [&'static str]) -> Self {
        let mut window = words[0].len();
        let mut at = 1;
        while at < words.len() {
            if words[at].len() < window {
                window = words[at].len();
            }
            at += 1;
        }
        assert!(2 <= window, "a word has a pair");
        let mut skip = [window as u8 - 1; PAIRS];
        at = 0;
        while at < words.len() {
            let word = words[at].as_bytes();
            let mut place = 1;
            while place < window {
                let (pair, left) = (pair(word[place - 1], word[place]), (window - 1 - place) as u8);
                if left < skip[pair] {
                    skip[pair] = left;
                }
                place += 1;
            }
            at += 1;
        }
        Self { words, window, skip }
    }

    /// The words themselves.
    #[cfg(test)]
    pub(super) fn words(&self) -> impl Iterator<Item = &'static str> {
        self.words.iter().copied()
    }

    /// The first of the words that `text` contains in any case.
    pub(super) fn find_in(&self, text: &[u8]) -> Option<&'static str> {
        let mut first = self.words.len();
        let mut end = self.window - 1;
        while end < text.len() {
            let skip = usize::from(self.skip[pair(text[end - 1], text[end])]);
            if skip != 0 {
                end += skip;
                continue;
            }
            let rest = &text[end + 1 - self.window..];
            let begins = |word: &&str| begins_with(rest, word);
            first = self.words[..first].iter().position(begins).unwrap_or(first);
            end += 1;
        }
        self.words.get(first).copied()
    }
}

/// The place of two neighbors in the table: letters of either case have their five lowest bits in
/// common.
const fn pair(one: u8, two: u8) -> usize {
    one as usize % 32 * 32 + two as usize % 32
}

/// True when `text` contains `word`, which is in lower case, in any case.
pub(super) fn contains(text: &[u8], word: &str) -> bool {
    (0..text.len()).any(|at| begins_with(&text[at..], word))
}

/// True when `text` begins with `word` in any case.
pub(super) fn begins_with(text: &[u8], word: &str) -> bool {
    let word = word.as_bytes();
    let is_second = word.len() < 2 || text.get(1).is_some_and(|o| o.eq_ignore_ascii_case(&word[1]));
    is_second && text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_in_order_is_found_in_any_case_and_place() {
        static WORDS: Words =
            Words::new(&["gulp", "iwar", "sipvicious", "vax", "sip-scan", "密码"]);
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(WORDS.find_in(text.as_bytes()), expected, "{text}");
        };
        check("SIPVicious/0.3", Some("sipvicious"));
        check("x-sip-SCAN", Some("sip-scan"));
        check("vax iwar", Some("iwar"));
        check("sipsipvicious", Some("sipvicious"));
        check("aaVAX", Some("vax"));
        check("输入密码", Some("密码"));
        for text in ["", "v", "va", "sipviciou", "gulv", "Linphone/5.0 (belle-sip)"] {
            check(text, None);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_missed(text in "[nNmM@sSipPu]{0,12}") {
            static WORDS: Words = Words::new(&["nm@nm", "sip", "pup", "us"]);
            let expected = WORDS.words.iter().copied().find(|word| contains(text.as_bytes(), word));
            proptest::prop_assert_eq!(WORDS.find_in(text.as_bytes()), expected);
        }
    }
}

//! Replaces (RFC 3891 section 6.1).

use memchr::memchr;

use super::params::Params;

/// The dialog that is to be replaced, as its far side names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaces<'a> {
    /// Its Call-ID.
    pub call_id: &'a [u8],
    /// Its tag at the side that receives this.
    pub to_tag: &'a [u8],
    /// Its tag at the other side.
    pub from_tag: &'a [u8],
    /// All parameters, the tags among them.
    pub params: Params<'a>,
}

impl<'a> Replaces<'a> {
    /// Takes `text` apart; `None` when it names no dialog. Escapes in it, as in a Refer-To URI,
    /// are the caller's to undo.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let (call_id, params) = text.split_at(memchr(b';', text)?);
        let (call_id, params) = (call_id.trim_ascii(), Params(params));
        let (to_tag, from_tag) = (params.value("to-tag")?, params.value("from-tag")?);
        (!call_id.is_empty()).then_some(Self { call_id, to_tag, from_tag, params })
    }

    /// True when only a dialog that is not confirmed yet may be replaced.
    pub fn is_early_only(&self) -> bool {
        self.params.get("early-only").is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_dialog_is_named_by_all_three_parts() {
        let replaces = Replaces::parse(b"c@a ; To-Tag=1;from-tag = 2;early-only").unwrap();
        assert_eq!(
            (replaces.call_id, replaces.to_tag, replaces.from_tag),
            (&b"c@a"[..], &b"1"[..], &b"2"[..])
        );
        assert!(replaces.is_early_only());
        for text in ["", "c@a", "c@a;to-tag=1", ";to-tag=1;from-tag=2", "c;to-tag;from-tag=2"] {
            assert_eq!(Replaces::parse(text.as_bytes()), None, "{text}");
        }
    }
}

//! CSeq (section 20.16).

/// Sequence number and method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// 0 to 2^31 - 1 by section 8.1.1.5; up to 2^32 - 1 is read.
    pub number: u32,
    /// The method as written; some devices leave it out.
    pub method: &'a [u8],
}

//! Asks for memory ahead of its reader, who then need not wait for it: what lies in a large capture,
//! and what is known of it, is in no cache.

/// Octets that come together.
const LINE: usize = 64;

/// Asks for all that `of` lies in itself, without waiting for it.
#[inline]
pub(crate) fn ask_for<T: ?Sized>(of: &T) {
    let start = std::ptr::from_ref(of).cast::<i8>();
    // From the start of its first line, else the last line may be passed over.
    let before = start.addr() % LINE;
    for at in (0..before + size_of_val(of)).step_by(LINE) {
        ask(start.wrapping_sub(before).wrapping_add(at));
    }
}

/// Asks for the first `most` of `list`.
#[inline]
pub(crate) fn ask_for_first<T>(most: usize, list: &[T]) {
    ask_for(list.get(..most).unwrap_or(list));
}

/// Tells the processor what will be read; nothing where it cannot be told.
#[allow(unsafe_code)]
#[inline]
fn ask(place: *const i8) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every processor of this kind has the instruction. It is a hint: it reads nothing
        // that the program could see, and any address is allowed.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

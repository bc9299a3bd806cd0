//! Asks for memory ahead of its reader, who then need not wait for it: what lies in a large capture,
//! and what is known of it, is in no cache.

use std::collections::VecDeque;
use std::hint::black_box;

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

/// Asks for the first `most` of octets on a page that was not read lately. Where to find the page
/// takes a while too, until then what is asked for may be passed over: one octet is read first.
#[inline]
pub(crate) fn ask_afar(most: usize, octets: &[u8]) {
    black_box(octets.first().copied());
    ask_for_first(most, octets);
}

/// Asks for the first `most` of `list`.
#[inline]
pub(crate) fn ask_for_first<T>(most: usize, list: &[T]) {
    ask_for(list.get(..most).unwrap_or(list));
}

/// The same `items`, each given to `ask` when `by` others stand before it.
pub(crate) fn ahead<T: Copy>(
    by: usize,
    items: impl Iterator<Item = T>,
    ask: impl Fn(T),
) -> impl Iterator<Item = T> {
    let mut items = items.inspect(move |item| ask(*item)).fuse();
    let mut next: VecDeque<T> = items.by_ref().take(by).collect();
    std::iter::from_fn(move || {
        next.extend(items.next());
        next.pop_front()
    })
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn what_is_asked_for_ahead_comes_whole_and_in_order() {
        for (by, count) in [(0, 0), (0, 3), (2, 0), (2, 1), (2, 2), (2, 9), (9, 3)] {
            let asked = RefCell::new(Vec::new());
            let mut came = Vec::new();
            for item in ahead(by, 0..count, |item| asked.borrow_mut().push(item)) {
                assert!((item..=item + by).all(|at| count <= at || asked.borrow().contains(&at)));
                came.push(item);
            }
            assert_eq!(came, (0..count).collect::<Vec<_>>());
            assert_eq!(*asked.borrow(), came);
        }
    }
}

//! How lists grow of which there are millions, each with few entries.

/// Adds `item`; a list that is full grows by half, the first two items by one at a time, where
/// [`Vec::push`] doubles it and begins with room for four.
pub(super) fn push_slim<T>(list: &mut Vec<T>, item: T) {
    if list.len() == list.capacity() {
        let more = if list.len() < 2 { 1 } else { (list.len() / 2).max(2) };
        list.reserve_exact(more);
    }
    list.push(item);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_little_room_to_spare() {
        let mut list = Vec::new();
        for n in 0..1_000 {
            push_slim(&mut list, n);
            assert!(list.capacity() <= list.len() + (list.len() / 2).max(1), "{n}");
        }
    }
}

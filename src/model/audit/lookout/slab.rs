//! A list whose places are used again.

/// Things by number, whose numbers are used again.
#[derive(Debug)]
pub(super) struct Slab<T> {
    all: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { all: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.all.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.all.get_mut(at as usize)?.as_mut()
    }

    pub(super) fn insert(&mut self, thing: T) -> u32 {
        if let Some(at) = self.free.pop()
            && let Some(place) = self.all.get_mut(at as usize)
        {
            *place = Some(thing);
            return at;
        }
        self.all.push(Some(thing));
        self.all.len() as u32 - 1
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let thing = self.all.get_mut(at as usize)?.take();
        self.free.extend(thing.is_some().then_some(at));
        thing
    }
}

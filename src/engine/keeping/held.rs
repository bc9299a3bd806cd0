//! Copies of frames of which it is not known yet whether they are kept; bounded.

use std::collections::VecDeque;

use crate::frame::{Frame, FrameId, LinkType};
use crate::time::Timestamp;

/// A frame of its own.
#[derive(Debug)]
pub(super) struct Copied {
    /// Its place in the order of all frames held.
    pub(super) serial: u64,
    id: FrameId,
    time: Timestamp,
    link: LinkType,
    interface: u32,
    wire_len: u32,
    bytes: Box<[u8]>,
}

impl Copied {
    fn of(frame: &Frame<'_>, serial: u64) -> Self {
        Self {
            serial,
            id: frame.id,
            time: frame.time,
            link: frame.link,
            interface: frame.interface,
            wire_len: frame.wire_len,
            bytes: frame.bytes.into(),
        }
    }

    /// The frame as it came.
    pub(super) fn frame(&self) -> Frame<'_> {
        Frame {
            id: self.id,
            time: self.time,
            link: self.link,
            interface: self.interface,
            wire_len: self.wire_len,
            bytes: &self.bytes,
            home: None,
        }
    }

    fn size(&self) -> usize {
        self.bytes.len() + size_of::<Slot<u64>>()
    }
}

/// Whose frame it is, and the frame until it is taken.
#[derive(Debug)]
struct Slot<O> {
    owner: O,
    frame: Option<Copied>,
}

/// Frames in the order in which they came; the oldest go when there are too many.
#[derive(Debug)]
pub(super) struct Held<O> {
    slots: VecDeque<Slot<O>>,
    /// The ticket of the first slot.
    first: u64,
    octets: usize,
    most_frames: usize,
    most_octets: usize,
}

impl<O: Copy> Held<O> {
    /// Room for so many frames and octets.
    pub(super) fn new(most_frames: usize, most_octets: usize) -> Self {
        Self { slots: VecDeque::new(), first: 0, octets: 0, most_frames, most_octets }
    }

    /// Copies a frame; its ticket.
    pub(super) fn hold(&mut self, frame: &Frame<'_>, serial: u64, owner: O) -> u64 {
        let copied = Copied::of(frame, serial);
        self.octets += copied.size();
        self.slots.push_back(Slot { owner, frame: Some(copied) });
        self.first + self.slots.len() as u64 - 1
    }

    /// The owner of a frame that there is no room for, and is let go.
    pub(super) fn overflow(&mut self) -> Option<O> {
        while self.most_frames < self.slots.len() || self.most_octets < self.octets {
            let slot = self.slots.pop_front()?;
            self.first += 1;
            if let Some(copied) = slot.frame {
                self.octets -= copied.size();
                return Some(slot.owner);
            }
        }
        None
    }

    /// Takes a frame out, unless it is gone.
    pub(super) fn take(&mut self, ticket: u64) -> Option<Copied> {
        let copied = self.slot(ticket)?.frame.take()?;
        self.octets -= copied.size();
        while self.slots.front().is_some_and(|slot| slot.frame.is_none()) {
            self.slots.pop_front();
            self.first += 1;
        }
        Some(copied)
    }

    /// True while the frame is here.
    pub(super) fn has(&mut self, ticket: u64) -> bool {
        self.owner(ticket).is_some()
    }

    /// Whose a frame is, while it is here.
    pub(super) fn owner(&mut self, ticket: u64) -> Option<O> {
        self.slot(ticket).filter(|slot| slot.frame.is_some()).map(|slot| slot.owner)
    }

    /// Gives a frame another owner.
    pub(super) fn hand_over(&mut self, ticket: u64, owner: O) {
        if let Some(slot) = self.slot(ticket) {
            slot.owner = owner;
        }
    }

    /// Frames held, roughly: gaps between them count.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    fn slot(&mut self, ticket: u64) -> Option<&mut Slot<O>> {
        let at = ticket.checked_sub(self.first)?;
        self.slots.get_mut(usize::try_from(at).ok()?)
    }
}

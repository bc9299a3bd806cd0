//! Frames that wait for a decision, by what they belong to; bounded.

use std::collections::VecDeque;

use super::Sink;
use super::held::{Copied, Held};
use crate::frame::Frame;
use crate::net::recent::Recent;

/// Frames held of one datagram or connection; a call may have all.
const FRAMES_OF_ONE: usize = 1_024;
/// Places in the lists of those that claim frames, for each frame that may be held.
const TICKETS: usize = 4;
/// Octets of signalling, and of media, at most.
const OCTETS: usize = 32 << 20;

/// What frames belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    /// A fragmented datagram, by number.
    Datagram(u64),
    /// A TCP connection, by number: all of it, or what may be part of its next message.
    Connection(u32),
    /// A call, by the hash of its Call-ID.
    Call(u64),
}

/// What frames are of: much media does not push out little signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shelf {
    Signalling,
    Media,
}

/// The place of a frame that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    shelf: Shelf,
    at: u64,
}

/// Frames held of a subject, in the order in which they came.
#[derive(Debug, Default)]
struct Claim {
    signalling: VecDeque<u64>,
    media: VecDeque<u64>,
    /// Frames that were let go.
    let_go: u64,
}

impl Claim {
    fn places(&mut self, shelf: Shelf) -> &mut VecDeque<u64> {
        match shelf {
            Shelf::Signalling => &mut self.signalling,
            Shelf::Media => &mut self.media,
        }
    }

    fn tickets(self) -> impl Iterator<Item = Ticket> {
        let signalling =
            self.signalling.into_iter().map(|at| Ticket { shelf: Shelf::Signalling, at });
        signalling.chain(self.media.into_iter().map(|at| Ticket { shelf: Shelf::Media, at }))
    }
}

/// All frames that wait. A frame may be claimed more than once; it is handed out once.
#[derive(Debug)]
pub(super) struct Claims {
    signalling: Held<Subject>,
    media: Held<Subject>,
    by_subject: Recent<Subject, Claim>,
    /// Frames held so far.
    serial: u64,
    tickets: usize,
    /// Frames of signalling, and of media, and what they belong to.
    most: usize,
    /// Frames let go undecided.
    pub(super) let_go: u64,
    /// Those of them whose subject was kept later.
    pub(super) missed: u64,
}

impl Claims {
    /// Half of `memory` octets is for frames, of which `most` are held.
    pub(super) fn new(memory: usize, most: usize) -> Self {
        let octets = OCTETS.min(memory / 4);
        Self {
            most,
            signalling: Held::new(most, octets),
            media: Held::new(most, octets),
            by_subject: Recent::default(),
            serial: 0,
            tickets: 0,
            let_go: 0,
            missed: 0,
        }
    }

    /// Copies a frame for `subjects`.
    pub(super) fn hold(
        &mut self,
        frame: &Frame<'_>,
        shelf: Shelf,
        subjects: &[Subject],
    ) -> Option<Ticket> {
        let &first = subjects.first()?;
        self.serial += 1;
        let serial = self.serial;
        let ticket = Ticket { shelf, at: self.shelf(shelf).hold(frame, serial, first) };
        for &subject in subjects {
            self.add(subject, ticket);
        }
        Some(ticket)
    }

    /// Claims a frame that is held for `subject` too.
    pub(super) fn add(&mut self, subject: Subject, Ticket { shelf, at }: Ticket) {
        let Self { signalling, media, by_subject, tickets, .. } = self;
        let held = match shelf {
            Shelf::Signalling => signalling,
            Shelf::Media => media,
        };
        let (claim, _) = by_subject.upsert(subject, |_| true, Claim::default);
        let places = claim.places(shelf);
        places.push_back(at);
        *tickets += 1;
        // What is gone by now takes no room.
        while places.front().is_some_and(|&oldest| !held.has(oldest)) {
            places.pop_front();
            *tickets -= 1;
        }
        if matches!(subject, Subject::Call(_)) || places.len() <= FRAMES_OF_ONE {
            return;
        }
        let Some(oldest) = places.pop_front() else { return };
        *tickets -= 1;
        if self.drop_own(subject, Ticket { shelf, at: oldest }) {
            self.lose(subject);
        }
    }

    /// Gives what is held of one subject to others; without others it is let go.
    pub(super) fn hand_over(&mut self, subject: Subject, others: &[Subject]) {
        let Some(&first) = others.first() else { return self.discard(subject) };
        let Some(claim) = self.remove(subject) else { return };
        let let_go = claim.let_go;
        for ticket in claim.tickets() {
            self.shelf(ticket.shelf).hand_over(ticket.at, first);
            for &other in others {
                self.add(other, ticket);
            }
        }
        if let Some(other) = self.by_subject.peek(&first) {
            other.let_go += let_go;
        }
    }

    /// Hands out what is held of `subject`, which is kept.
    pub(super) fn release(&mut self, subject: Subject, sink: &mut Sink<'_>) {
        let Some(claim) = self.remove(subject) else { return };
        self.missed += claim.let_go;
        let mut frames: Vec<Copied> =
            claim.tickets().filter_map(|ticket| self.shelf(ticket.shelf).take(ticket.at)).collect();
        frames.sort_by_key(|copied| copied.serial);
        for copied in frames {
            sink(&copied.frame());
        }
    }

    /// Drops what is held of `subject`, which is not kept.
    pub(super) fn discard(&mut self, subject: Subject) {
        let Some(claim) = self.remove(subject) else { return };
        for ticket in claim.tickets() {
            self.drop_own(subject, ticket);
        }
    }

    /// True when frames of `subject` wait.
    pub(super) fn has(&mut self, subject: Subject) -> bool {
        self.by_subject.peek(&subject).is_some()
    }

    /// True while the frame is held.
    pub(super) fn holds(&mut self, ticket: Ticket) -> bool {
        self.shelf(ticket.shelf).has(ticket.at)
    }

    /// Frames held.
    pub(super) fn len(&self) -> usize {
        self.signalling.len() + self.media.len()
    }

    /// Lets go of the oldest while there are too many.
    pub(super) fn keep_bounds(&mut self) {
        while let Some(owner) = self.signalling.overflow().or_else(|| self.media.overflow()) {
            self.lose(owner);
        }
        while (self.most < self.by_subject.len() || TICKETS * self.most < self.tickets)
            && let Some((&subject, _)) = self.by_subject.oldest()
            && let Some(claim) = self.remove(subject)
        {
            for ticket in claim.tickets() {
                self.let_go += u64::from(self.drop_own(subject, ticket));
            }
        }
    }

    fn remove(&mut self, subject: Subject) -> Option<Claim> {
        let claim = self.by_subject.remove(&subject)?;
        self.tickets -= claim.signalling.len() + claim.media.len();
        Some(claim)
    }

    fn lose(&mut self, subject: Subject) {
        self.let_go += 1;
        if let Some(claim) = self.by_subject.peek(&subject) {
            claim.let_go += 1;
        }
    }

    /// Drops a frame unless it is held for another subject; true when it was there.
    fn drop_own(&mut self, subject: Subject, ticket: Ticket) -> bool {
        let held = self.shelf(ticket.shelf);
        held.owner(ticket.at) == Some(subject) && held.take(ticket.at).is_some()
    }

    fn shelf(&mut self, shelf: Shelf) -> &mut Held<Subject> {
        match shelf {
            Shelf::Signalling => &mut self.signalling,
            Shelf::Media => &mut self.media,
        }
    }
}

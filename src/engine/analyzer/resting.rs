//! When a flow rests: silent for so long that what only serves to judge messages close in time may go.

use super::{Analyzer, State, octets_of};
use crate::near;
use crate::time::{TIMEOUT, Timestamp};

/// A flow that was silent this long has no timer running and may rest.
const IDLE: i64 = 2 * TIMEOUT;

/// Flows between the steps in which one is asked for that is to rest.
const SOON: usize = 4;

/// Things of a kind in it that are asked for.
const MOST: usize = 64;

/// A place in the queue of flows that are awake.
#[derive(Clone, Copy)]
pub(super) struct Waking {
    pub(super) place: u32,
    /// When the flow was heard last, as far as was known when it was queued.
    pub(super) heard: Timestamp,
}

impl<R> Analyzer<'_, R> {
    /// Lets the next flow in turn rest, when it has been silent for long enough.
    pub(super) fn rest_one(&mut self, now: Timestamp) {
        // None is due before the first, unless places of flows that are gone wait to be freed. A flow
        // that was heard after it was queued is queued anew; one of a time yet to come holds up none.
        let is_due = |next: &Waking| !(0..=IDLE).contains(&now.since(next.heard));
        if self.vacant() == 0 && !self.awake.front().is_some_and(is_due) {
            return;
        }
        self.ask_for_those_due();
        let Some(place) = self.next_awake() else { return };
        let slot = &mut self.flows[place as usize];
        let Some(flow) = &mut slot.flow else { return };
        if now.since(slot.last) <= IDLE {
            self.awake.push_back(Waking { place, heard: slot.last });
            return;
        }
        flow.rest();
        self.held -= slot.held;
        slot.held = octets_of(flow);
        self.held += slot.held;
        slot.state = State::Resting(self.turn);
        self.resting.push_back((place, self.turn));
        // Flows that woke up leave their old entry behind.
        if 2 * self.flows.len() < self.resting.len() {
            let flows = &self.flows;
            self.resting.retain(|(at, since)| flows[*at as usize].state == State::Resting(*since));
        }
    }

    /// Asks for the flows whose turn comes soon: each step for what the next one needs.
    fn ask_for_those_due(&self) {
        let slot = |at| self.awake.get(at).map(|next| &self.flows[next.place as usize]);
        let flow = |at| slot(at)?.flow.as_deref();
        slot(3 * SOON).inspect(|slot| near::ask_for(*slot));
        flow(2 * SOON).inspect(|flow| near::ask_for(*flow));
        flow(SOON).inspect(|flow| flow.ask_to_rest(MOST));
    }

    /// How many places of flows that were let go the queue of those awake still names.
    fn vacant(&self) -> usize {
        self.flows.len() - self.free.len() - self.places.len()
    }

    /// The next flow that is awake, taken out of the queue; places of those that are gone are freed.
    pub(super) fn next_awake(&mut self) -> Option<u32> {
        loop {
            let Waking { place, .. } = self.awake.pop_front()?;
            if self.flows[place as usize].flow.is_some() {
                return Some(place);
            }
            self.free.push(place);
        }
    }
}

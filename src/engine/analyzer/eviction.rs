//! Which flow goes when there is no room for all.
//!
//! What goes should be missed by nobody: in a flood what came to nothing, else what is over. A call
//! that goes on, or has only begun, is torn in two when it goes.

use super::resting::Waking;
use super::{Analyzer, Slot, State};
use crate::model::{CallFlow, DialogState};
use crate::sip::Method;

/// It is a flood when one flow in so many has come to nothing.
const FLOOD: usize = 4;
/// Flows that are awake of which the best to go is chosen.
const COMPARED: usize = 8;

/// Whether most of what comes leads to nothing.
#[derive(Default)]
pub(super) struct Flood {
    is_on: bool,
    /// Flows that go before it is counted again: to count takes a look at all.
    recount_in: usize,
}

/// Whether `slot` still holds the flow `key`, and nothing in it succeeded so far: no dialog, no 2xx.
fn is_doubtful(slot: &Slot, key: u64) -> bool {
    let flow = slot.flow.as_ref().filter(|_| slot.key == key);
    flow.is_some_and(|flow| flow.dialogs().is_empty() && !flow.has_success())
}

/// Whether a flow seems to have come to its end: no dialog lasts, and what was asked last is
/// answered.
fn is_over(flow: &CallFlow) -> bool {
    let message = flow.messages.last().map(|entry| &entry.message);
    flow.dialogs().iter().all(|dialog| dialog.state == DialogState::Terminated)
        && message.is_some_and(|message| match message.status() {
            Some(status) => status.is_final(),
            None => message.method() == Some(&Method::Ack),
        })
}

impl<R> Analyzer<'_, R> {
    /// Lets one flow go, never `spared`; `false` when there is none.
    pub(super) fn let_one_go(&mut self, spared: u32) -> bool {
        (self.is_flooded() && self.let_doubtful_go(spared))
            || self.let_resting_go()
            || self.let_awake_go(spared)
            || self.let_doubtful_go(spared)
    }

    /// Takes out of the line of doubtful flows what has succeeded or is gone.
    pub(super) fn forget_doubts(&mut self) {
        let flows = &self.flows;
        self.doubtful.retain(|(place, key)| is_doubtful(&flows[*place as usize], *key));
    }

    fn is_flooded(&mut self) -> bool {
        if let Some(left) = self.flood.recount_in.checked_sub(1) {
            self.flood.recount_in = left;
        } else {
            self.forget_doubts();
            let is_on = self.places.len() <= FLOOD * self.doubtful.len();
            self.flood = Flood { is_on, recount_in: self.places.len() / 8 };
        }
        self.flood.is_on
    }

    /// The oldest in which nothing succeeded: a flood of requests that come to nothing must not
    /// cost the calls of others.
    fn let_doubtful_go(&mut self, spared: u32) -> bool {
        while let Some((place, key)) = self.doubtful.pop_front() {
            if place != spared && is_doubtful(&self.flows[place as usize], key) {
                self.let_go(place);
                self.vacate(place);
                return true;
            }
        }
        false
    }

    /// The one that has rested longest.
    fn let_resting_go(&mut self) -> bool {
        while let Some((place, since)) = self.resting.pop_front() {
            // One that woke up, or is gone, leaves its entry behind.
            if self.flows[place as usize].state == State::Resting(since) {
                self.let_go(place);
                self.vacate(place);
                return true;
            }
        }
        false
    }

    /// Of the next in turn one that is over, or else the one that was silent longest.
    fn let_awake_go(&mut self, spared: u32) -> bool {
        let mut next = [0; COMPARED];
        let mut count = 0;
        while let Some(room) = next.get_mut(count)
            && let Some(place) = self.next_awake()
        {
            *room = place;
            count += 1;
        }
        let turn = next.iter().take(count).copied();
        let slots = turn.clone().filter(|place| *place != spared);
        let best = slots.min_by_key(|place| {
            let slot = &self.flows[*place as usize];
            (!slot.flow.as_deref().is_some_and(is_over), slot.last)
        });
        let others = turn.filter(|place| Some(*place) != best);
        let flows = &self.flows;
        self.awake.extend(others.map(|place| Waking { place, heard: flows[place as usize].last }));
        let Some(place) = best else { return false };
        self.let_go(place);
        self.free.push(place);
        true
    }
}

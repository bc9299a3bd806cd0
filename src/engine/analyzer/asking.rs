//! What messages are to be placed by, asked for while something else is done.

use super::{Analyzer, NOWHERE};
use crate::model::CallFlow;
use crate::near;

/// So many messages on, what was asked for of one is there.
const LATER: usize = 8;

impl<R> Analyzer<'_, R> {
    /// Asks for where the flows `keys` are held, ahead of the messages that are to be placed there.
    /// What waits for memory together takes a part of the time that it takes in turn.
    pub(in crate::engine) fn ask_for_slots(&mut self, keys: impl Iterator<Item = u64>) {
        self.near.clear();
        let place = |key| self.places.get(&key).copied().unwrap_or(NOWHERE);
        self.near.extend(keys.map(place));
        for place in &self.near {
            self.flows.get(*place as usize).inspect(|slot| near::ask_for(*slot));
        }
    }

    /// Does `work` for each of the messages asked for, by number. Between two of them it asks for the
    /// flow of an earlier one, and for what a still earlier one is compared with first.
    pub(in crate::engine) fn ask_beside(&self, mut work: impl FnMut(usize)) {
        for step in 0..self.near.len() + 2 * LATER {
            if step < self.near.len() {
                work(step);
            }
            self.near_flow(step.wrapping_sub(LATER)).inspect(|flow| near::ask_for(*flow));
            self.near_flow(step.wrapping_sub(2 * LATER)).inspect(|flow| flow.ask_for_ends());
        }
    }

    fn near_flow(&self, at: usize) -> Option<&CallFlow> {
        self.flows.get(*self.near.get(at)? as usize)?.flow.as_deref()
    }
}

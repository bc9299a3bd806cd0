//! Call flows as they happen: fed step by step, looked at in between.

use super::analyzer::Analyzer;
use super::parsed::Parsed;
use super::router::{Router, is_idle};
pub use super::timers::{Due, SETTLED};
use super::{Analysis, BATCH, Feed, LetGo, Plan, assemble, deaf};
use crate::limits::Tally;
use crate::model::{CallFlow, Clues, Model, Seed, Vantage};
use crate::near;
use crate::sip::Message;
use crate::time::Timestamp;
use crate::transport::{Envelope, Observation, Text};

/// A flow that is held, by its place; another may have it once the flow was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowPlace(pub u32);

/// The call flows of a feed.
///
/// What is to be looked at comes out of [`poll`](Self::poll), to be called after each
/// [`advance`](Self::advance) until it says `None`.
pub struct Flows<'a, R> {
    analyzer: Analyzer<'a, R>,
    router: Router,
    /// Messages that wait to be read.
    unread: Vec<(Envelope, Text)>,
    /// Kept for their room.
    read: Vec<Message>,
    keys: Vec<u64>,
    clues: Vec<Clues>,
    seed: Seed,
}

impl<'a, R> Flows<'a, R> {
    /// No flow yet. Of what must be let go `let_go` says what can be said.
    pub fn new(plan: &Plan, let_go: &'a LetGo<'a, R>) -> Self {
        Self {
            analyzer: Analyzer::new(plan, let_go),
            router: Router::new(plan.seed, plan.limits.names),
            unread: Vec::with_capacity(BATCH),
            read: Vec::with_capacity(BATCH),
            keys: Vec::with_capacity(BATCH),
            clues: Vec::with_capacity(BATCH),
            seed: plan.seed,
        }
    }

    /// The same for one that looks at flows while they happen.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.analyzer.watch();
        self
    }

    /// Takes in what was seen next.
    pub fn observe(&mut self, observation: &Observation<'_>) {
        if let Observation::Message { envelope, text, home } = *observation {
            near::ask_for(text);
            self.unread.push((envelope, Text::of(text, home)));
            if BATCH <= self.unread.len() {
                self.take_in();
            }
        } else if !is_idle(observation) {
            // It may be about a message that waits.
            self.take_in();
            self.analyzer.observe(self.router.route_beside(observation).into_iter().collect());
        }
    }

    /// The same of what is parsed already; to be called instead of [`observe`](Self::observe), not
    /// beside it.
    pub fn observe_parsed(&mut self, seen: Parsed<'_>) {
        match seen {
            Parsed::Message(message) => {
                self.read.push(message.into_owned());
                if BATCH <= self.read.len() {
                    self.take_in();
                }
            }
            Parsed::Unreadable => self.analyzer.lose_unreadable(),
            Parsed::Beside(observation) => self.observe(observation),
        }
    }

    /// Reads what waits, then what pairs it, then files it: the code of all together does not fit
    /// into the nearest cache of a processor. A message that is read tells its flow for little.
    fn take_in(&mut self) {
        for (envelope, text) in self.unread.drain(..) {
            match Message::parse(envelope, text) {
                Some(message) => self.read.push(message),
                None => self.analyzer.lose_unreadable(),
            }
        }
        let Self { analyzer, router, read, keys, clues, seed, .. } = self;
        keys.extend(read.iter().map(|message| router.route_read(message)));
        analyzer.ask_for_slots(keys.iter().copied());
        router.remember_all(keys.iter().copied().zip(read.iter().map(|m| &m.envelope)));
        analyzer.ask_beside(|at| clues.push(Clues::of(&read[at], *seed)));
        for (at, message) in read.drain(..).enumerate() {
            analyzer.place_message(at, keys[at], message, &clues[at]);
        }
        keys.clear();
        clues.clear();
    }

    /// Lets time pass to `now`.
    pub fn advance(&mut self, now: Timestamp) {
        self.take_in();
        self.analyzer.advance(now);
    }

    /// The next flow that is to be looked at, and why.
    pub fn poll(&mut self) -> Option<(FlowPlace, Due)> {
        self.analyzer.poll().map(|(place, due)| (FlowPlace(place), due))
    }

    /// A flow that is held.
    pub fn flow(&self, place: FlowPlace) -> Option<&CallFlow> {
        self.analyzer.flow(place.0)
    }

    /// Looks at flows as a model, as if the input ended here: at those in `places`, at all without;
    /// `see` is told the places of [`Model::flows`].
    pub fn look<T>(
        &mut self,
        places: Option<&[FlowPlace]>,
        (vantage, tally): (Vantage, Tally),
        see: impl FnOnce(&Model, &[FlowPlace]) -> T,
    ) -> T {
        let (mut flows, places) = match places {
            Some(places) => self.analyzer.take_out(places.iter().map(|place| place.0)),
            None => self.analyzer.take_out(0..self.analyzer.places()),
        };
        for flow in &mut flows {
            flow.name_dialog_of_copies();
        }
        let mut model = Model::new(flows, vantage.last, deaf(&vantage), self.seed);
        model.vantage = vantage;
        model.tally = tally;
        model.tally.add(self.analyzer.tally());
        let named: Vec<FlowPlace> = places.iter().copied().map(FlowPlace).collect();
        let seen = see(&model, &named);
        self.analyzer.put_back(model.flows, &places);
        seen
    }

    /// Lets a flow go of which all has been said.
    pub fn dismiss(&mut self, place: FlowPlace) {
        self.analyzer.dismiss(place.0);
    }

    /// Lets go what a flow that lasts has come to so far; what follows begins anew.
    pub fn shed(&mut self, place: FlowPlace) {
        self.analyzer.shed(place.0);
    }

    /// What was said of flows that had to be let go, each with the number of its first message: taken,
    /// so that there is room for more. What is not taken stands in [`Analysis::let_go`].
    pub fn take_let_go(&mut self) -> Vec<(u64, R)> {
        self.analyzer.take_let_go()
    }

    /// How many such reports wait.
    pub fn reported(&self) -> usize {
        self.analyzer.reported()
    }

    /// How many flows are held, and in how many octets.
    pub fn held(&self) -> (usize, usize) {
        self.analyzer.held()
    }

    /// What was let go so far, by reason.
    pub fn tally(&self) -> &Tally {
        self.analyzer.tally()
    }

    /// Ends the input: the model of all that is held.
    pub fn finish(mut self, feed: &mut dyn Feed) -> Analysis<R> {
        self.take_in();
        assemble(vec![self.analyzer.finish()], self.router, feed, self.seed)
    }
}

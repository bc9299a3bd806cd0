//! The pipeline as values: frames in, model and findings out. A mode is how it is fed.

pub mod analyzer;
pub mod keeping;
mod latest;
pub mod live;
pub mod parsed;
mod router;
mod strays;
pub mod shards;
pub mod sift;
pub mod stream;
mod timers;

use std::net::IpAddr;

use crate::frame::FrameId;
use crate::limits::{Limits, Tally};
use crate::model::{CallFlow, Model, Seed, Vantage};
use crate::net::PathId;
use crate::transport::Observation;
use analyzer::Harvest;
use live::Flows;
use router::Router;

/// Items that are read before the first is judged: few enough that their text is still in a near cache.
const BATCH: usize = 128;

/// Whoever hands out what was seen on the wire, in capture order.
pub trait Feed {
    /// Calls `each` for what the next frame brought, maybe not at all; `false` at the end.
    fn advance(&mut self, each: &mut dyn FnMut(Observation<'_>)) -> bool;

    /// What the capture point could see so far.
    fn vantage(&mut self) -> Vantage;

    /// What was read and lost so far.
    fn tally(&self) -> Tally;

    /// The encapsulations of [`Envelope::path`](crate::transport::Envelope::path), outermost
    /// first; empty without any.
    #[allow(clippy::unnecessary_literal_bound)] // Others keep a table of them.
    fn path(&self, _id: PathId) -> &str {
        ""
    }

    /// The interface on which the frame that was read last was captured; empty when that is not
    /// `frame`, when there is one interface only, or it is not known.
    #[allow(clippy::unnecessary_literal_bound)]
    fn interface(&self, _frame: FrameId) -> &str {
        ""
    }
}

/// What is said of a flow that has to be let go before the end: what can be said by then.
pub type LetGo<'a, R> = dyn Fn(&CallFlow) -> R + Sync + 'a;

/// How an analysis runs.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What may be held.
    pub limits: Limits,
    /// Threads that analyze, beside the one that reads; 1 does all on the caller's.
    pub jobs: usize,
    /// Key of all hashes of what strangers wrote.
    pub seed: Seed,
}

impl Plan {
    /// A plan within `limits` on `jobs` threads, with hashes nobody can foresee.
    pub fn new(limits: Limits, jobs: usize) -> Self {
        Self { limits, jobs: jobs.max(1), seed: Seed::random() }
    }
}

/// All that came of a run.
pub struct Analysis<R> {
    /// The model.
    pub model: Model,
    /// What was said of flows that were let go, in order of their first message.
    pub let_go: Vec<R>,
}

/// Runs `feed` to its end.
///
/// The result is the same for any number of jobs, as long as no bound of the plan is reached.
pub fn analyze<R: Send>(feed: &mut dyn Feed, plan: &Plan, let_go: &LetGo<'_, R>) -> Analysis<R> {
    if plan.jobs <= 1 {
        let mut flows = Flows::new(plan, let_go);
        while feed.advance(&mut |observation| flows.observe(&observation)) {}
        return flows.finish(feed);
    }
    let mut router = Router::new(plan.seed, plan.limits.names);
    let harvests = shards::spread(feed, &mut router, plan, let_go);
    assemble(harvests, router, feed, plan.seed)
}

/// Puts what the shards found together: flows in order of their first message.
fn assemble<R>(
    harvests: Vec<Harvest<R>>,
    router: Router,
    feed: &mut dyn Feed,
    seed: Seed,
) -> Analysis<R> {
    let (vantage, mut tally) = (feed.vantage(), feed.tally());
    let mut flows = Vec::new();
    let mut let_go = Vec::new();
    for harvest in harvests {
        flows.extend(harvest.flows);
        let_go.extend(harvest.let_go);
        tally.add(&harvest.tally);
    }
    // With one thread and no flow let go they came so.
    flows.sort_by_key(|(first, _)| *first);
    let mut flows: Vec<_> = flows.into_iter().map(|(_, flow)| flow).collect();
    flows.shrink_to_fit();
    let_go.sort_by_key(|(seq, _)| *seq);
    router.strays().settle(&mut flows, &mut tally);
    let mut model = Model::new(flows, vantage.last, deaf(&vantage), seed);
    model.vantage = vantage;
    model.tally = tally;
    Analysis { model, let_go: let_go.into_iter().map(|(_, report)| report).collect() }
}

/// Whether nothing was seen of a receiver that would have answered the sender.
fn deaf(vantage: &Vantage) -> impl Fn(IpAddr, IpAddr) -> bool + '_ {
    |from, to| !vantage.full && !vantage.saw(to, from)
}

pub mod reader;

pub use reader::Reader;
pub use stream::{EachMessage, Stream, stream};

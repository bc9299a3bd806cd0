//! Which hosts a ladder has, and in what order they stand: requests mostly go right.

use std::collections::BTreeMap;
use std::net::IpAddr;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graphmap::DiGraphMap;

use super::{LadderOptions, Lane, LaneKey};
use crate::net::Endpoint;
use crate::view::visible::visible;

/// Lanes in the order of their first word, and the requests between them.
#[derive(Default)]
pub(super) struct Lanes {
    places: BTreeMap<String, usize>,
    known: Vec<Lane>,
    requests: DiGraphMap<usize, i64>,
}

impl Lanes {
    /// The lane of `endpoint`, made when it is new.
    pub(super) fn lane(&mut self, endpoint: Endpoint, options: &LadderOptions) -> usize {
        let name = name(endpoint, options);
        let next = self.known.len();
        let place = *self.places.entry(name.clone()).or_insert(next);
        if place == next {
            self.known.push(Lane { name, product: None });
            self.requests.add_node(place);
        }
        place
    }

    /// What `lane` says it is; the first word counts.
    pub(super) fn product(&mut self, lane: usize, product: &[u8]) {
        if let Some(lane) = self.known.get_mut(lane)
            && lane.product.is_none()
        {
            lane.product = Some(visible(product)).filter(|text| !text.is_empty());
        }
    }

    /// A request went from lane to lane; one that creates a dialog weighs more.
    pub(super) fn request(&mut self, from: usize, to: usize, weight: i64) {
        if from == to {
            return;
        }
        let known = self.requests.edge_weight(from, to).copied().unwrap_or(0);
        self.requests.add_edge(from, to, known + weight);
    }

    /// The lanes from left to right, and for each lane by first word its place in them.
    pub(super) fn arrange(self) -> (Vec<Lane>, Vec<usize>) {
        let order = order(&self.requests, self.known.len());
        let mut places = vec![0; self.known.len()];
        for (place, lane) in order.iter().enumerate() {
            if let Some(slot) = places.get_mut(*lane) {
                *slot = place;
            }
        }
        let lanes = order.iter().filter_map(|lane| self.known.get(*lane).cloned()).collect();
        (lanes, places)
    }
}

/// An IPv4 address mapped into IPv6 is the IPv4 host.
fn name(endpoint: Endpoint, options: &LadderOptions) -> String {
    if endpoint.known().is_none() {
        return endpoint.to_string();
    }
    let ip = endpoint.ip.to_canonical();
    let alias = options.aliases.iter().find(|(address, _)| address.to_canonical() == ip);
    let host = match (alias, ip, options.lanes) {
        (Some((_, alias)), _, _) => visible(alias.as_bytes()),
        (None, IpAddr::V6(ip), LaneKey::HostPort) => format!("[{ip}]"),
        (None, ip, _) => ip.to_string(),
    };
    match options.lanes {
        LaneKey::Host => host,
        LaneKey::HostPort => format!("{host}:{}", endpoint.port),
    }
}

/// Lanes from left to right. Hosts that never talk to each other stay apart, in order of first
/// word; among those that do, few requests go left: in order of first word where no better order is
/// found, else as the greedy heuristic of Eades, Lin and Smyth for the feedback arc set has it.
fn order(requests: &DiGraphMap<usize, i64>, count: usize) -> Vec<usize> {
    let mut order = Vec::with_capacity(count);
    let mut placed = vec![false; count];
    for first in 0..count {
        if placed.get(first).copied().unwrap_or(true) {
            continue;
        }
        let group = group_of(requests, first);
        for lane in &group {
            if let Some(slot) = placed.get_mut(*lane) {
                *slot = true;
            }
        }
        let better = order_greedily(requests, group.clone());
        let is_better = going_left(requests, &better) < going_left(requests, &group);
        order.extend(if is_better { better } else { group });
    }
    order
}

/// All lanes that `first` is connected with, itself included, in order of first word.
fn group_of(requests: &DiGraphMap<usize, i64>, first: usize) -> Vec<usize> {
    let mut group = vec![first];
    let mut at = 0;
    while let Some(&lane) = group.get(at) {
        at += 1;
        for direction in [Outgoing, Incoming] {
            for next in requests.neighbors_directed(lane, direction) {
                if !group.contains(&next) {
                    group.push(next);
                }
            }
        }
    }
    group.sort_unstable();
    group
}

/// The weight of the requests that go left when lanes stand in `order`.
fn going_left(requests: &DiGraphMap<usize, i64>, order: &[usize]) -> i64 {
    let places: BTreeMap<usize, usize> = order.iter().copied().zip(0..).collect();
    order
        .iter()
        .flat_map(|lane| requests.edges_directed(*lane, Outgoing))
        .filter(|(from, to, _)| places.get(to) < places.get(from))
        .map(|(_, _, weight)| *weight)
        .sum()
}

fn order_greedily(requests: &DiGraphMap<usize, i64>, group: Vec<usize>) -> Vec<usize> {
    let mut rest = group;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let flow = |lane: usize, direction| -> i64 {
            requests
                .edges_directed(lane, direction)
                .filter(|(a, b, _)| rest.contains(if *a == lane { b } else { a }))
                .map(|(_, _, weight)| *weight)
                .sum()
        };
        let sink = rest.iter().rposition(|lane| flow(*lane, Outgoing) == 0);
        let source = rest.iter().position(|lane| flow(*lane, Incoming) == 0);
        if let (Some(at), true) = (sink, source.is_none() || 1 < rest.len()) {
            right.push(rest.remove(at));
        } else if let Some(at) = source {
            left.push(rest.remove(at));
        } else {
            let surplus = |lane: usize| flow(lane, Outgoing) - flow(lane, Incoming);
            let best = rest.iter().map(|lane| surplus(*lane)).max();
            let at = rest.iter().position(|lane| Some(surplus(*lane)) == best).unwrap_or(0);
            left.push(rest.remove(at));
        }
    }
    left.extend(right.into_iter().rev());
    left
}

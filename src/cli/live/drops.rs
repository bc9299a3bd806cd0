//! Says what interfaces lose while they lose it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::capture::live::Live;

/// How often losses that go on are said again; the closing line has all of them.
const EVERY: Duration = Duration::from_secs(5);

/// How the name of a listener begins, and that of no interface: no filter keeps packets from it.
pub(super) const HEP: &str = "hep ";

/// What was said of losses so far.
#[derive(Default)]
pub(super) struct Drops {
    said: BTreeMap<String, (u64, u64)>,
    at: Option<Instant>,
}

impl Drops {
    /// A sentence for each interface that lost packets since the last time.
    #[allow(clippy::disallowed_methods)] // How often, is of the user's time.
    pub(super) fn news(&mut self, live: &Live) -> Vec<String> {
        if self.at.is_some_and(|at| at.elapsed() < EVERY) {
            return Vec::new();
        }
        let mut news = Vec::new();
        for (name, counts) in live.drops() {
            let said = self.said.insert(name.to_owned(), counts).unwrap_or_default();
            let (kernel, interface) = (counts.0 - said.0, counts.1 - said.1);
            if kernel != 0 {
                let filter = if name.starts_with(HEP) { "" } else { " or a packet filter" };
                news.push(format!(
                    "{name}: {kernel} packets dropped by the kernel: a larger --buffer{filter} helps"
                ));
            }
            if interface != 0 {
                news.push(format!("{name}: {interface} packets dropped by the interface"));
            }
        }
        if !news.is_empty() {
            self.at = Some(Instant::now());
        }
        news
    }
}

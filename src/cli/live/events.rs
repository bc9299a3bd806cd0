//! `siplens live --registrations`: what happens to registrations when it happens, and the audit at
//! the end.

use std::collections::VecDeque;
use std::io::{self, Write};

use super::super::audit::Judge;
use super::show::{Ended, Moment, Show};
use crate::engine::Feed;
use crate::engine::parsed::Parsed;
use crate::engine::sift::Sift;
use crate::limits::Tally;
use crate::model::audit::Platform;
use crate::model::audit::lookout::Change;
use crate::model::audit::series::Stretch;
use crate::rules::Selection;
use crate::time::Timestamp;
use crate::view::live::metrics::Registrations as Numbers;
use crate::view::live::registrations::{line, object};
use crate::view::registrations::{self as view, Options, Registrations};
use crate::view::{Format, Style};

/// Registrations as they change.
pub(super) struct Events<'a> {
    sift: Sift<'a>,
    judge: &'a Judge,
    selection: &'a Selection,
    platform: Option<Platform>,
    format: Format,
    style: Style,
    names: &'a [String],
    begun: bool,
    pending: VecDeque<Change>,
}

impl<'a> Events<'a> {
    pub(super) fn new(
        sift: Sift<'a>,
        (judge, selection, platform): (&'a Judge, &'a Selection, Option<Platform>),
        (format, style): (Format, Style),
        names: &'a [String],
    ) -> Self {
        let pending = VecDeque::new();
        Self { sift, judge, selection, platform, format, style, names, begun: false, pending }
    }

    fn poll(&mut self) {
        while let Some(change) = self.sift.poll() {
            self.pending.push_back(change);
        }
    }

    fn print(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.pending.drain(..).try_for_each(|change| match self.format {
            Format::Text => line(&change, &self.style, out),
            _ => object(&change, out),
        })
    }
}

impl Show for Events<'_> {
    fn observe(&mut self, seen: Parsed<'_>) {
        self.sift.observe(seen);
        self.poll();
    }

    fn frame(&mut self, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.sift.begin(feed.vantage().first);
        }
        self.print(out)
    }

    fn gap(&mut self, stretch: Stretch) {
        self.sift.lost(stretch);
    }

    fn pulse(&mut self, moment: &Moment<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.sift.advance(moment.now);
        self.poll();
        self.print(out)
    }

    fn lost(&self) -> Tally {
        self.sift.tally()
    }

    fn registrations(&self, now: Timestamp) -> Option<Numbers> {
        self.sift.counts().map(|counts| Numbers::of(counts, now))
    }

    fn finish(mut self: Box<Self>, feed: &mut dyn Feed, out: &mut dyn Write) -> io::Result<Ended> {
        let vantage = feed.vantage();
        self.sift.advance(vantage.last);
        self.poll();
        self.print(out)?;
        let Self { sift, judge, selection, platform, format, style, names, .. } = *self;
        let (mut audit, tally): (_, Tally) = sift.finish(&vantage, feed.tally());
        judge.name(&mut audit);
        let (shown, lost) = (audit.len(), (&tally, vantage.dropped));
        let options = Options { platform, ..Options::default() };
        let all = Registrations::new(&audit, selection, lost, names, options);
        if format == Format::Text && shown != 0 {
            view::write(&all, format, &style, out)?;
        }
        let worst = all.worst();
        drop(all);
        Ok(Ended { tally, shown, worst })
    }
}

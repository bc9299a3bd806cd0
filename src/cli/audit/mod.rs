//! `siplens registrations`: expectations become policies, the audit becomes a report.

pub mod args;
mod file;
mod inventory;
mod learn;
pub(super) mod values;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Write as _};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::Outcome;
use super::args::RuleArgs;
use super::output::{Paging, Sink};
use super::run::Run;
use super::window::Window;
use crate::engine::sift::Audited;
use crate::limits::Tally;
use crate::model::audit::identity::GbId;
use crate::model::audit::{Applicant, Audit, Policy, Terms};
use crate::model::{Model, Vantage};
use crate::rules::registration::translate;
use crate::rules::{RULES, Report, Selection};
use crate::time::Timestamp;
use crate::view::html::{self, ReportOptions};
use crate::view::registrations::{self as view, Options, Registrations, detail};
use crate::view::{Format, Subject};
use args::{AuditFormat, PolicyArgs, RegistrationsArgs};
use file::PolicyFile;
use inventory::Known;

/// `siplens registrations`.
pub(super) fn registrations(args: &RegistrationsArgs) -> anyhow::Result<Outcome> {
    if let Some(id) = &args.explain_id {
        return explain(id);
    }
    let judge = Judge::of(&args.policy)?;
    let selection = selection(&args.rules, &judge)?;
    let only = only(&args.only)?;
    let mut run = Run::open(&args.common)?;
    let gaps = gaps(&args.gap, &run)?;
    let Audited { mut audit, vantage, tally } = run.audit(&Terms {
        policy: &|applicant| judge.policy(applicant),
        gaps: &|first| gaps.iter().map(|gap| stretch(gap, first)).collect(),
        flows: &|_| true,
        hostile: &crate::rules::is_scanner,
        pages: &|device| args.device.as_ref().is_some_and(|glob| judge.fits(glob, device)),
    });
    judge.name(&mut audit);
    let paging = match args.format {
        AuditFormat::Text if !args.policy.learn => Paging::Allowed,
        _ => Paging::Never,
    };
    let mut sink = run.sink(paging)?;
    if args.csv_bom && args.format == AuditFormat::Csv {
        sink.write_all("\u{feff}".as_bytes())?;
    }
    let shown = audit.len();
    let view = Registrations::new(
        &audit,
        &selection,
        (&tally, vantage.dropped),
        &run.files,
        options(args, only),
    );
    let is_empty = shown == 0 && audit.absent.is_empty();
    match format(args.format) {
        _ if args.policy.learn => learn::write(&audit, &mut sink)?,
        Some(Format::Text) if is_empty => {}
        Some(format) => view::write(&view, format, &run.style(&sink), &mut sink)?,
        None => {}
    }
    let worst = view.worst();
    drop(view);
    if args.format == AuditFormat::Html && !args.policy.learn {
        page(audit, selection, (vantage, tally.clone()), &run, &mut sink)?;
    }
    for sentence in judge.unused() {
        let _ = writeln!(io::stderr(), "siplens: {sentence}");
    }
    let outcome = run.close(sink, tally, (shown, "device"))?;
    let fails = args.fail_on.threshold().is_some_and(|limit| worst.is_some_and(|w| limit <= w));
    let counts = outcome == Outcome::Fine && fails && !args.policy.learn;
    Ok(if counts { Outcome::Findings } else { outcome })
}

/// What a format is to the views; `None` for a page.
const fn format(format: AuditFormat) -> Option<Format> {
    match format {
        AuditFormat::Text => Some(Format::Text),
        AuditFormat::Json => Some(Format::Json),
        AuditFormat::Ndjson => Some(Format::Ndjson),
        AuditFormat::Csv => Some(Format::Csv),
        AuditFormat::Html => None,
    }
}

/// The audit as a page of its own: a report that holds no calls.
fn page(
    audit: Audit,
    selection: Selection,
    (vantage, tally): (Vantage, Tally),
    run: &Run<'_>,
    sink: &mut Sink,
) -> io::Result<()> {
    let mut model = Model::default();
    (model.vantage, model.tally) = (vantage, tally);
    let report = Report::default();
    let options = ReportOptions {
        title: format!("Registrations in {}", super::commands::inputs(&run.files)),
        time: run.style(sink).time,
        audit: Some(Arc::new((audit, selection))),
        ..ReportOptions::default()
    };
    html::write(&Subject::new(&model, &report, &run.files), &options, sink)
}

fn options(args: &RegistrationsArgs, only: Vec<(&'static str, Option<&'static str>)>) -> Options {
    Options {
        all: args.all,
        wide: args.wide,
        sort: args.sort.sort(),
        group: args.group,
        device: args.device.clone(),
        only,
        platform: args.policy.platform.map(|key| key.0),
    }
}

/// `--explain-id`.
fn explain(id: &str) -> anyhow::Result<Outcome> {
    let Some(parts) = GbId::of(id.trim()) else {
        bail!("{id:?} is no identifier of GB/T 28181: those have 20 digits");
    };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", detail::explain_id(&parts))?;
    stdout.flush()?;
    Ok(Outcome::Fine)
}

/// The rules that options and policy file choose.
pub(super) fn selection(args: &RuleArgs, judge: &Judge) -> anyhow::Result<Selection> {
    let words = |list: &[String]| list.iter().map(|word| translate(word)).collect::<Vec<_>>();
    let (select, mut ignore) = (words(&args.select), words(&args.ignore));
    Selection::parse(&select, &[]).context("--select")?;
    Selection::parse(&ignore, &[]).context("--ignore")?;
    let mut severities = Vec::new();
    for (rule, severity) in judge.file.iter().flat_map(|file| &file.rules) {
        match severity {
            Some(severity) => severities.push((rule.clone(), *severity)),
            None => ignore.push(rule.clone()),
        }
    }
    severities.extend(args.severity.iter().map(|(rule, level)| (translate(rule), *level)));
    let selection = Selection::parse(&select, &ignore)?;
    selection.with_severities(&severities).context("--severity")
}

/// Rules, and kinds of rules, that `--only` names.
fn only(words: &[String]) -> anyhow::Result<Vec<(&'static str, Option<&'static str>)>> {
    let mut all = Vec::new();
    for word in words {
        let word = translate(word);
        let chosen = Selection::parse(std::slice::from_ref(&word), &[]).context("--only")?;
        for (index, rule) in crate::rules::numbered().filter(|(index, _)| chosen.is_on(*index)) {
            if rule.kinds.is_empty() {
                all.push((rule.name, None));
            }
            let kinds = rule.kinds.iter().map(|(kind, _)| *kind);
            let on = kinds.filter(|kind| chosen.level(index, Some(kind)).is_some());
            all.extend(on.map(|kind| (rule.name, Some(kind))));
        }
    }
    debug_assert!(RULES.len() < usize::from(u16::MAX));
    Ok(all)
}

/// Stretches of `--gap`.
fn gaps(words: &[String], run: &Run<'_>) -> anyhow::Result<Vec<Window>> {
    let mut all = Vec::new();
    for word in words {
        let (from, until) =
            word.split_once("..").with_context(|| format!("--gap {word}: expected FROM..TO"))?;
        let window = Window::parse(Some(from), Some(until), &run.zone());
        let window = window.with_context(|| format!("--gap {word}"))?;
        all.push(window);
    }
    Ok(all)
}

/// What `gap` leaves out of an input that begins at `first`, nanoseconds since the epoch.
fn stretch(gap: &Window, first: Timestamp) -> (i64, i64) {
    let (from, until) = gap.from(first);
    (from.0, until.0)
}

/// What devices are judged by: defaults, the policy file, the inventory, the command line.
pub(super) struct Judge {
    file: Option<PolicyFile>,
    inventory: BTreeMap<String, Known>,
    own: Own,
    /// What holds where nobody says otherwise.
    base: Policy,
    /// Policies by the blocks they are made of.
    made: RefCell<HashMap<Vec<usize>, Arc<Policy>>>,
}

/// What the command line says.
struct Own {
    expect: Option<crate::model::audit::Expect>,
    tolerance: Option<String>,
    keepalive: Option<(i64, Option<u32>)>,
    min_expiry: Option<u32>,
    profile: crate::model::audit::Profile,
}

impl Judge {
    pub(super) fn of(args: &PolicyArgs) -> anyhow::Result<Self> {
        fn value<T>(
            text: Option<&String>,
            option: &'static str,
            parse: impl Fn(&str) -> Result<T, String>,
        ) -> anyhow::Result<Option<T>> {
            let parse =
                |text: &String| parse(text).map_err(|what| anyhow::anyhow!("{option}: {what}"));
            text.map(parse).transpose()
        }
        let own = Own {
            expect: value(args.expect.as_ref(), "--expect", values::expect)?,
            tolerance: args.tolerance.clone(),
            keepalive: value(args.keepalive.as_ref(), "--keepalive", values::keepalive)?,
            min_expiry: value(args.min_expiry.as_ref(), "--min-expiry", values::whole_seconds)?,
            profile: args.profile.profile(),
        };
        let file = args.policy.as_deref().map(PolicyFile::read).transpose()?;
        let list = file.as_ref().and_then(|file| file.inventory.as_deref());
        let inventory = list.map(inventory::read).transpose()?.unwrap_or_default();
        let base = Policy::default();
        let judge = Self { file, inventory, own, base, made: RefCell::default() };
        let usual = judge.own.expect.or(Some(crate::model::audit::Expect::Interval(1)));
        value(judge.own.tolerance.as_ref(), "--tolerance", |text| values::tolerance(text, usual))?;
        Ok(judge)
    }

    /// The same, where what nobody says otherwise is as in `base`.
    #[cfg(feature = "live")]
    #[must_use]
    pub(super) fn based_on(self, base: Policy) -> Self {
        Self { base, ..self }
    }

    pub(super) fn policy(&self, applicant: &Applicant<'_>) -> Arc<Policy> {
        let blocks = self.file.as_ref().map(|file| file.fitting(applicant)).unwrap_or_default();
        let expect = self.inventory.get(applicant.device).and_then(|known| known.expect);
        if expect.is_some() {
            return Arc::new(self.make(&blocks, expect));
        }
        let mut made = self.made.borrow_mut();
        if let Some(policy) = made.get(&blocks) {
            return Arc::clone(policy);
        }
        let policy = Arc::new(self.make(&blocks, None));
        made.insert(blocks, Arc::clone(&policy));
        policy
    }

    fn make(&self, blocks: &[usize], expect: Option<crate::model::audit::Expect>) -> Policy {
        let mut policy = self.base.clone();
        if let Some(file) = &self.file {
            file.apply(blocks, &mut policy);
        }
        let own = &self.own;
        policy.expect = own.expect.or(expect).or(policy.expect);
        if let Some((time, count)) = own.keepalive {
            policy.keepalive = Some(time);
            policy.keepalive_count = count.or(policy.keepalive_count);
        }
        policy.min_expiry = own.min_expiry.or(policy.min_expiry);
        if own.profile != crate::model::audit::Profile::Auto {
            policy.profile = own.profile;
        }
        if let Some(text) = &own.tolerance {
            // A span needs an interval; where none is expected, nothing is judged by it.
            policy.tolerance = values::tolerance(text, policy.expect).unwrap_or(policy.tolerance);
        }
        policy
    }

    /// True when `glob` fits the identifier of a device, or what the operator calls it.
    fn fits(&self, glob: &str, device: &str) -> bool {
        let alias = self.inventory.get(device).and_then(|known| known.name.as_deref());
        let mut names = [Some(device), alias].into_iter().flatten();
        names.any(|name| view::matches(glob.as_bytes(), name.as_bytes()))
    }

    /// Gives devices their names, and notes those of the inventory that were not seen.
    pub(super) fn name(&self, audit: &mut Audit) {
        let seen: BTreeSet<&str> = (0..audit.len()).map(|place| audit.ids(place).0).collect();
        let absent = self.inventory.iter().filter(|(device, _)| !seen.contains(device.as_str()));
        let absent = absent.map(|(device, known)| match &known.name {
            Some(name) => format!("{device} {name}"),
            None => device.clone(),
        });
        let absent: Vec<String> = absent.collect();
        let named = self
            .inventory
            .iter()
            .filter_map(|(device, known)| Some((device.clone(), known.name.clone()?)));
        audit.names = named.collect();
        audit.absent = absent;
    }

    pub(super) fn unused(&self) -> Vec<String> {
        self.file.as_ref().map(PolicyFile::unused).unwrap_or_default()
    }
}

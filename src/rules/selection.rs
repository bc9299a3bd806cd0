//! Which rules are on, and how much each weighs: what `--select`, `--ignore`, `--severity` mean.

use std::sync::OnceLock;

use super::schedule::Schedule;
use super::{RULES, Rule, RuleIndex, Severity, Tier, find, numbered};

/// A choice of rules and kinds with their severities.
#[derive(Clone, Debug)]
pub struct Selection {
    /// By rule, then by kind; a rule without kinds has one level.
    levels: Vec<Box<[Option<Level>]>>,
    /// Made of the levels when it is asked for.
    schedule: OnceLock<Schedule>,
}

/// How much a kind weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its severity.
    pub severity: Severity,
    /// True when the user said so; then no guard lowers it.
    pub fixed: bool,
}

/// A selector that names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called {word}{}", hint(.nearest))]
pub struct UnknownSelector {
    /// What was written.
    pub word: String,
    /// Names that look like it, nearest first.
    pub nearest: Vec<String>,
}

fn hint(nearest: &[String]) -> String {
    if nearest.is_empty() {
        return "; `siplens rules` lists them".to_owned();
    }
    format!("; did you mean {}?", nearest.join(" or "))
}

impl Default for Selection {
    /// Every rule and kind that is on by default.
    fn default() -> Self {
        let mut selection = Self::none();
        selection.set(&Selector::Default, true);
        selection
    }
}

impl Selection {
    /// Every rule and kind.
    pub fn all() -> Self {
        let mut selection = Self::none();
        selection.set(&Selector::All, true);
        selection
    }

    /// What `select` names (the default set when it is empty) without what `ignore` names.
    ///
    /// A selector is a code, a name, a prefix of codes (`M`, `T0`), a scope, a tier, a severity,
    /// `rule:kind`, `all`, `default` or `pedantic`; several may be joined by commas.
    pub fn parse(select: &[String], ignore: &[String]) -> Result<Self, UnknownSelector> {
        let mut selection = if select.is_empty() { Self::default() } else { Self::none() };
        for selector in words(select) {
            selection.set(&Selector::of(selector)?, true);
        }
        for selector in words(ignore) {
            selection.set(&Selector::of(selector)?, false);
        }
        Ok(selection)
    }

    /// The same with the severities of `overrides`: selector and severity, the last one wins.
    pub fn with_severities(
        mut self,
        overrides: &[(String, Severity)],
    ) -> Result<Self, UnknownSelector> {
        for (word, severity) in overrides {
            let selector = Selector::of(word)?;
            self.visit(&selector, |level, _| {
                if let Some(level) = level {
                    *level = Level { severity: *severity, fixed: true };
                }
            });
        }
        Ok(self)
    }

    /// How much a breach of `kind` weighs; `None` when it is off.
    pub fn level(&self, index: RuleIndex, kind: Option<&str>) -> Option<Level> {
        let levels = self.levels.get(usize::from(index.0))?;
        let at = match kind {
            None => 0,
            Some(kind) => index.rule().kinds.iter().position(|(name, _)| *name == kind)?,
        };
        levels.get(at).copied().flatten()
    }

    /// True when any kind of the rule is on.
    pub fn is_on(&self, index: RuleIndex) -> bool {
        self.levels.get(usize::from(index.0)).is_some_and(|kinds| kinds.iter().any(Option::is_some))
    }

    /// No rule at all.
    pub fn none() -> Self {
        let levels = RULES.iter().map(|rule| vec![None; rule.kinds.len().max(1)].into()).collect();
        Self { levels, schedule: OnceLock::new() }
    }

    /// The checks of the rules that are on.
    pub(super) fn schedule(&self) -> &Schedule {
        self.schedule.get_or_init(|| Schedule::new(self))
    }

    fn set(&mut self, selector: &Selector, on: bool) {
        self.visit(selector, |level, severity| {
            *level = on.then_some(Level { severity, fixed: false });
        });
    }

    /// Calls `each` with the level of every kind `selector` names and the catalogue's severity.
    fn visit(&mut self, selector: &Selector, mut each: impl FnMut(&mut Option<Level>, Severity)) {
        self.schedule = OnceLock::new();
        for ((_, rule), levels) in numbered().zip(&mut self.levels) {
            for (at, level) in levels.iter_mut().enumerate() {
                let kind = rule.kinds.get(at).copied();
                if selector.names(rule, kind.map(|(name, _)| name)) {
                    each(level, kind.map_or(rule.severity, |(_, severity)| severity));
                }
            }
        }
    }
}

/// The selectors in `words`, which may be joined by commas.
fn words(words: &[String]) -> impl Iterator<Item = &str> {
    words.iter().flat_map(|word| word.split(',')).map(str::trim).filter(|word| !word.is_empty())
}

/// What one word of `--select` stands for.
enum Selector {
    All,
    Default,
    Pedantic,
    Tier(Tier),
    Severity(Severity),
    Scope(&'static str),
    Prefix(String),
    Rule(&'static Rule),
    Kind(&'static Rule, &'static str),
}

impl Selector {
    fn of(word: &str) -> Result<Self, UnknownSelector> {
        let lower = word.to_ascii_lowercase();
        let fixed = match lower.as_str() {
            "all" => Some(Self::All),
            "default" => Some(Self::Default),
            "pedantic" => Some(Self::Pedantic),
            "core" => Some(Self::Tier(Tier::Core)),
            "next" => Some(Self::Tier(Tier::Next)),
            "later" => Some(Self::Tier(Tier::Later)),
            "error" => Some(Self::Severity(Severity::Error)),
            "warning" => Some(Self::Severity(Severity::Warning)),
            "info" => Some(Self::Severity(Severity::Info)),
            _ => None,
        };
        if let Some(selector) = fixed {
            return Ok(selector);
        }
        if let Some(scope) = SCOPES.iter().find(|scope| **scope == lower) {
            return Ok(Self::Scope(scope));
        }
        if let Some(rule) = find(&lower) {
            return Ok(Self::Rule(rule));
        }
        if let Some((name, kind)) = lower.split_once(':')
            && let Some(rule) = find(name)
        {
            let known = rule.kinds.iter().find(|(known, _)| *known == kind);
            return match known {
                Some((kind, _)) => Ok(Self::Kind(rule, kind)),
                None => Err(unknown(word, rule.kinds.iter().map(|(k, _)| rule.label(Some(k))))),
            };
        }
        let prefix = lower.to_ascii_uppercase();
        if RULES.iter().any(|rule| rule.code.starts_with(&prefix)) {
            return Ok(Self::Prefix(prefix));
        }
        Err(unknown(word, RULES.iter().flat_map(|r| [r.name.to_owned(), r.code.to_owned()])))
    }

    fn names(&self, rule: &'static Rule, kind: Option<&'static str>) -> bool {
        let pedantic = kind.is_some_and(|kind| rule.pedantic.contains(&kind));
        match self {
            Self::All => true,
            Self::Pedantic => pedantic,
            Self::Kind(own, name) => own.code == rule.code && kind == Some(*name),
            Self::Default => !pedantic,
            Self::Tier(tier) => rule.tier == *tier && !pedantic,
            Self::Severity(severity) => {
                let own = rule.kinds.iter().find(|(name, _)| Some(*name) == kind);
                own.map_or(rule.severity, |(_, severity)| *severity) == *severity && !pedantic
            }
            Self::Scope(scope) => rule.scope() == *scope && !pedantic,
            Self::Prefix(prefix) => rule.code.starts_with(prefix.as_str()) && !pedantic,
            Self::Rule(own) => own.code == rule.code && !pedantic,
        }
    }
}

/// The scopes of rules, which are the folders they live in.
const SCOPES: &[&str] =
    &["message", "transaction", "dialog", "registration", "sdp", "media", "security", "gb28181"];

/// The error for `word`, with at most three of `names` that look like it.
fn unknown(word: &str, names: impl Iterator<Item = String>) -> UnknownSelector {
    let lower = word.to_ascii_lowercase();
    let mut near: Vec<(usize, String)> = names
        .map(|name| (distance(&lower, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.len().max(lower.len()) / 3)
        .collect();
    near.sort();
    near.truncate(3);
    let nearest = near.into_iter().map(|(_, name)| name).collect();
    UnknownSelector { word: word.to_owned(), nearest }
}

/// Letters to insert, delete or replace to get from `a` to `b` (Levenshtein).
pub fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.bytes().enumerate() {
            let (left, above) = (row[j], row[j + 1]);
            row[j + 1] = (diagonal + usize::from(x != y)).min(left + 1).min(above + 1);
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn on(select: &[&str], ignore: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let selection = Selection::parse(&owned(select), &owned(ignore)).unwrap();
        let mut labels = Vec::new();
        for (index, rule) in numbered() {
            let kinds: Vec<_> = rule.kinds.iter().map(|(kind, _)| Some(*kind)).collect();
            let kinds = if kinds.is_empty() { vec![None] } else { kinds };
            for kind in kinds {
                if selection.level(index, kind).is_some() {
                    labels.push(rule.label(kind));
                }
            }
        }
        labels
    }

    #[test]
    fn a_code_and_a_name_select_the_same_rule() {
        assert_eq!(on(&["M014"], &[]), ["M014"]);
        assert_eq!(on(&["cseq-method-mismatch"], &[]), ["M014"]);
        assert_eq!(on(&["m014,M015"], &[]), ["M014", "M015"]);
    }

    #[test]
    fn a_kind_is_selected_and_ignored_alone() {
        assert_eq!(on(&["M003:bare-lf"], &[]), ["M003:bare-lf"]);
        assert!(
            !on(&["M003"], &["header-line-malformed:bare-lf"]).contains(&"M003:bare-lf".into())
        );
    }

    #[test]
    fn prefixes_scopes_and_tiers_select_many() {
        let messages = on(&["M"], &[]);
        assert_eq!(messages, on(&["message"], &[]));
        assert!(messages.iter().all(|label| label.starts_with('M')));
        assert!(on(&["M01"], &[]).iter().all(|label| label.starts_with("M01")));
        assert!(on(&["core"], &[]).contains(&"M014".into()));
        assert_eq!(on(&["all"], &["all"]), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_selector_names_the_nearest() {
        let error = Selection::parse(&["cseq-metod-mismatch".into()], &[]).unwrap_err();
        assert_eq!(error.nearest.first().map(String::as_str), Some("cseq-method-mismatch"));
        let error = Selection::parse(&["M003:bare-if".into()], &[]).unwrap_err();
        assert_eq!(error.nearest, ["M003:bare-lf"]);
        assert!(error.to_string().contains("did you mean M003:bare-lf?"), "{error}");
    }

    #[test]
    fn a_severity_set_by_the_user_is_final() {
        let selection =
            Selection::default().with_severities(&[("M014".into(), Severity::Info)]).unwrap();
        let (index, _) = numbered().find(|(_, rule)| rule.code == "M014").unwrap();
        let level = selection.level(index, None).unwrap();
        assert_eq!(level, Level { severity: Severity::Info, fixed: true });
    }
}

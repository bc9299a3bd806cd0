//! A policy file: what is expected of which devices, which rules count, what should be there.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::values::{self, Range};
use crate::model::audit::identity::GbId;
use crate::model::audit::{Applicant, Policy, Profile};
use crate::rules::Severity;
use crate::view::registrations::matches;

/// A policy file as read.
#[derive(Debug, Default)]
pub(super) struct PolicyFile {
    name: String,
    defaults: Keys,
    blocks: Vec<Block>,
    /// Rules by selector: `None` for off.
    pub(super) rules: Vec<(String, Option<Severity>)>,
    /// The inventory.
    pub(super) inventory: Option<PathBuf>,
}

/// One `[[match]]`.
#[derive(Debug)]
struct Block {
    line: usize,
    keys: Keys,
    source: Option<Range>,
    /// What identifiers must match, from their first to their last character.
    device: Option<Regex>,
    used: Cell<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    defaults: Spanned1<Keys>,
    #[serde(default, rename = "match")]
    matches: Vec<Spanned<Keys>>,
    #[serde(default)]
    rules: std::collections::BTreeMap<String, Spanned<String>>,
    expected: Option<Expected>,
}

/// A table that may be absent.
type Spanned1<T> = Option<Spanned<T>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    file: PathBuf,
}

/// What `[defaults]` and `[[match]]` may say; those that choose devices only in the latter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    name: Option<String>,
    #[serde(default)]
    device: Globs,
    device_re: Option<Spanned<String>>,
    #[serde(default)]
    registrar: Globs,
    #[serde(default)]
    user_agent: Globs,
    source: Option<Spanned<String>>,
    #[serde(default, rename = "type")]
    kind: Globs,
    profile: Option<Spanned<String>>,
    expect: Option<Spanned<String>>,
    tolerance: Option<Spanned<ToleranceKey>>,
    keepalive: Option<Spanned<String>>,
    keepalive_count: Option<Spanned<u32>>,
    min_expiry: Option<Spanned<String>>,
    min_retry: Option<Spanned<String>>,
    lapse_grace: Option<Spanned<String>>,
    default_expiry: Option<Spanned<String>>,
    tcp_close_ends_binding: Option<Spanned<Switch>>,
    max_rrd: Option<Spanned<String>>,
    gb_tz: Option<Spanned<String>>,
}

/// One text or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Globs {
    One(String),
    Many(Vec<String>),
}

impl Default for Globs {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Globs {
    fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// True when nothing is asked for, or one of them fits.
    fn fits(&self, text: &str) -> bool {
        let all = self.all();
        all.is_empty() || all.iter().any(|glob| matches(glob.as_bytes(), text.as_bytes()))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum ToleranceKey {
    Both(String),
    Each { over: String, under: String },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Switch {
    Fixed(bool),
    Word(String),
}

impl PolicyFile {
    /// Reads `path`.
    ///
    /// # Errors
    /// Names the file, the line and the key.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the policy file {name}"))?;
        Self::parse(&name, &text).map(|mut file| {
            // The inventory lies beside the policy.
            file.inventory = file.inventory.map(|own| match path.parent() {
                Some(folder) if own.is_relative() => folder.join(own),
                _ => own,
            });
            file
        })
    }

    fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        let document: Document = match toml::from_str(text) {
            Ok(document) => document,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                bail!("{name} line {line}: {}", error.message());
            }
        };
        let check = Checker { name, text };
        let defaults = match document.defaults {
            Some(keys) => {
                let line = line_of(text, keys.span().start);
                let keys = keys.into_inner();
                if keys.chooses() {
                    bail!("{name} line {line}: [defaults] cannot choose devices; [[match]] does");
                }
                keys
            }
            None => Keys::default(),
        };
        check.keys(&defaults)?;
        let mut blocks = Vec::new();
        for keys in document.matches {
            let line = line_of(text, keys.span().start);
            let keys = keys.into_inner();
            if !keys.chooses() {
                bail!(
                    "{name} line {line}: [[match]] chooses no device: give it device, device_re, \
                     type, source, user_agent or registrar"
                );
            }
            check.keys(&keys)?;
            let source =
                keys.source.as_ref().map(|s| check.at(s, "source", Range::parse(s.as_ref())));
            let device = keys.device_re.as_ref().map(|text| {
                let whole = Regex::new(&format!("^(?:{})$", text.as_ref()));
                check.at(text, "device_re", whole.map_err(|error| complaint(&error)))
            });
            let (source, device) = (source.transpose()?, device.transpose()?);
            blocks.push(Block { line, source, device, keys, used: Cell::new(false) });
        }
        let mut rules = Vec::new();
        for (rule, level) in document.rules {
            let severity = match level.as_ref().as_str() {
                "off" => Ok(None),
                "error" => Ok(Some(Severity::Error)),
                "warn" | "warning" => Ok(Some(Severity::Warning)),
                "info" => Ok(Some(Severity::Info)),
                other => Err(format!("{other:?} is none of off, info, warning, error")),
            };
            let selector = crate::rules::registration::translate(&rule);
            let known = crate::rules::Selection::parse(std::slice::from_ref(&selector), &[]);
            check.at(&level, &rule, known.map_err(|error| error.to_string()))?;
            rules.push((selector, check.at(&level, &rule, severity)?));
        }
        let inventory = document.expected.map(|expected| expected.file);
        Ok(Self { name: name.to_owned(), defaults, blocks, rules, inventory })
    }

    /// Which blocks fit `applicant`, as their places.
    pub(super) fn fitting(&self, applicant: &Applicant<'_>) -> Vec<usize> {
        let fits = |block: &&Block| {
            let kind = GbId::of(applicant.device).map(|id| id.kind);
            let keys = &block.keys;
            let of_kind = keys.kind.all().is_empty() || kind.is_some_and(|k| keys.kind.fits(k));
            of_kind
                && keys.device.fits(applicant.device)
                && keys.registrar.fits(applicant.registrar)
                && keys.user_agent.fits(applicant.user_agent)
                && block.source.is_none_or(|range| range.holds(applicant.source))
                && block.device.as_ref().is_none_or(|regex| regex.is_match(applicant.device))
        };
        let places = self.blocks.iter().enumerate().filter(|(_, block)| fits(block));
        places
            .map(|(place, block)| {
                block.used.set(true);
                place
            })
            .collect()
    }

    /// `policy` after what the defaults and the blocks at `places` say, in the order of the file.
    pub(super) fn apply(&self, places: &[usize], policy: &mut Policy) {
        // All values were read once already.
        let _ = self.defaults.apply(policy);
        for block in places.iter().filter_map(|place| self.blocks.get(*place)) {
            let _ = block.keys.apply(policy);
        }
    }

    /// A sentence for each block that fitted no device.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = self.blocks.iter().filter(|block| !block.used.get());
        unused
            .map(|block| {
                let called =
                    block.keys.name.as_ref().map_or_else(String::new, |n| format!(" {n:?}"));
                format!(
                    "{} line {}: [[match]]{called} fits no device of the input",
                    self.name, block.line
                )
            })
            .collect()
    }
}

/// Says where in a file something is wrong.
struct Checker<'a> {
    name: &'a str,
    text: &'a str,
}

impl Checker<'_> {
    fn at<V, T>(
        &self,
        place: &Spanned<V>,
        key: &str,
        read: Result<T, String>,
    ) -> anyhow::Result<T> {
        let line = line_of(self.text, place.span().start);
        read.map_err(|what| anyhow::anyhow!("{} line {line}, {key}: {what}", self.name))
    }

    /// Tries what the keys say, so that what is wrong is said with its line.
    fn keys(&self, keys: &Keys) -> anyhow::Result<()> {
        match keys.apply(&mut Policy::default()) {
            Ok(()) => Ok(()),
            Err((key, start, what)) => {
                bail!("{} line {}, {key}: {what}", self.name, line_of(self.text, start))
            }
        }
    }
}

type Wrong = (&'static str, usize, String);

impl Keys {
    fn chooses(&self) -> bool {
        let lists = [&self.device, &self.registrar, &self.user_agent, &self.kind];
        self.source.is_some()
            || self.device_re.is_some()
            || lists.iter().any(|list| !list.all().is_empty())
    }

    fn apply(&self, policy: &mut Policy) -> Result<(), Wrong> {
        if let Some(value) = &self.profile {
            policy.profile = read(value, "profile", profile)?;
        }
        if let Some(value) = &self.expect {
            policy.expect = Some(read(value, "expect", values::expect)?);
        }
        if let Some(value) = &self.tolerance {
            let expected = policy.expect;
            let start = value.span().start;
            let tolerance = match value.as_ref() {
                ToleranceKey::Both(text) => values::tolerance(text, expected),
                ToleranceKey::Each { over, under } => {
                    values::part(over, expected).and_then(|over| {
                        let under = values::part(under, expected)?;
                        Ok(crate::model::audit::Tolerance { over, under })
                    })
                }
            };
            policy.tolerance = tolerance.map_err(|what| ("tolerance", start, what))?;
        }
        if let Some(value) = &self.keepalive {
            let (time, count) = read(value, "keepalive", values::keepalive)?;
            policy.keepalive = Some(time);
            policy.keepalive_count = count.or(policy.keepalive_count);
        }
        if let Some(value) = &self.keepalive_count {
            policy.keepalive_count = Some((*value.as_ref()).max(1));
        }
        if let Some(value) = &self.min_expiry {
            policy.min_expiry = Some(read(value, "min_expiry", values::whole_seconds)?);
        }
        if let Some(value) = &self.min_retry {
            policy.min_retry = read(value, "min_retry", values::span)?;
        }
        if let Some(value) = &self.lapse_grace {
            policy.lapse_grace = read(value, "lapse_grace", values::span)?;
        }
        if let Some(value) = &self.default_expiry {
            policy.default_expiry = read(value, "default_expiry", values::whole_seconds)?;
        }
        if let Some(value) = &self.max_rrd {
            policy.max_rrd = Some(read(value, "max_rrd", values::span)?);
        }
        if let Some(value) = &self.gb_tz {
            policy.gb_zone = read(value, "gb_tz", values::zone)?;
        }
        if let Some(value) = &self.tcp_close_ends_binding {
            policy.close_ends_binding = match value.as_ref() {
                Switch::Fixed(fixed) => Some(*fixed),
                Switch::Word(word) if word == "auto" => None,
                Switch::Word(_) => {
                    let what = "expected true, false or \"auto\"".to_owned();
                    return Err(("tcp_close_ends_binding", value.span().start, what));
                }
            };
        }
        Ok(())
    }
}

fn read<T>(
    value: &Spanned<String>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Wrong> {
    parse(value.as_ref()).map_err(|what| (key, value.span().start, what))
}

fn profile(text: &str) -> Result<Profile, String> {
    let all = [Profile::Auto, Profile::Sip, Profile::Ims, Profile::Gb2016, Profile::Gb2022];
    all.into_iter().find(|profile| profile.word() == text).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|profile| profile.word()).collect();
        format!("{text:?} is none of {}", words.join(", "))
    })
}

/// What is wrong with a regular expression, in one line.
fn complaint(error: &regex::Error) -> String {
    let text = error.to_string();
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The line of octet `at`, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|octet| **octet == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::audit::Expect;
    use crate::time::SECOND;

    const FLEET: &str = r#"
[defaults]
profile = "auto"
expect = "50%"
tolerance = { over = "10%", under = "50%" }
keepalive = "60s"
[[match]]
name = "4G cameras"
device = ["34020000001320004*", "34020000001320005*"]
keepalive = "20s"
[[match]]
name = "NVRs"
type = ["118", "130"]
expect = "43200s"
[rules]
"reg/callid-churn" = "off"
"reg/port-changed" = "warn"
"#;

    fn applicant(device: &str) -> Applicant<'_> {
        Applicant { device, registrar: "r", source: [192, 0, 2, 1].into(), user_agent: "x" }
    }

    #[test]
    fn blocks_are_merged_in_the_order_of_the_file() {
        let file = PolicyFile::parse("fleet.toml", FLEET).unwrap();
        let of = |device: &str| {
            let mut policy = Policy::default();
            file.apply(&file.fitting(&applicant(device)), &mut policy);
            policy
        };
        let camera = of("34020000001320004001");
        assert_eq!(camera.keepalive, Some(20 * SECOND));
        assert_eq!(camera.expect, Some(Expect::Share(0.5)));
        let other = of("34020000001320000001");
        assert_eq!(other.keepalive, Some(60 * SECOND));
        assert_eq!(
            file.unused(),
            [r#"fleet.toml line 11: [[match]] "NVRs" fits no device of the input"#]
        );
        let nvr = of("34020000001180000001");
        assert_eq!(nvr.expect, Some(Expect::Interval(43_200 * SECOND)));
        assert_eq!(file.rules[0], ("R002".to_owned(), None));
        assert_eq!(file.rules[1].0, "R011:source-port-changed");
        assert!(file.unused().is_empty());
    }

    #[test]
    fn a_regular_expression_is_of_the_whole_identifier() {
        let text = "[[match]]\ndevice_re = '3402\\d{6}13[12]\\d{7}'\nexpect = \"60s\"\n";
        let file = PolicyFile::parse("fleet.toml", text).unwrap();
        assert_eq!(file.fitting(&applicant("34020000001320000001")), [0]);
        assert!(file.fitting(&applicant("34020000001180000001")).is_empty());
        assert!(file.fitting(&applicant("340200000013200000012")).is_empty());
    }

    #[track_caller]
    fn wrong(text: &str, expected: &str) {
        let error = PolicyFile::parse("p.toml", text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }

    #[test]
    fn errors_name_line_and_key() {
        wrong("[defaults]\nexpct = \"60s\"\n", "p.toml line 2: unknown field `expct`");
        wrong("[defaults]\n\nexpect = \"soon\"\n", "p.toml line 3, expect: cannot read the time");
        wrong("[[match]]\nexpect = \"60s\"\n", "p.toml line 1: [[match]] chooses no device");
        wrong("[rules]\n\"no-such\" = \"off\"\n", "p.toml line 2, no-such: no rule is called");
        wrong("[rules]\n\"R006\" = \"loud\"\n", "p.toml line 2, R006: \"loud\" is none of");
        wrong("[defaults]\ndevice = \"1*\"\n", "p.toml line 1: [defaults] cannot choose");
        wrong("[[match]]\ndevice_re = \"(1\"\n", "p.toml line 2, device_re: unclosed group");
        wrong("[defaults\n", "p.toml line 1: ");
    }
}

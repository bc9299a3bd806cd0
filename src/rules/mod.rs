//! What is wrong, and where it is written: one rule, two files (`<name>.rs`, `<name>.md`) and a
//! line in [`RULES`].

pub mod finding;

pub use finding::{Finding, Place, Severity};

/// A rule: metadata and a pure function over the model.
#[derive(Debug)]
pub struct Rule {
    /// Stable code of the catalogue: `M014`.
    pub code: &'static str,
    /// Kebab-case name: `cseq-method-mismatch`.
    pub name: &'static str,
    /// What is wrong, in one sentence.
    pub statement: &'static str,
    /// Severity of its worst kind.
    pub severity: Severity,
    /// Where it is written; never empty.
    pub refs: &'static [&'static str],
    /// Its kinds and their severities; empty for a rule of one kind.
    pub kinds: &'static [(&'static str, Severity)],
    /// The page.
    pub page: &'static str,
}

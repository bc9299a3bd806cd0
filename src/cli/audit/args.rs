//! The words of `siplens registrations`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::super::args::{Common, FailOn, RuleArgs};
use crate::model::audit::{Platform, Profile};
use crate::view::registrations::Sort;

/// Options of `registrations`.
#[derive(Debug, Args)]
pub struct RegistrationsArgs {
    /// How to print the audit
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: AuditFormat,
    /// Begin CSV with a byte order mark, for spreadsheets that need one
    #[arg(long)]
    pub csv_bom: bool,
    /// Lowest severity that makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// Devices without findings, too
    #[arg(long)]
    pub all: bool,
    /// More columns: percentiles, registrar, source, User-Agent
    #[arg(long)]
    pub wide: bool,
    /// The order of rows
    #[arg(long, value_name = "ORDER", default_value = "worst")]
    pub sort: SortKey,
    /// One row for each beginning of N characters: prefix:10 for center and industry
    #[arg(long, value_name = "prefix:N", value_parser = group_of)]
    pub group: Option<usize>,
    /// A page for each device this fits: attempts, timeline (* any characters, ? any one)
    #[arg(long, value_name = "GLOB")]
    pub device: Option<String>,
    /// Devices with a finding of these rules: R006, registration-lapsed
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Say what the digits of a GB/T 28181 identifier mean; needs no input
    #[arg(long, value_name = "ID")]
    pub explain_id: Option<String>,
    /// Leave this stretch out, for nothing was captured in it: times or spans after the first
    /// packet
    #[arg(long, value_name = "FROM..TO")]
    pub gap: Vec<String>,
    /// What is expected.
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Which rules are applied.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// What all commands that read captures take.
    #[command(flatten)]
    pub common: Common,
}

/// What is expected of devices.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Policy")]
pub struct PolicyArgs {
    /// Expected refresh interval: 1800s, 30m, or a share of the granted expiry, 50%
    #[arg(long, value_name = "TIME")]
    pub expect: Option<String>,
    /// By how much it may differ: 10%, or 5s
    #[arg(long, value_name = "SHARE")]
    pub tolerance: Option<String>,
    /// Expected keepalives, and after how many missing ones a device is offline: 60s:3
    #[arg(long, value_name = "TIME[:N]")]
    pub keepalive: Option<String>,
    /// Shortest expiry that is right: 3600s
    #[arg(long, value_name = "TIME")]
    pub min_expiry: Option<String>,
    /// The customs to judge by
    #[arg(long, value_name = "PROFILE", default_value = "auto")]
    pub profile: ProfileKey,
    /// Show when this platform would take a device as offline
    #[arg(long, value_name = "NAME")]
    pub platform: Option<PlatformKey>,
    /// Expectations for many devices, and an inventory (docs/registrations.md)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub policy: Option<PathBuf>,
    /// Write a policy file from what this input shows, instead of a report
    #[arg(long, conflicts_with = "policy")]
    pub learn: bool,
}

/// How the audit is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AuditFormat {
    /// For people.
    Text,
    /// One document.
    Json,
    /// One device per line.
    Ndjson,
    /// A table.
    Csv,
    /// A page for a browser, with charts and all devices.
    Html,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// Worst finding first.
    Worst,
    /// By name.
    Device,
    /// Least coverage first.
    Coverage,
    /// Longest interval first.
    Interval,
    /// Most attempts first.
    Attempts,
    /// Latest attempt first.
    Last,
}

impl SortKey {
    /// For the view.
    pub const fn sort(self) -> Sort {
        match self {
            Self::Worst => Sort::Worst,
            Self::Device => Sort::Device,
            Self::Coverage => Sort::Coverage,
            Self::Interval => Sort::Interval,
            Self::Attempts => Sort::Attempts,
            Self::Last => Sort::Last,
        }
    }
}

/// Customs to judge registrations by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProfileKey {
    /// GB/T 28181 for devices with 18 or 20 digits, RFC 3261 for the others.
    #[default]
    Auto,
    /// RFC 3261 and its family.
    Sip,
    /// 3GPP IMS.
    Ims,
    /// GB/T 28181-2016 (the newer one adds to it).
    #[value(name = "gb28181-2016", alias = "gb28181")]
    Gb2016,
    /// GB/T 28181-2022.
    #[value(name = "gb28181-2022")]
    Gb2022,
}

impl ProfileKey {
    /// For the audit.
    pub const fn profile(self) -> Profile {
        match self {
            Self::Auto => Profile::Auto,
            Self::Sip => Profile::Sip,
            Self::Ims => Profile::Ims,
            Self::Gb2016 => Profile::Gb2016,
            Self::Gb2022 => Profile::Gb2022,
        }
    }
}

/// A platform by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlatformKey(pub Platform);

impl ValueEnum for PlatformKey {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [PlatformKey; Platform::ALL.len()] = {
            let mut all = [PlatformKey(Platform::Standard); Platform::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = PlatformKey(Platform::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.word()).help(self.0.meaning()))
    }
}

/// Characters of `prefix:10`.
fn group_of(text: &str) -> Result<usize, String> {
    let digits = text.strip_prefix("prefix:").ok_or("expected prefix:N, as in prefix:10")?;
    digits.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a number: prefix:10".to_owned())
}

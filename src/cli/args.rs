//! The words of the command line: commands, options, their help. No logic.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use super::audit::args::RegistrationsArgs;
#[cfg(feature = "live")]
use super::live::args::LiveArgs;
use crate::rules::Severity;

const EXIT_STATUS: &str = "\
Exit status:
  0    fine
  1    findings at or above --fail-on
  2    wrong usage, or output that cannot be written
  3    an input could not be read (what could be read is shown), or packets not be kept
  4    the input holds nothing of what was asked for (0 with --allow-empty)
  130  interrupted, after showing what there was";

/// Shows and checks the SIP in packet captures.
#[derive(Debug, Parser)]
#[command(name = "siplens", version, about, after_help = EXIT_STATUS, max_term_width = 100)]
#[command(disable_help_subcommand = true, subcommand_required = true)]
#[command(arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List calls, registrations and subscriptions, one row each
    List(ListArgs),
    /// Print SIP messages as they come, one row each (-v: with their text)
    Messages(MessagesArgs),
    /// Draw the ladder of each call
    Ladder(LadderArgs),
    /// Report protocol violations, worst first, with evidence
    Check(CheckArgs),
    /// Write one self-contained HTML file: findings, calls, ladders, messages
    Report(ReportArgs),
    /// Audit registrations: how often devices really register, and what it means
    #[command(visible_alias = "reg")]
    Registrations(Box<RegistrationsArgs>),
    /// Watch SIP as it happens: on interfaces, from a pipe, a growing file, HEP agents
    // Its --user is whom to become, as tcpdump has it with -Z.
    #[cfg(feature = "live")]
    #[command(mut_arg("user", |arg| arg.long("sip-user")), mut_arg("learn", |arg| arg.hide(true)))]
    Live(Box<LiveArgs>),
    /// List the rules that check applies
    Rules(RulesArgs),
    /// Explain a rule: why it matters, an example, where it is written
    Explain(ExplainArgs),
    /// Print the completion script of a shell
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// Options of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How to print the rows
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RowFormat,
    /// What all commands that read captures take.
    #[command(flatten)]
    pub common: Common,
}

/// Options of `messages`.
#[derive(Debug, Args)]
pub struct MessagesArgs {
    /// How to print the rows; ndjson streams one object per message
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: RowFormat,
    /// Beside the time, that since the first message of the call
    #[arg(long)]
    pub elapsed: bool,
    /// What all commands that read captures take.
    #[command(flatten)]
    pub common: Common,
}

/// Options of `ladder`.
#[derive(Debug, Args)]
pub struct LadderArgs {
    /// How to draw
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: LadderFormat,
    /// One lane per host, or per host and port
    #[arg(long, value_name = "LANES", default_value = "host")]
    pub lanes: LaneKind,
    /// What all commands that read captures take.
    #[command(flatten)]
    pub common: Common,
}

/// Options of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// How to print the findings; github makes annotations of a workflow run
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: FindingFormat,
    /// Lowest severity that makes the exit status 1
    #[arg(long, value_name = "SEVERITY", default_value = "error")]
    pub fail_on: FailOn,
    /// The rules to apply.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// What all commands that read captures take.
    #[command(flatten)]
    pub common: Common,
}

/// Options of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The rules to apply.
    #[command(flatten)]
    pub rules: RuleArgs,
    /// What all commands that read captures take.
    #[command(flatten)]
    pub common: Common,
}

/// Options of `rules`.
#[derive(Debug, Args)]
pub struct RulesArgs {
    /// How to print the catalogue
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CatalogFormat,
    /// Do not page the output
    #[arg(long)]
    pub no_pager: bool,
}

/// Options of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Code or name: M014, cseq-method-mismatch, M006:uri; what names several lists them: T0, sdp
    #[arg(value_name = "RULE", required = true)]
    pub rules: Vec<String>,
    /// How to print the page
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: PageFormat,
    /// Do not page the output
    #[arg(long)]
    pub no_pager: bool,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

/// Which rules are applied, and how severe they are.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleArgs {
    /// Apply these rules only: codes, names or beginnings of codes, with commas between
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub select: Vec<String>,
    /// Do not apply these rules
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Judge a rule otherwise: M014=info
    #[arg(long, value_name = "RULE=LEVEL", value_delimiter = ',', value_parser = level_of)]
    pub severity: Vec<(String, Severity)>,
}

/// What all commands that read captures take.
#[derive(Debug, Default, Args)]
pub struct Common {
    /// Where messages come from.
    #[command(flatten)]
    pub input: InputArgs,
    /// Which of them are looked at.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// How much of the machine may be used.
    #[command(flatten)]
    pub means: MeansArgs,
    /// How it looks.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where messages come from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Capture files (pcap, pcapng, snoop, Network Monitor; plain, gzip, zstd, lz4), text logs with
    /// SIP in them, directories, - for standard input
    #[arg(value_name = "INPUT", value_hint = ValueHint::AnyPath)]
    pub inputs: Vec<PathBuf>,
    /// The same as INPUT, as tcpdump and tshark have it
    #[arg(short = 'r', long = "read", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub read: Vec<PathBuf>,
    /// TLS secrets of the connections in the capture (SSLKEYLOGFILE format)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub keylog: Vec<PathBuf>,
    /// Zone of the times in text logs that name none: Asia/Shanghai, +08:00; yours unless given
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true, value_parser = super::zone::parse)]
    pub tz: Option<jiff::tz::TimeZone>,
    /// Packet filter in the language of tcpdump
    #[arg(long, value_name = "EXPR", conflicts_with = "bpf_words")]
    pub bpf: Option<String>,
    /// Packet filter, as with --bpf
    #[arg(last = true, value_name = "BPF")]
    pub bpf_words: Vec<String>,
    /// Leave out what came before: a time (2026-11-20T22:05 or 22:05, in your zone), or a span
    /// after the first packet (90s, 1h30m)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Leave out what came after
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Stop after this many SIP messages that the filter lets through
    #[arg(short = 'c', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// Which calls are looked at.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Choice", after_long_help = super::filter::fields::help())]
pub struct ChoiceArgs {
    /// Calls for which this holds: status >= 400 && from contains "1001"; a plain word is looked
    /// for in From, To and Call-ID. --help lists all fields and operators
    #[arg(short = 'f', long, value_name = "EXPR")]
    pub filter: Option<String>,
    /// Calls with this Call-ID
    #[arg(long, value_name = "TEXT")]
    pub call_id: Vec<String>,
    /// Calls whose From contains this
    #[arg(long, value_name = "TEXT")]
    pub from: Vec<String>,
    /// Calls whose To contains this
    #[arg(long, value_name = "TEXT")]
    pub to: Vec<String>,
    /// Calls with this user in From, To or Request-URI
    #[arg(long, value_name = "USER")]
    pub user: Vec<String>,
    /// Calls with this method
    #[arg(long, value_name = "METHOD")]
    pub method: Vec<String>,
    /// Calls with this response: 486, 4xx, 400-499
    #[arg(long, value_name = "STATUS")]
    pub status: Vec<String>,
}

/// How much of the machine may be used.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Means")]
pub struct MeansArgs {
    /// Threads; 0 is one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub jobs: usize,
    /// Memory that messages may hold: 512M, 2G; what does not fit is let go and counted
    #[arg(long, value_name = "SIZE", value_parser = size_of)]
    pub memory: Option<usize>,
}

/// How it looks, and where it goes.
#[derive(Debug, Default, Args)]
#[allow(clippy::struct_excessive_bools)] // Each is a flag of the command line.
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write to this file
    #[arg(short = 'o', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Colors; `NO_COLOR` is respected
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: When,
    /// Columns of the output; unless given, those of the terminal, and rows for files and pipes
    /// are not cut
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(40..))]
    pub width: Option<u16>,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// Times in UTC, not in the zone of this machine
    #[arg(long)]
    pub utc: bool,
    /// Do not page the output
    #[arg(long)]
    pub no_pager: bool,
    /// Exit with 0 when there is nothing to show
    #[arg(long)]
    pub allow_empty: bool,
    /// Only the output: no progress, no closing line
    #[arg(short = 'q', long)]
    pub quiet: bool,
    /// More: -v the text of messages, -vv what each header means where it matters, and the
    /// tunnels they came through
    #[arg(short = 'v', long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// Formats of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowFormat {
    /// A table for people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a line of names.
    Csv,
}

/// Formats of ladders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LadderFormat {
    /// Drawn with characters.
    Text,
    /// Mermaid sequence diagrams; several calls make a Markdown file with a block for each.
    Mermaid,
    /// An SVG picture, the calls below each other.
    Svg,
}

/// What a lane of a ladder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LaneKind {
    /// A host.
    #[value(name = "host")]
    Host,
    /// A host and port.
    #[value(name = "host:port")]
    HostPort,
}

/// Formats of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FindingFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
    /// Comma-separated values with a line of names.
    Csv,
    /// SARIF 2.1.0, for code scanning and dashboards.
    Sarif,
    /// Workflow commands of GitHub Actions.
    Github,
}

/// Formats of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CatalogFormat {
    /// A table for people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object per line.
    Ndjson,
}

/// Formats of the page of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PageFormat {
    /// Plain text for people.
    Text,
    /// The page as it is written.
    Markdown,
}

/// The lowest severity that fails a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Errors.
    Error,
    /// Warnings and errors.
    #[value(alias = "warn")]
    Warning,
    /// Any finding.
    Info,
    /// Nothing.
    Never,
}

impl FailOn {
    /// The severity it names.
    pub const fn threshold(self) -> Option<Severity> {
        match self {
            Self::Error => Some(Severity::Error),
            Self::Warning => Some(Severity::Warning),
            Self::Info => Some(Severity::Info),
            Self::Never => None,
        }
    }
}

/// When to do something that suits terminals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Octets from `4096`, `512K`, `64M`, `2G`.
pub(super) fn size_of(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase();
    let shift = match unit.trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return Err("expected a number and K, M or G: 512M".to_owned()),
    };
    let number: usize = digits.parse().map_err(|_| "expected a size like 512M".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "too large".to_owned())
}

/// A rule and a severity from `M014=info`.
pub(super) fn level_of(text: &str) -> Result<(String, Severity), String> {
    let (rule, level) = text.split_once('=').ok_or("expected RULE=LEVEL: M014=info")?;
    let severity = match level {
        "error" => Severity::Error,
        "warning" | "warn" => Severity::Warning,
        "info" => Severity::Info,
        _ => return Err("a level is error, warning or info".to_owned()),
    };
    Ok((rule.to_owned(), severity))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size_of("4096"), Ok(4096));
        assert_eq!(size_of("512M"), Ok(512 << 20));
        assert_eq!(size_of("2GiB"), Ok(2 << 30));
        assert!(size_of("2X").is_err());
        assert!(size_of("M").is_err());
        assert!(size_of("99999999999999999G").is_err());
    }

    #[test]
    fn a_packet_filter_may_follow_two_dashes() {
        let cli = Cli::parse_from(["siplens", "messages", "a.pcap", "--", "port", "5060"]);
        let Command::Messages(args) = cli.command else { unreachable!() };
        assert_eq!(args.common.input.inputs, [PathBuf::from("a.pcap")]);
        assert_eq!(args.common.input.bpf_words, ["port", "5060"]);
    }

    #[test]
    fn reg_is_short_for_registrations() {
        let cli = Cli::parse_from(["siplens", "reg", "-r", "a.pcap", "-c", "5"]);
        let Command::Registrations(args) = cli.command else { unreachable!() };
        assert_eq!(args.common.input.count, Some(5));
    }
}

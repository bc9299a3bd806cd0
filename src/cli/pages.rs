//! Commands that need no capture: the catalogue, its pages, completions, the manual page.

use std::io::{self, Write};

use clap::CommandFactory as _;

use super::Outcome;
use super::args::{
    CatalogFormat, Cli, CompletionsArgs, ExplainArgs, OutputArgs, PageFormat, RulesArgs,
};
use super::filter::fields;
use super::output::{Paging, Sink, WIDTH};
use crate::rules::{RULES, Rule, Selection, UnknownSelector, find, numbered};
use crate::view::visible::wrap;
use crate::view::{Coloring, Style, json, plain};

/// `siplens rules`.
pub(super) fn rules(args: &RulesArgs) -> anyhow::Result<Outcome> {
    let paging = match args.format {
        CatalogFormat::Text => Paging::Allowed,
        CatalogFormat::Json | CatalogFormat::Ndjson => Paging::Never,
    };
    let mut sink = open(args.no_pager, paging)?;
    let width = sink.width;
    match args.format {
        CatalogFormat::Text => catalog(RULES, width, &mut sink)?,
        CatalogFormat::Json => {
            let rules: Vec<_> = RULES.iter().map(|rule| object(rule)).collect();
            let document = serde_json::json!({ "format": json::VERSION, "rules": rules });
            writeln!(sink, "{document}")?;
        }
        CatalogFormat::Ndjson => {
            for rule in RULES {
                json::line(&object(rule), "rule", &mut sink)?;
            }
        }
    }
    sink.close()?;
    Ok(Outcome::Fine)
}

/// A line for each of `rules`, wrapped where a terminal has `width` columns.
fn catalog(rules: &[&Rule], width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    let widest = RULES.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    let mut scope = "";
    for rule in rules {
        if rule.scope() != scope {
            let gap = if scope.is_empty() { "" } else { "\n" };
            scope = rule.scope();
            writeln!(out, "{gap}{scope}")?;
        }
        let kinds = match rule.kinds.len() {
            0 | 1 => String::new(),
            many => format!(" ({many} kinds)"),
        };
        let lead = format!("  {}  {:widest$}  {:7}  ", rule.code, rule.name, rule.severity.word());
        let statement = format!("{}{kinds}", rule.statement);
        // Beside the name where there is room for some words, else below.
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(lead.len()));
        if room < 30 {
            writeln!(out, "{}", lead.trim_end())?;
            for line in wrap(&statement, width.unwrap_or(room).saturating_sub(8)) {
                writeln!(out, "        {line}")?;
            }
            continue;
        }
        for (index, line) in wrap(&statement, room).iter().enumerate() {
            let lead = if index == 0 { lead.clone() } else { " ".repeat(lead.len()) };
            writeln!(out, "{lead}{line}")?;
        }
    }
    writeln!(out, "\nsiplens explain RULE tells more.")
}

fn object(rule: &Rule) -> serde_json::Value {
    let kinds: Vec<_> = rule
        .kinds
        .iter()
        .map(|(name, severity)| serde_json::json!({ "kind": name, "severity": severity.word() }))
        .collect();
    serde_json::json!({
        "code": rule.code,
        "rule": rule.name,
        "scope": rule.scope(),
        "severity": rule.severity.word(),
        "statement": rule.statement,
        "refs": rule.refs,
        "kinds": kinds,
    })
}

/// `siplens explain`.
pub(super) fn explain(args: &ExplainArgs) -> anyhow::Result<Outcome> {
    let named: Result<Vec<_>, _> = args.rules.iter().map(|word| named(word)).collect();
    let named = named?;
    let mut sink = open(args.no_pager, Paging::Allowed)?;
    let style = Style {
        width: sink.width.unwrap_or(WIDTH),
        coloring: if sink.color { Coloring::ByClass } else { Coloring::None },
        ..Style::default()
    };
    for (index, rules) in named.iter().enumerate() {
        if index != 0 {
            writeln!(sink)?;
        }
        match (rules.as_slice(), args.format) {
            ([rule], PageFormat::Text) => plain::write(rule.page, &style, &mut sink)?,
            ([rule], PageFormat::Markdown) => writeln!(sink, "{}", rule.page.trim_end())?,
            (rules, _) => {
                let width = sink.width;
                catalog(rules, width, &mut sink)?;
            }
        }
    }
    sink.close()?;
    Ok(Outcome::Fine)
}

/// The rules `word` stands for: one, or all that a selector names.
fn named(word: &str) -> Result<Vec<&'static Rule>, UnknownSelector> {
    if let Some(rule) = find(word) {
        return Ok(vec![rule]);
    }
    // It knows prefixes and kinds, and which names look alike.
    let selection = Selection::parse(&[word.to_owned()], &[])?;
    let on = numbered().filter(|(index, _)| selection.is_on(*index));
    Ok(on.map(|(_, rule)| rule).collect())
}

/// `siplens completions`.
pub(super) fn completions(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "siplens", &mut script);
    print(&script)
}

/// `siplens man`.
pub(super) fn man() -> anyhow::Result<Outcome> {
    let mut page = Vec::new();
    let command = Cli::command();
    let manual = clap_mangen::Man::new(command.clone());
    manual.render(&mut page)?;
    // There are no pages of single commands: they follow below.
    let mut page = String::from_utf8_lossy(&page)
        .replace("siplens\\-", "siplens ")
        .replace("(1)\n", "\n")
        .into_bytes();
    for sub in command.get_subcommands() {
        let mut options = clap_mangen::Man::new(sub.clone().disable_help_flag(true));
        options = options.title(format!("siplens-{}", sub.get_name()));
        writeln!(page, ".SH \"SIPLENS {}\"", sub.get_name().to_uppercase())?;
        options.render_description_section(&mut page)?;
        options.render_options_section(&mut page)?;
    }
    filters(&mut page)?;
    print(&page)
}

/// The filter language, as it stands in the help.
fn filters(page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH FILTERS\n.nf")?;
    for line in fields::help().lines().skip(1) {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        // A line that began with a dot or a quote would be an instruction.
        writeln!(page, "\\&{line}")?;
    }
    writeln!(page, ".fi")
}

fn open(no_pager: bool, paging: Paging) -> anyhow::Result<Sink> {
    Sink::open(&OutputArgs { no_pager, ..OutputArgs::default() }, paging)
}

fn print(octets: &[u8]) -> anyhow::Result<Outcome> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(octets)?;
    stdout.flush()?;
    Ok(Outcome::Fine)
}

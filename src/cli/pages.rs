//! Commands that need no capture: the catalogue, its pages, completions, the manual page.

use std::io::{self, Write};

use anyhow::bail;
use clap::CommandFactory as _;

use super::Outcome;
use super::args::{CatalogFormat, Cli, CompletionsArgs, ExplainArgs, OutputArgs, RulesArgs};
use super::filter::fields;
use super::output::{Paging, Sink};
use crate::rules::{RULES, Rule, Selection, find};

/// `siplens rules`.
pub(super) fn rules(args: &RulesArgs) -> anyhow::Result<Outcome> {
    let paging = match args.format {
        CatalogFormat::Text => Paging::Allowed,
        CatalogFormat::Ndjson => Paging::Never,
    };
    let mut sink = open(args.no_pager, paging)?;
    match args.format {
        CatalogFormat::Text => catalog(&mut sink)?,
        CatalogFormat::Ndjson => {
            for rule in RULES {
                writeln!(sink, "{}", object(rule))?;
            }
        }
    }
    sink.close()?;
    Ok(Outcome::Fine)
}

fn catalog(out: &mut impl Write) -> io::Result<()> {
    let widest = RULES.iter().map(|rule| rule.name.len()).max().unwrap_or_default();
    let mut scope = "";
    for rule in RULES {
        if rule.scope() != scope {
            let gap = if scope.is_empty() { "" } else { "\n" };
            scope = rule.scope();
            writeln!(out, "{gap}{scope}")?;
        }
        let severity = rule.severity.word();
        let kinds = match rule.kinds.len() {
            0 | 1 => String::new(),
            many => format!(" ({many} kinds)"),
        };
        let name = rule.name;
        writeln!(out, "  {}  {name:widest$}  {severity:7}  {}{kinds}", rule.code, rule.statement)?;
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
    let mut pages = Vec::new();
    for word in &args.rules {
        match find(word) {
            Some(rule) => pages.push(rule.page.trim_end()),
            // The selection knows which names look alike.
            None => match Selection::parse(std::slice::from_ref(word), &[]) {
                Err(unknown) => return Err(unknown.into()),
                Ok(_) => bail!("{word} names more than one rule; `siplens rules` lists them"),
            },
        }
    }
    let mut sink = open(args.no_pager, Paging::Allowed)?;
    writeln!(sink, "{}", pages.join("\n\n"))?;
    sink.close()?;
    Ok(Outcome::Fine)
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

//! The documents agree with the program: docs/cli.md is generated, console blocks of README.md run,
//! options that documents name exist.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use siplens::cli::args::Cli;
use siplens::cli::filter::fields::{FIELDS, OPERATORS};

const COMMON: &[&str] = &["Input", "Choice", "Means", "Output"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command
}

#[test]
fn docs_cli_md_is_what_the_program_says() {
    let path = root().join("docs/cli.md");
    let fresh = cli_page();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == fresh, "docs/cli.md is stale: run `make bless`");
}

#[test]
fn help_and_manual_name_every_field_and_operator() {
    let siplens = |args: &[&str]| crate::program::run(args).out.replace("\\-", "-");
    for text in [siplens(&["list", "--help"]), siplens(&["man"])] {
        for name in FIELDS.iter().map(|entry| entry.names[0]) {
            let line = text.lines().find(|line| {
                line.trim_start_matches("\\&").trim_start().starts_with(&format!("{name} "))
            });
            assert!(line.is_some(), "{name} in {text}");
        }
        for (signs, ..) in OPERATORS {
            assert!(text.contains(signs), "{signs} in {text}");
        }
    }
    assert!(!siplens(&["list", "-h"]).contains("sport"), "-h is the short help");
}

#[test]
fn options_that_documents_name_exist() {
    let known = options();
    // Options of the tools that documents compare with or call.
    let foreign =
        ["--locked", "--release", "--no-default-features", "--features", "--size", "--help"];
    let mut documents: Vec<_> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
        .collect();
    documents.extend(["README.md", "CONTRIBUTING.md", "samples/README.md"].map(|p| root().join(p)));
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
            let is_option = word.starts_with("--") && word.trim_matches('-').len() > 1;
            if is_option && !foreign.contains(&word) {
                assert!(known.contains(word), "{}: no option {word}", path.display());
            }
        }
    }
}

#[test]
fn console_blocks_of_the_readme_print_what_they_show() {
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut fresh = String::new();
    let mut rest = text.as_str();
    let mut blocks = 0;
    while let Some((before, block)) = rest.split_once("```console\n$ siplens ") {
        let (block, after) = block.split_once("```").unwrap();
        let (line, _) = block.split_once('\n').unwrap();
        blocks += 1;
        let _ = write!(fresh, "{before}```console\n$ siplens {line}\n{}```", run(line));
        rest = after;
    }
    fresh.push_str(rest);
    assert!(blocks > 0, "README.md shows no output");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &fresh).unwrap();
        return;
    }
    similar(&text, &fresh);
}

/// Runs one line of a console block in the top folder, as on a terminal of 80 columns in UTC.
fn run(line: &str) -> String {
    let (line, count) = match line.split_once(" | head -n ") {
        Some((line, count)) => (line, count.trim().parse().unwrap()),
        None => (line, usize::MAX),
    };
    let output = Command::new(env!("CARGO_BIN_EXE_siplens"))
        .args(words(line))
        .current_dir(root())
        .env("TZ", "UTC")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let mut shown = String::from_utf8(output.stdout).unwrap();
    if count == usize::MAX {
        shown.push_str(&String::from_utf8(output.stderr).unwrap());
    }
    shown.lines().take(count).fold(String::new(), |mut all, line| {
        let _ = writeln!(all, "{}", line.trim_end());
        all
    })
}

/// The words of a command line, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => words.push(String::new()),
            (c, _) => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[track_caller]
fn similar(stored: &str, fresh: &str) {
    for (number, (stored, fresh)) in stored.lines().zip(fresh.lines()).enumerate() {
        assert_eq!(stored.trim_end(), fresh, "README.md line {}: run `make bless`", number + 1);
    }
    assert_eq!(stored.lines().count(), fresh.lines().count(), "README.md: run `make bless`");
}

/// All options of all commands.
fn options() -> BTreeSet<String> {
    let command = command();
    let of = |command: &clap::Command| -> Vec<String> {
        command.get_arguments().filter_map(|a| a.get_long()).map(|l| format!("--{l}")).collect()
    };
    let mut all: BTreeSet<String> = command.get_subcommands().flat_map(of).collect();
    all.extend(of(&command));
    all
}

/// docs/cli.md.
fn cli_page() -> String {
    let command = command();
    let mut page = String::from(
        "# The command line\n\n<!-- Generated from src/cli/args.rs: `make bless` writes it. -->\n\n\
         `siplens COMMAND [OPTIONS] INPUT...`. An input is a capture file (pcap, pcapng; plain,\n\
         gzip, zstd, lz4; recognized by content, never by name), `-` (standard input), or a\n\
         directory (every capture in it). Several inputs are merged by time.\n\n\
         | command | does |\n|---|---|\n",
    );
    for sub in command.get_subcommands() {
        let aliases: String =
            sub.get_visible_aliases().fold(String::new(), |all, alias| all + ", `" + alias + "`");
        let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(page, "| `{}`{aliases} | {about} |", sub.get_name());
    }
    for sub in command.get_subcommands() {
        let own: Vec<_> = sub
            .get_arguments()
            .filter(|arg| !arg.get_help_heading().is_some_and(|h| COMMON.contains(&h)))
            .filter(|arg| arg.get_id() != "help" && !arg.is_hide_set())
            .collect();
        if own.is_empty() {
            continue;
        }
        let _ = write!(page, "\n## {}\n\n| option | meaning |\n|---|---|\n", sub.get_name());
        for arg in own {
            row(&mut page, arg);
        }
    }
    page.push_str("\n## Options of all commands that read captures\n");
    let Some(list) = command.get_subcommands().find(|sub| sub.get_name() == "list") else {
        return page;
    };
    for heading in COMMON {
        let _ = write!(page, "\n### {heading}\n\n| option | meaning |\n|---|---|\n");
        list.get_arguments()
            .filter(|arg| arg.get_help_heading() == Some(heading))
            .for_each(|arg| row(&mut page, arg));
    }
    page.push_str(FILTERS);
    let code = |words: &str| match words {
        "" => String::new(),
        words if words.contains('{') => format!("`{words}`"),
        words => words.split(' ').map(|w| format!("`{w}`")).collect::<Vec<_>>().join(" "),
    };
    for (signs, words, meaning) in OPERATORS {
        let signs = code(signs).replace('|', "\\|");
        let _ = writeln!(page, "| {signs} | {} | {meaning} |", code(words));
    }
    page.push_str("\n| field | also | is a | meaning |\n|---|---|---|---|\n");
    for entry in FIELDS {
        let mut names = entry.names.iter().map(|name| format!("`{name}`"));
        let first = names.next().unwrap_or_default();
        let also = names.collect::<Vec<_>>().join(" ");
        let kind = entry.kind.word();
        let _ = writeln!(page, "| {first} | {also} | {kind} | {} |", entry.meaning);
    }
    let status = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    page.push_str("\n## Exit status\n\n| status | means |\n|---|---|\n");
    for line in status.lines().skip(1) {
        let (code, meaning) = line.trim().split_once(' ').unwrap_or((line, ""));
        let _ = writeln!(page, "| {code} | {} |", meaning.trim());
    }
    page
}

const FILTERS: &str = r#"
## Filters

`--filter` takes a condition: `method == "INVITE" && status >= 400 && from contains "1001"`.

A field has all the values found in the messages of a call (`siplens messages`: of the one
message). A comparison holds when one of them satisfies it; `!=` holds when none is equal.

| operator | also | holds for |
|---|---|---|
"#;

fn row(page: &mut String, arg: &clap::Arg) {
    let mut name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, None) => String::new(),
    };
    if arg.get_action().takes_values() {
        let values = arg.get_value_names().unwrap_or_default().join(" ");
        let space = if name.is_empty() { "" } else { " " };
        let _ = write!(name, "{space}{values}");
    }
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let possible: Vec<_> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !possible.is_empty() {
        let _ = write!(help, ": {}", possible.join(", "));
    }
    if let [default] = arg.get_default_values()
        && arg.get_action().takes_values()
    {
        let _ = write!(help, " (default `{}`)", default.to_string_lossy());
    }
    let _ = writeln!(page, "| `{}` | {} |", name.trim(), help.replace('|', "\\|"));
}

#[test]
fn samples_are_all_described_and_small() {
    let described = fs::read_to_string(root().join("samples/README.md")).unwrap();
    let mut total = 0;
    for entry in fs::read_dir(root().join("samples")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if Path::new(&name).extension().is_none_or(|ext| ext != "md") {
            assert!(described.contains(&format!("`{name}`")), "samples/README.md: {name}");
        }
        total += entry.metadata().unwrap().len();
    }
    assert!(total < 6 << 20, "samples take {total} octets");
}

#[test]
fn every_limit_is_documented_with_a_test_that_exists() {
    let page = fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let limits = fs::read_to_string(root().join("src/limits.rs")).unwrap();
    let fields = limits.split_once("pub struct Limits {").unwrap().1.split_once("\n}").unwrap().0;
    for field in fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")) {
        let name = field.split(':').next().unwrap();
        assert!(page.contains(&format!("| `{name}` |")), "docs/limits.md: {name}");
    }
    let code = sources(&root().join("src")) + &sources(&root().join("tests"));
    for name in page.split('`').filter(|word| word.matches('_').count() > 2) {
        assert!(code.contains(&format!("fn {name}(")), "docs/limits.md: no test {name}");
    }
}

/// All Rust code below `folder`.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &sources(&path);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            all += &fs::read_to_string(path).unwrap();
        }
    }
    all
}

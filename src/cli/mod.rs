//! EDGE: the words of the user become settings, and outcomes become exit codes.

pub mod args;
pub mod audit;
pub mod choice;
pub mod closing;
pub(crate) mod choosing;
mod commands;
pub mod facts;
pub(crate) mod feed;
pub mod filter;
mod habits;
mod heap;
mod interrupts;
mod judging;
#[cfg(feature = "live")]
pub mod live;
pub mod output;
pub mod pages;
mod run;
pub mod window;
pub mod zone;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::view::visible::visible;
use args::{Cli, Command};

/// How a run ended; see the exit status in docs/cli.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// As wanted.
    Fine,
    /// Findings at or above `--fail-on`.
    Findings,
    /// The input holds nothing of what was asked for.
    Empty,
    /// An input could not be read to its end, or packets could not be kept.
    Incomplete,
    /// Ctrl-C, after showing what there was.
    Interrupted,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Fine => 0,
            Outcome::Findings => 1,
            Outcome::Incomplete => 3,
            Outcome::Empty => 4,
            Outcome::Interrupted => INTERRUPTED,
        })
    }
}

/// Exit code after Ctrl-C or SIGTERM.
const INTERRUPTED: u8 = 130;
/// Exit code of wrong usage, and of output that cannot be written.
const USAGE: u8 = 2;

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let mut error = quoting(error);
            habits::advise(&mut error);
            // Help and mistakes alike; where they cannot be printed, the exit code still tells.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    match run(&cli) {
        Ok(outcome) => outcome.into(),
        // Whoever reads has read enough: `siplens messages a.pcap | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = match error.downcast_ref::<io::Error>() {
                // What is not said of anything else, is said of the output.
                Some(why) if error.chain().count() == 1 => {
                    writeln!(io::stderr(), "siplens: cannot write the output: {}", words(why))
                }
                _ => writeln!(io::stderr(), "siplens: {}", harmless(&format!("{error:#}"))),
            };
            ExitCode::from(USAGE)
        }
    }
}

/// The same mistake with the words of the user as a terminal may show them: they may be a
/// stranger's, copied from a message.
fn quoting(error: clap::Error) -> clap::Error {
    let quoted = std::env::args_os().map(|word| visible(word.as_encoded_bytes()));
    Cli::try_parse_from(quoted)
        .err()
        .filter(|quoted| quoted.kind() == error.kind())
        .unwrap_or(error)
}

fn run(cli: &Cli) -> anyhow::Result<Outcome> {
    match &cli.command {
        Command::List(args) => commands::list(args),
        Command::Messages(args) => commands::messages(args),
        Command::Ladder(args) => commands::ladder(args),
        Command::Check(args) => commands::check(args),
        Command::Report(args) => commands::report(args),
        Command::Registrations(args) => audit::registrations(args),
        #[cfg(feature = "live")]
        Command::Live(args) => live::live(args),
        Command::Rules(args) => pages::rules(args),
        Command::Explain(args) => pages::explain(args),
        Command::Completions(args) => pages::completions(args),
        Command::Man => pages::man(),
    }
}

/// `text` as a terminal may show it: what would steer one is escaped, line ends are left.
fn harmless(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(|line| visible(line.as_bytes())).collect();
    lines.join("\n")
}

/// What the system says, without the number of the error.
fn words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

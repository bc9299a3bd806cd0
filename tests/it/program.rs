//! Runs the program as its users do: as a process of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// The program, in the top folder, without settings of whoever runs the tests.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_siplens"));
    command.current_dir(root()).env("TZ", "UTC").stdin(Stdio::null());
    for name in ["NO_COLOR", "PAGER", "SIPLENS_PAGER", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

/// Runs the program on `args`.
pub(crate) fn run(args: &[&str]) -> Run {
    finished(program().args(args))
}

/// Runs the program on `args` with `input` as its standard input.
pub(crate) fn run_on(input: &[u8], args: &[&str]) -> Run {
    let mut child = program()
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // On a thread of its own: the program may write before it has read all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    of(&output)
}

/// Waits for `command`.
pub(crate) fn finished(command: &mut Command) -> Run {
    of(&command.output().unwrap())
}

/// The sample `name`.
pub(crate) fn sample(name: &str) -> PathBuf {
    root().join("samples").join(name)
}

/// The captures among the samples, by name.
pub(crate) fn samples() -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(root().join("samples"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(".pcap"))
        .collect();
    names.sort();
    names
}

/// The top folder of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says that a test could not be made, past the runner that hides what passing tests print.
pub(crate) fn skip(reason: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
}

fn of(output: &std::process::Output) -> Run {
    Run {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

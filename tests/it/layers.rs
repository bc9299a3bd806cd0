//! The structure of the code is what ARCHITECTURE.md says: order of modules, purity, size, headers.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that may touch files, clocks, threads and the terminal.
const EDGE: &[&str] = &["capture", "view", "cli", "fuzz", "main"];

/// Lines of a file, its tests left out.
const LONGEST: usize = 500;
struct Source {
    path: String,
    /// The module of `lib.rs` it belongs to.
    module: String,
    text: String,
}

impl Source {
    /// The text before the tests at its end.
    fn code(&self) -> &str {
        self.text.split("\n#[cfg(test)]\nmod ").next().unwrap()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    collect(&root().join("src"), &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(50 < sources.len());
    sources
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_name().is_some_and(|name| name != "tests.rs")
        {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            let module = name.trim_start_matches("src/").split(['/', '.']).next().unwrap();
            let module = module.to_owned();
            sources.push(Source { path: name, module, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

/// The modules of lib.rs in their order.
fn order() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    text.lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn a_module_uses_those_above_it_only() {
    let order = order();
    let place = |module: &str| order.iter().position(|own| own == module);
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(own) = place(&source.module) else { continue };
        for used in uses(source.code()) {
            let is_below = place(&used).is_some_and(|used| own < used);
            let strays = source.module == "capture"
                && !["capture", "frame", "time", "limits", "octets"].contains(&used.as_str());
            let is_edge = used == "capture" && !EDGE.contains(&source.module.as_str());
            if is_below || strays || is_edge {
                wrong.push(format!("{} uses {used}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The modules named behind `crate::`, in uses and in paths; documentation may point anywhere.
fn uses(code: &str) -> Vec<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code: String = code.lines().filter(is_code).flat_map(|line| [line, "\n"]).collect();
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let names = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap().split(',').collect(),
            None => vec![rest],
        };
        for name in names {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let name: String = name.trim().chars().take_while(|c| is_word(*c)).collect();
            used.push(name);
        }
    }
    used
}

#[test]
fn the_core_does_no_input_and_output_and_reads_no_clock() {
    const FORBIDDEN: &[&str] = &[
        "std::fs",
        "io::stdout",
        "io::stdin",
        "std::env",
        "std::process",
        "std::thread",
        "Instant::now",
        "SystemTime::now",
        "println!",
        "eprintln!",
        "TcpStream",
        "UdpSocket",
        "static mut",
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        // The one place with threads: analyzers side by side.
        if EDGE.contains(&source.module.as_str()) || source.path == "src/engine/shards.rs" {
            continue;
        }
        for line in source.code().lines().filter(|line| !line.trim_start().starts_with("//")) {
            if let Some(word) = FORBIDDEN.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{}: {word}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_in_its_first_line_what_it_owns() {
    let silent: Vec<_> = sources()
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path)
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|source| (source.code().lines().count(), source.path))
        .filter(|(lines, _)| LONGEST < *lines)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

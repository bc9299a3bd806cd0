//! The list of devices that should be there: a CSV file with a column `device`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};

use super::values;
use crate::model::audit::Expect;

/// What is known of a device of the list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Known {
    /// What the operator calls it.
    pub(super) name: Option<String>,
    /// Its own expected interval.
    pub(super) expect: Option<Expect>,
}

/// Reads the list by device.
///
/// # Errors
/// Names the file and the line.
pub(super) fn read(path: &Path) -> anyhow::Result<BTreeMap<String, Known>> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the inventory {name}"))?;
    parse(&text).with_context(|| format!("inventory {name}"))
}

fn parse(text: &str) -> anyhow::Result<BTreeMap<String, Known>> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let Some((_, head)) = lines.next() else { bail!("it is empty") };
    let columns: Vec<String> = cells(head).iter().map(|c| c.trim().to_lowercase()).collect();
    let column = |name: &str| columns.iter().position(|column| column == name);
    let Some(device) = column("device") else { bail!("line 1: no column is called device") };
    let (name, expect) = (column("name"), column("expect"));
    let mut all = BTreeMap::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let cells = cells(line);
        let cell = |at: Option<usize>| {
            at.and_then(|at| cells.get(at)).map(|c| c.trim()).filter(|c| !c.is_empty())
        };
        let Some(id) = cell(Some(device)) else { bail!("line {}: no device", number + 1) };
        let expect = match cell(expect) {
            Some(text) => {
                let read = values::expect(text);
                Some(read.map_err(|what| anyhow::anyhow!("line {}: {what}", number + 1))?)
            }
            None => None,
        };
        all.insert(id.to_owned(), Known { name: cell(name).map(ToOwned::to_owned), expect });
    }
    Ok(all)
}

/// The cells of one line (RFC 4180; no line ends inside cells).
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                push(&mut cells, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => push(&mut cells, letter),
        }
    }
    cells
}

fn push(cells: &mut [String], letter: char) {
    if let Some(cell) = cells.last_mut() {
        cell.push(letter);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::time::SECOND;

    #[test]
    fn names_and_expectations_are_optional() {
        let text = "\u{feff}device,name,expect\n3402,\"Gate, north\",1800s\n3403,,\n";
        let all = parse(text).unwrap();
        assert_eq!(all["3402"].name.as_deref(), Some("Gate, north"));
        assert_eq!(all["3402"].expect, Some(Expect::Interval(1800 * SECOND)));
        assert_eq!(all["3403"], Known::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        assert_eq!(parse("id\n1\n").unwrap_err().to_string(), "line 1: no column is called device");
        let error = parse("device,expect\n1,soon\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2: cannot read the time"), "{error}");
    }
}

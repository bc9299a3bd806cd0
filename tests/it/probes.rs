//! Small captures of one difficulty each give the messages that were sent, octet by octet.
//!
//! `tests/data/probes/texts` holds what was sent, taken from the captures with tshark, and by hand
//! where tshark reads otherwise (10, 65, 67).

use std::fs;

use crate::damage::found;
use crate::program::{root, run};

/// What stands behind each message of a file of texts.
const END: &[u8] = b"\n~~~\n";

/// The messages that a probe holds.
fn sent(stem: &str) -> Vec<Vec<u8>> {
    let texts = fs::read(root().join(format!("tests/data/probes/texts/{stem}.txt"))).unwrap();
    let ends = texts.windows(END.len()).enumerate().filter(|(_, window)| *window == END);
    let mut from = 0;
    ends.map(|(end, _)| texts[std::mem::replace(&mut from, end + END.len())..end].to_vec())
        .collect()
}

#[test]
fn every_probe_gives_the_messages_that_were_sent() {
    let mut checked = 0;
    for line in include_str!("../data/probes/EXPECT.tsv").lines().skip(1) {
        let (name, count) = line.split_once('\t').unwrap();
        let stem = name.split('.').next().unwrap();
        let path = root().join("tests/data/probes").join(name);
        let keys = path.with_extension("keylog");
        let sent = sent(stem);
        assert_eq!(sent.len(), count.parse::<usize>().unwrap(), "{name}");

        let found = found(&fs::read(&path).unwrap(), &fs::read(&keys).unwrap_or_default());
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        for ((frame, text), sent) in found.iter().zip(&sent) {
            // Line ends before a message are no part of it (RFC 3261 section 7.5).
            let text = text.trim_ascii_start();
            assert_eq!(shown(text), shown(sent), "{name}, frame {frame}");
            assert_eq!(text, sent, "{name}, frame {frame}");
        }
        assert_eq!(found.len(), sent.len(), "{name}");

        let mut arguments = vec!["messages", "--format", "ndjson", path.to_str().unwrap()];
        if keys.exists() {
            arguments.extend(["--keylog", keys.to_str().unwrap()]);
        }
        assert_eq!(run(&arguments).out.lines().count(), sent.len(), "{name}");
        checked += 1;
    }
    assert_eq!(checked, 35);
}

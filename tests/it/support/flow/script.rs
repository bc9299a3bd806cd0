//! The lines of a script, read.

/// One step of a script.
pub(super) enum Step<'a> {
    Message(Line<'a>),
    Wait(i64),
    Carriage(super::Carriage),
    Call(&'a str),
    Host(&'a str, std::net::SocketAddrV4),
    End(i64),
}

/// One message line with the edits below it.
pub(super) struct Line<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) what: What<'a>,
    pub(super) marks: Vec<&'a str>,
    pub(super) edits: Vec<&'a str>,
}

/// What a line sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum What<'a> {
    Request(&'a str),
    Response(u16, Option<&'a str>),
    Raw(&'a str),
}

impl Line<'_> {
    pub(super) fn is(&self, mark: &str) -> bool {
        self.marks.contains(&mark)
    }

    /// The word behind `mark`.
    pub(super) fn after(&self, mark: &str) -> Option<&str> {
        let at = self.marks.iter().position(|own| *own == mark)?;
        self.marks.get(at + 1).copied()
    }
}

pub(super) fn read(script: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    for line in script.lines() {
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if line.starts_with([' ', '\t'])
            && let Some(Step::Message(message)) = steps.last_mut()
        {
            message.edits.push(text);
            continue;
        }
        steps.push(step(text));
    }
    steps
}

fn step(text: &str) -> Step<'_> {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap();
    match (first, words.next()) {
        ("tcp", None) => Step::Carriage(super::Carriage::Tcp),
        ("udp", None) => Step::Carriage(super::Carriage::Udp),
        ("call", name) => Step::Call(name.unwrap_or("one")),
        ("END", Some(wait)) => Step::End(nanos(wait)),
        ("host", Some(name)) => {
            let address = words.next().unwrap_or_else(|| panic!("host without address: {text}"));
            let full =
                if address.contains(':') { address.to_owned() } else { format!("{address}:5060") };
            Step::Host(name, full.parse().unwrap_or_else(|_| panic!("no address: {text}")))
        }
        (wait, None) if wait.starts_with('+') => Step::Wait(nanos(wait)),
        (left, Some(arrow @ (">" | "<"))) => {
            let right = words.next().unwrap_or_else(|| panic!("arrow to nobody: {text}"));
            let (from, to) = if arrow == ">" { (left, right) } else { (right, left) };
            let rest = text.split_once(arrow).unwrap().1.trim_start();
            let rest = rest.strip_prefix(right).unwrap().trim_start();
            message(from, to, rest)
        }
        _ => panic!("a script has no such line: {text}"),
    }
}

fn message<'a>(from: &'a str, to: &'a str, rest: &'a str) -> Step<'a> {
    let mut words = rest.split_whitespace().peekable();
    let first = words.next().unwrap_or_else(|| panic!("{from} sends nothing to {to}"));
    let what = if first == "raw" {
        let octets = rest.strip_prefix("raw").unwrap().trim();
        return line(from, to, What::Raw(octets), Vec::new());
    } else if let Ok(status) = first.parse() {
        let method = words.next_if(|word| word.chars().all(|c| c.is_ascii_uppercase()));
        What::Response(status, method)
    } else {
        What::Request(first)
    };
    line(from, to, what, words.collect())
}

fn line<'a>(from: &'a str, to: &'a str, what: What<'a>, marks: Vec<&'a str>) -> Step<'a> {
    Step::Message(Line { from, to, what, marks, edits: Vec::new() })
}

/// `+3.2s`, `+20ms`.
fn nanos(wait: &str) -> i64 {
    let number = wait.trim_start_matches('+');
    let (number, unit) = match number.strip_suffix("ms") {
        Some(number) => (number, 1e6),
        None => (number.trim_end_matches('s'), 1e9),
    };
    (number.parse::<f64>().unwrap_or_else(|_| panic!("no time: {wait}")) * unit) as i64
}

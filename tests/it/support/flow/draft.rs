//! A message while it is being written: first line, headers, body, and the edits of a script.

/// A message in parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Draft {
    pub(crate) fn new(start: String) -> Self {
        Self { start, ..Self::default() }
    }

    pub(crate) fn push(&mut self, name: &str, value: impl Into<String>) {
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).next()
    }

    /// Copies all headers called `name` from `other`.
    pub(crate) fn copy(&mut self, other: &Self, name: &str) {
        for value in other.values(name) {
            self.push(name, value);
        }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name)) {
            Some((_, own)) => value.clone_into(own),
            None => self.push(name, value),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// The method of a request, or of CSeq.
    pub(crate) fn method(&self) -> &str {
        self.value("CSeq").and_then(|cseq| cseq.split(' ').nth(1)).unwrap_or_default()
    }

    /// The Request-URI of a request.
    pub(crate) fn uri(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of a response.
    pub(crate) fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default()
    }

    /// The tag of From or To.
    pub(crate) fn tag(&self, name: &str) -> Option<String> {
        let (_, rest) = self.value(name)?.split_once(";tag=")?;
        Some(rest.split(';').next().unwrap_or_default().to_owned())
    }

    /// The URI of the first Contact.
    pub(crate) fn contact(&self) -> Option<String> {
        let (_, rest) = self.value("Contact")?.split_once('<')?;
        Some(rest.split('>').next().unwrap_or_default().to_owned())
    }

    /// Applies `edits` (see the module `flow`) but those of the wire.
    pub(crate) fn edit(&mut self, edits: &[&str]) {
        for edit in edits {
            let (word, rest) = edit.split_once(' ').unwrap_or((edit, ""));
            match word {
                "~" => {}
                "-" => self.remove(rest.trim()),
                "+" => {
                    let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
                    self.push(name.trim(), unescape(value.trim()));
                }
                // A name without value is written as it stands, colon or not.
                "line" => self.push(&format!("\0{}", unescape(rest)), ""),
                "start" => self.start = unescape(rest),
                "body" => self.body = octets(rest),
                "sdp" => self.edit_sdp(rest),
                _ => {
                    let (name, value) =
                        edit.split_once(':').unwrap_or_else(|| panic!("no such edit: {edit}"));
                    self.set(name.trim(), &unescape(value.trim()));
                }
            }
        }
    }

    fn edit_sdp(&mut self, edit: &str) {
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&self.body).lines().map(str::to_owned).collect();
        if let Some(prefix) = edit.strip_prefix("- ") {
            lines.retain(|line| !line.starts_with(prefix));
        } else if let Some(line) = edit.strip_prefix("+ ") {
            lines.push(line.to_owned());
        } else {
            let place = lines.iter().position(|line| line.starts_with(&edit[..2]));
            lines[place.unwrap_or_else(|| panic!("no such SDP line: {edit}"))] = unescape(edit);
        }
        self.body = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>().into();
    }

    /// The octets. Content-Length counts the body unless an edit spoke of it.
    pub(crate) fn bytes(&self, edits: &[&str]) -> Vec<u8> {
        let is_ours =
            !edits.iter().any(|edit| edit.to_ascii_lowercase().contains("content-length"));
        let mut out = format!("{}\r\n", self.start).into_bytes();
        for (name, value) in &self.headers {
            if is_ours && name.eq_ignore_ascii_case("Content-Length") {
                out.extend(format!("{name}: {}\r\n", self.body.len()).bytes());
            } else if let Some(line) = name.strip_prefix('\0') {
                out.extend(format!("{line}\r\n").bytes());
            } else {
                out.extend(format!("{name}: {value}\r\n").bytes());
            }
        }
        out.extend(b"\r\n");
        out.extend(&self.body);
        for edit in edits {
            if let Some(rest) = edit.strip_prefix("~ ") {
                let (this, that) = rest.split_once(" => ").unwrap_or((rest, ""));
                out = replace(&out, &octets(this), &octets(that));
            }
        }
        out
    }
}

/// `\r`, `\n`, `\t`, `\xNN` as the octets they stand for; any other backslash stays.
pub(crate) fn octets(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.extend(&rest.as_bytes()[..at]);
        let (octet, used) = match rest.as_bytes().get(at + 1) {
            Some(b'r') => (b'\r', 2),
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'x') => (u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap(), 4),
            _ => (b'\\', 1),
        };
        out.push(octet);
        rest = &rest[at + used..];
    }
    out.extend(rest.as_bytes());
    out
}

fn unescape(text: &str) -> String {
    String::from_utf8(octets(text)).unwrap_or_else(|_| panic!("no UTF-8, use ~: {text}"))
}

fn replace(text: &[u8], this: &[u8], that: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(this.len()).position(|part| part == this) {
        out.extend(&rest[..at]);
        out.extend(that);
        rest = &rest[at + this.len()..];
    }
    out.extend(rest);
    out
}

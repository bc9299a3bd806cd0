//! `--filter` and its short forms, joined into one condition.

use anyhow::{Context as _, bail};

use super::args::ChoiceArgs;
use super::filter::{Field, Filter, Operand, Test, is_plain};

/// The condition that `args` set; `None` when all is wanted.
///
/// # Errors
/// Says what cannot be read.
pub fn filter(args: &ChoiceArgs) -> anyhow::Result<Option<Filter>> {
    let mut all: Vec<Filter> = Vec::new();
    if let Some(text) = &args.filter {
        all.push(Filter::parse(text).context("--filter")?);
    }
    all.extend(one_of(Field::CallId, &args.call_id));
    all.extend(containing(Field::From, &args.from));
    all.extend(containing(Field::To, &args.to));
    all.extend(one_of(Field::User, &args.user));
    all.extend(one_of(Field::Method, &args.method));
    if !args.status.is_empty() {
        let ranges: anyhow::Result<Vec<_>> = args.status.iter().map(|text| range(text)).collect();
        all.push(Filter::Is(Field::Status, Test::OneOf(ranges?)));
    }
    Ok(all.into_iter().reduce(Filter::and))
}

/// What may have been meant by a choice that nothing fits; `None` where it is plain.
pub fn hint(args: &ChoiceArgs) -> Option<String> {
    if let Some(word) = args.filter.as_deref().map(str::trim).filter(|text| is_plain(text)) {
        let looked = "a plain word is looked for in From, To and Call-ID";
        let meant = match word {
            _ if word.parse::<std::net::IpAddr>().is_ok() => format!("host == {word}"),
            _ if word.len() == 3 && word.parse::<u16>().is_ok() => format!("status == {word}"),
            _ if TRANSPORTS.iter().any(|known| known.eq_ignore_ascii_case(word)) => {
                format!("transport == {}", word.to_ascii_lowercase())
            }
            _ if METHODS.iter().any(|known| known.eq_ignore_ascii_case(word)) => {
                format!("method == {}", word.to_ascii_uppercase())
            }
            _ if crate::rules::find(word).is_some() => format!("rule == {word}"),
            _ => return Some(format!("{looked}; everywhere: -f 'text contains {word}'")),
        };
        return Some(format!("{looked}; did you mean -f '{meant}'?"));
    }
    let part = args.call_id.first()?;
    Some(format!(
        "--call-id takes the whole Call-ID; for a part of it: -f 'call_id contains \"{part}\"'"
    ))
}

const METHODS: [&str; 14] = [
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "REGISTER",
    "OPTIONS",
    "SUBSCRIBE",
    "NOTIFY",
    "PUBLISH",
    "MESSAGE",
    "INFO",
    "PRACK",
    "UPDATE",
    "REFER",
];
const TRANSPORTS: [&str; 6] = ["udp", "tcp", "tls", "ws", "wss", "sctp"];

fn one_of(field: Field, texts: &[String]) -> Option<Filter> {
    let operands: Vec<_> = texts.iter().cloned().map(Operand::Text).collect();
    (!operands.is_empty()).then_some(Filter::Is(field, Test::OneOf(operands)))
}

fn containing(field: Field, texts: &[String]) -> Option<Filter> {
    let contains = |text: &String| Filter::Is(field, Test::Contains(text.clone()));
    texts.iter().map(contains).reduce(Filter::or)
}

/// `486`, `4xx`, `400-499`.
fn range(text: &str) -> anyhow::Result<Operand> {
    let bounds = match text.as_bytes() {
        [class @ b'1'..=b'6', b'x' | b'X', b'x' | b'X'] => {
            let low = u16::from(class - b'0') * 100;
            Some((low, low + 99))
        }
        _ => {
            let (low, high) = text.split_once('-').unwrap_or((text, text));
            low.parse().ok().zip(high.parse().ok())
        }
    };
    match bounds {
        Some((low, high)) => Ok(Operand::Range(f64::from(low), f64::from(high))),
        None => bail!("--status: cannot read {text:?}: write 486, 4xx or 400-499"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn short_forms_are_joined_by_and() {
        let args = ChoiceArgs {
            from: vec!["1001".to_owned(), "1002".to_owned()],
            status: vec!["4xx".to_owned(), "603".to_owned()],
            ..ChoiceArgs::default()
        };
        let same =
            "(from contains \"1001\" || from contains \"1002\") && status in {400..499, 603}";
        assert_eq!(filter(&args).unwrap(), Some(Filter::parse(same).unwrap()));
    }

    #[test]
    fn nothing_asked_is_all() {
        assert_eq!(filter(&ChoiceArgs::default()).unwrap(), None);
    }

    #[test]
    fn a_status_is_a_number_a_class_or_a_range() {
        assert_eq!(range("486").unwrap(), Operand::Range(486.0, 486.0));
        assert_eq!(range("4XX").unwrap(), Operand::Range(400.0, 499.0));
        assert_eq!(range("500-599").unwrap(), Operand::Range(500.0, 599.0));
        assert!(range("busy").unwrap_err().to_string().contains("write 486"));
    }
}

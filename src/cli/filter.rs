//! The filter language: `method == "INVITE" && status >= 400 && from contains "1001"`.
//!
//! A field has all the values found in what is asked: one message, or all messages of a call. A
//! comparison holds when one value satisfies it; `!=` when none is equal, as in Wireshark.

pub mod fields;
mod grammar;

use std::fmt;

pub use fields::Field;

/// One value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Octets as written; compared without regard to ASCII case.
    Text(&'a [u8]),
    /// A number; times in seconds.
    Number(f64),
}

/// Something that can be asked for the values of a field.
pub trait Facts {
    /// True when `test` holds for a value of `field`.
    fn any(&self, field: Field, test: &mut dyn FnMut(Value<'_>) -> bool) -> bool;
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Both.
    And(Box<Self>, Box<Self>),
    /// At least one.
    Or(Box<Self>, Box<Self>),
    /// Not.
    Not(Box<Self>),
    /// One comparison.
    Is(Field, Test),
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal to one of these; numbers may be ranges.
    OneOf(Vec<Operand>),
    /// Less than, at most, at least, more than.
    Order(Order, f64),
    /// Text that contains this, without regard to ASCII case.
    Contains(String),
}

/// Something a value may equal.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// This text.
    Text(String),
    /// Between these, both included.
    Range(f64, f64),
}

/// The ordering comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    text: String,
    at: usize,
    message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = self.text.get(..self.at).map_or(0, |before| before.chars().count());
        write!(f, "{}\n  {}\n  {:column$}^", self.message, self.text, "")
    }
}

impl std::error::Error for Error {}

/// Octets of the longest expression.
const LONGEST: usize = 4096;
/// Levels of parentheses, and negations; the bound of the recursion that reads them.
const DEEPEST: usize = 64;

impl Filter {
    /// Reads an expression; a text without any operator is looked for in From, To and Call-ID.
    ///
    /// # Errors
    /// Says what was expected, and where.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let fail = |at, message: String| Error { text: text.to_owned(), at, message };
        if text.trim().is_empty() {
            return Err(fail(0, "the filter is empty".to_owned()));
        }
        if LONGEST < text.len() {
            return Err(fail(0, "the filter is too long".to_owned()));
        }
        if DEEPEST < depth(text) {
            return Err(fail(0, "the filter is nested too deeply".to_owned()));
        }
        if is_plain(text) {
            return Ok(Self::search(text.trim()));
        }
        grammar::read(text).map_err(|(rest, message)| fail(text.len() - rest.len(), message))
    }

    /// Calls where `word` stands in From, To or Call-ID.
    pub fn search(word: &str) -> Self {
        let contains = |field| Self::Is(field, Test::Contains(word.to_owned()));
        contains(Field::From).or(contains(Field::To)).or(contains(Field::CallId))
    }

    /// Both `self` and `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    /// `self` or `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }

    /// The first field it asks for that is one of `those`.
    pub fn asks(&self, those: &dyn Fn(Field) -> bool) -> Option<Field> {
        match self {
            Self::And(a, b) | Self::Or(a, b) => a.asks(those).or_else(|| b.asks(those)),
            Self::Not(inner) => inner.asks(those),
            Self::Is(field, _) => Some(*field).filter(|field| those(*field)),
        }
    }

    /// True when the condition holds for `facts`.
    pub fn holds(&self, facts: &dyn Facts) -> bool {
        match self {
            Self::And(a, b) => a.holds(facts) && b.holds(facts),
            Self::Or(a, b) => a.holds(facts) || b.holds(facts),
            Self::Not(inner) => !inner.holds(facts),
            Self::Is(field, test) => facts.any(*field, &mut |value| test.holds(value)),
        }
    }
}

impl Test {
    fn holds(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::OneOf(operands), value) => operands.iter().any(|operand| operand.equals(value)),
            (Self::Order(order, bound), Value::Number(number)) => match order {
                Order::Less => number < *bound,
                Order::AtMost => number <= *bound,
                Order::AtLeast => *bound <= number,
                Order::More => *bound < number,
            },
            (Self::Contains(part), Value::Text(text)) => contains(text, part.as_bytes()),
            (Self::Order(..), Value::Text(_)) | (Self::Contains(_), Value::Number(_)) => false,
        }
    }
}

impl Operand {
    fn equals(&self, value: Value<'_>) -> bool {
        match (self, value) {
            (Self::Text(own), Value::Text(text)) => own.as_bytes().eq_ignore_ascii_case(text),
            (Self::Range(low, high), Value::Number(number)) => *low <= number && number <= *high,
            _ => false,
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// An upper bound of the levels of `text`, found without reading it.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for octet in text.bytes() {
        match octet {
            b'(' => open += 1,
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    let words = text.to_ascii_lowercase().matches("not").count();
    let signs = text.matches('!').count() - text.matches("!=").count();
    deepest.max(words).max(signs)
}

/// True for a text to be searched for: nothing in it could be an operator.
pub(super) fn is_plain(text: &str) -> bool {
    let text = text.trim();
    !text.contains(|c: char| c.is_whitespace() || "=<>!&|()\"'{}".contains(c))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A call of an INVITE, a 180 and a 486.
    struct Refused;

    impl Facts for Refused {
        fn any(&self, field: Field, test: &mut dyn FnMut(Value<'_>) -> bool) -> bool {
            let values: &[Value<'_>] = match field {
                Field::Method => &[Value::Text(b"INVITE"), Value::Text(b"ACK")],
                Field::Status => &[Value::Number(180.0), Value::Number(486.0)],
                Field::From => &[Value::Text(b"<sip:1001@example.com>;tag=a")],
                Field::To => &[Value::Text(b"\"Bob\" <sip:bob@example.com>")],
                Field::CallId => &[Value::Text(b"c1@host")],
                Field::Setup => &[Value::Number(1.5)],
                _ => &[],
            };
            values.iter().any(|value| test(*value))
        }
    }

    #[track_caller]
    fn check(text: &str, holds: bool) {
        assert_eq!(Filter::parse(text).unwrap().holds(&Refused), holds, "{text}");
    }

    #[track_caller]
    fn wrong(text: &str, at: usize, message: &str) {
        let error = Filter::parse(text).unwrap_err();
        assert_eq!(error.at, at, "{error}");
        assert!(error.message.contains(message), "{error}");
    }

    #[test]
    fn comparisons_hold_when_one_value_satisfies_them() {
        check("method == \"INVITE\" && status >= 400 && from contains \"1001\"", true);
        check("status >= 500", false);
        check("status == 180 and status == 486", true);
        check("status != 486", false);
        check("status != 404", true);
        check("setup > 1.25", true);
        check("sip.Status-Code == 486", true);
    }

    #[test]
    fn a_word_is_searched_in_from_to_and_call_id() {
        check("1001", true);
        check("BOB", true);
        check("c1@host", true);
        check("alice", false);
        check("sip:bob@example.com", true);
    }

    #[test]
    fn conditions_combine() {
        check("(method == BYE or status == 486) and not from contains \"2002\"", true);
        check("!(status == 486)", false);
        check("method == BYE || method == CANCEL && status == 486", false);
        check("status in {404, 480..489}", true);
        check("method in {\"BYE\" \"CANCEL\"}", false);
    }

    #[test]
    fn unknown_values_satisfy_nothing() {
        check("duration > 0", false);
        check("to.tag == \"x\"", false);
    }

    #[test]
    fn mistakes_are_pointed_at() {
        wrong("", 0, "empty");
        wrong("methd == \"INVITE\"", 0, "no field is named methd: did you mean method?");
        wrong("weather == 4", 0, "no field is named weather; the fields are method, status,");
        wrong("alice bob", 0, "to search for a text with spaces");
        wrong("method \"INVITE\"", 6, "expected an operator");
        wrong("from matches \"a.*\"", 4, "== != < <= > >= contains in");
        wrong("status == x", 10, "expected a number");
        wrong("status > 400 &&", 15, "expected");
        wrong("(status > 400", 13, "expected )");
        wrong("from < 3", 6, "is a text");
        wrong("status contains 4", 15, "is a number");
        wrong("from == \"a", 8, "not closed");
        wrong("status == 1 status == 2", 12, "expected && or ||");
        wrong(&"(".repeat(100_000), 0, "too long");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |open: &str, close: &str, levels| {
            format!("{}status == 486{}", open.repeat(levels), close.repeat(levels))
        };
        check(&nested("(", ")", DEEPEST), true);
        check(&nested("not ", "", DEEPEST), true);
        check(&nested("!(", ")", DEEPEST), true);
        for (open, close) in [("(", ")"), ("!", ""), ("not ", "")] {
            wrong(&nested(open, close, DEEPEST + 1), 0, "nested too deeply");
        }
    }

    #[test]
    fn the_place_of_a_mistake_is_drawn() {
        let error = Filter::parse("status == x").unwrap_err();
        assert_eq!(error.to_string(), "expected a number\n  status == x\n            ^");
    }
}

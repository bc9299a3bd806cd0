//! The grammar of the filter language.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while, take_while1};
use nom::character::complete::{char, multispace0};
use nom::combinator::{cut, map, not, opt, peek, recognize, value};
use nom::error::ErrorKind;
use nom::multi::{fold_many0, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser as _};

use super::fields::FIELDS;
use super::{Field, Filter, Operand, Order, Test};

/// Reads a whole expression; the error is what is left of it and what was expected there.
pub(super) fn read(text: &str) -> Result<Filter, (&str, String)> {
    match terminated(expression, multispace0).parse(text) {
        Ok(("", filter)) => Ok(filter),
        Ok((rest, _)) => Err((rest, "expected && or ||".to_owned())),
        Err(nom::Err::Error(e) | nom::Err::Failure(e)) => Err((e.rest, e.message)),
        Err(nom::Err::Incomplete(_)) => Err(("", "the filter is incomplete".to_owned())),
    }
}

/// An error of the grammar: what is left from where it stands, and what was expected there.
struct Expected<'a> {
    rest: &'a str,
    message: String,
}

impl<'a> nom::error::ParseError<&'a str> for Expected<'a> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Self { rest, message: "expected a comparison: method == \"INVITE\"".to_owned() }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }

    fn or(self, other: Self) -> Self {
        if self.rest.len() < other.rest.len() { self } else { other }
    }
}

type Read<'a, T> = IResult<&'a str, T, Expected<'a>>;

fn failure<T>(rest: &str, message: impl Into<String>) -> Read<'_, T> {
    Err(nom::Err::Failure(Expected { rest, message: message.into() }))
}

fn expression(input: &str) -> Read<'_, Filter> {
    let (input, first) = conjunction(input)?;
    let mut first = Some(first);
    fold_many0(
        preceded(token(alt((tag("||"), word("or")))), cut(conjunction)),
        move || first.take(),
        |all, next| match all {
            Some(all) => Some(all.or(next)),
            None => Some(next),
        },
    )
    .parse(input)
    .and_then(|(rest, all)| all.map_or_else(|| failure(rest, "empty"), |all| Ok((rest, all))))
}

fn conjunction(input: &str) -> Read<'_, Filter> {
    let (mut input, mut all) = negation(input)?;
    loop {
        let (rest, more) =
            opt(preceded(token(alt((tag("&&"), word("and")))), cut(negation))).parse(input)?;
        input = rest;
        match more {
            Some(next) => all = all.and(next),
            None => return Ok((input, all)),
        }
    }
}

fn negation(input: &str) -> Read<'_, Filter> {
    alt((
        map(preceded(token(alt((tag("!"), word("not")))), cut(negation)), |inner| {
            Filter::Not(Box::new(inner))
        }),
        delimited(token(char('(')), cut(expression), cut(token(closing))),
        comparison,
    ))
    .parse(input)
}

fn closing(input: &str) -> Read<'_, char> {
    match char::<_, Expected<'_>>(')').parse(input) {
        Ok(done) => Ok(done),
        Err(_) => failure(input, "expected )"),
    }
}

fn comparison(input: &str) -> Read<'_, Filter> {
    let (start, _) = multispace0.parse(input)?;
    let (rest, name) = name(start)?;
    let Some(field) = Field::of(name) else {
        return failure(start, no_field(name, rest));
    };
    let Ok((rest, operator)) = token(operator).parse(rest) else {
        let all = "== != < <= > >= contains in";
        return failure(rest, format!("expected an operator after {name}: one of {all}"));
    };
    let number_field = field.is_number();
    match operator {
        Operator::Equal | Operator::Unequal | Operator::In => {
            let (rest, operands) = match operator {
                Operator::In => operands(rest, number_field)?,
                _ => map(|i| operand(i, number_field), |one| vec![one]).parse(rest)?,
            };
            let is = Filter::Is(field, Test::OneOf(operands));
            let unequal = matches!(operator, Operator::Unequal);
            Ok((rest, if unequal { Filter::Not(Box::new(is)) } else { is }))
        }
        Operator::Order(order) if number_field => {
            let (rest, bound) = number(rest)?;
            Ok((rest, Filter::Is(field, Test::Order(order, bound))))
        }
        Operator::Contains if !number_field => {
            let (rest, part) = text(rest)?;
            Ok((rest, Filter::Is(field, Test::Contains(part))))
        }
        Operator::Order(_) => failure(rest, format!("{name} is a text: use == != or contains")),
        Operator::Contains => failure(rest, format!("{name} is a number: use == != < <= > >=")),
    }
}

/// What is said of the unknown field `name`, before `rest`.
fn no_field(name: &str, rest: &str) -> String {
    if token(operator).parse(rest).is_err() {
        return format!(
            "no field is named {name}; to search for a text with spaces: text contains \"…\""
        );
    }
    if let Some(near) = Field::nearest(name) {
        return format!("no field is named {name}: did you mean {near}?");
    }
    let names = FIELDS.iter().filter_map(|entry| entry.names.first().copied());
    let names: Vec<_> = names.collect();
    format!("no field is named {name}; the fields are {}", names.join(", "))
}

#[derive(Clone, Copy, Debug)]
enum Operator {
    Equal,
    Unequal,
    In,
    Contains,
    Order(Order),
}

fn operator(input: &str) -> Read<'_, Operator> {
    alt((
        value(Operator::Equal, alt((tag("=="), word("eq")))),
        value(Operator::Unequal, alt((tag("!="), word("ne")))),
        value(Operator::Order(Order::AtMost), alt((tag("<="), word("le")))),
        value(Operator::Order(Order::AtLeast), alt((tag(">="), word("ge")))),
        value(Operator::Order(Order::Less), alt((tag("<"), word("lt")))),
        value(Operator::Order(Order::More), alt((tag(">"), word("gt")))),
        value(Operator::Equal, tag("=")),
        value(Operator::Contains, alt((tag("~"), word("contains")))),
        value(Operator::In, word("in")),
    ))
    .parse(input)
}

fn operands(input: &str, numbers: bool) -> Read<'_, Vec<Operand>> {
    let comma = token(alt((tag(","), tag(""))));
    let end = |i| match token(char('}')).parse(i) {
        Ok(done) => Ok(done),
        Err(_) => failure(i, "expected }"),
    };
    let begin = |i| match token(char('{')).parse(i) {
        Ok(done) => Ok(done),
        Err(_) => failure(i, "expected {: status in {486, 600..699}"),
    };
    let one = |i| {
        let (i, _) = multispace0.parse(i)?;
        not(char('}')).parse(i)?;
        operand(i, numbers)
    };
    delimited(begin, separated_list1(comma, one), end).parse(input)
}

fn operand(input: &str, numbers: bool) -> Read<'_, Operand> {
    if !numbers {
        return map(text, Operand::Text).parse(input);
    }
    let (input, low) = number(input)?;
    let (input, high) = opt(preceded(tag(".."), cut(number))).parse(input)?;
    Ok((input, Operand::Range(low, high.unwrap_or(low))))
}

fn number(input: &str) -> Read<'_, f64> {
    let (start, _) = multispace0.parse(input)?;
    let digits = take_while1(|c: char| c.is_ascii_digit());
    let fraction = opt((char('.'), take_while1(|c: char| c.is_ascii_digit())));
    match recognize((digits, fraction)).parse(start) {
        Ok((rest, digits)) => digits
            .parse()
            .map_or_else(|_| failure(start, "expected a number"), |number| Ok((rest, number))),
        Err(nom::Err::Error(Expected { .. })) => failure(start, "expected a number"),
        Err(other) => Err(other),
    }
}

fn text(input: &str) -> Read<'_, String> {
    let (start, _) = multispace0.parse(input)?;
    let quoted = |quote: char| {
        delimited(char(quote), take_while(move |c: char| c != quote), cut(char(quote)))
    };
    let bare = take_while1(|c: char| !c.is_whitespace() && !"&|()\"'{},".contains(c));
    match alt((quoted('"'), quoted('\''), bare)).parse(start) {
        Ok((rest, text)) => Ok((rest, text.to_owned())),
        Err(nom::Err::Failure(Expected { .. })) => failure(start, "the quote is not closed"),
        Err(_) => failure::<String>(start, "expected a text in quotes"),
    }
}

fn name(input: &str) -> Read<'_, &str> {
    take_while1(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c)).parse(input)
}

/// A word that stands alone: `or` but not the beginning of `order`.
fn word<'a>(
    text: &'static str,
) -> impl nom::Parser<&'a str, Output = &'a str, Error = Expected<'a>> {
    let letter = take_while1(|c: char| c.is_ascii_alphanumeric() || "._-".contains(c));
    terminated(tag_no_case(text), not(peek(letter)))
}

/// `inner` after white space.
fn token<'a, P>(inner: P) -> impl nom::Parser<&'a str, Output = P::Output, Error = Expected<'a>>
where
    P: nom::Parser<&'a str, Error = Expected<'a>>,
{
    preceded(multispace0, inner)
}

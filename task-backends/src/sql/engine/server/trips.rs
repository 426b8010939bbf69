//! How statements travel to a server: what carries numbers only goes together, as one text.
//!
//! A trip costs more than most of the small statements of a transaction, and the driver makes
//! one for each prepared statement. Several statements in one text are one trip. The server
//! reads such a text anew each time, so a statement that has no company stays prepared. Texts
//! of the application's never become part of a statement's.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::sql::script::{Statement, Way};
use crate::sql::value::Value;

/// The most numbers that are written into a statement.
const MOST_NUMBERS: usize = 5000;

/// What goes to the server and is answered in one trip.
#[derive(Debug)]
pub(in crate::sql::engine) enum Trip {
    /// As text, without values.
    Text(String),
    /// Prepared, with values.
    Prepared(Statement),
}

/// Divides statements into trips; `text` writes values into a statement.
pub(in crate::sql::engine) fn trips(
    statements: Vec<Statement>,
    text: impl Fn(&Statement) -> String,
) -> Vec<Trip> {
    let mut trips = Vec::new();
    let mut together: Vec<Statement> = Vec::new();
    for statement in statements {
        if has_only_numbers(&statement) {
            together.push(statement);
            continue;
        }
        trips.extend(trip(std::mem::take(&mut together), &text));
        trips.push(Trip::Prepared(statement));
    }
    trips.extend(trip(together, &text));
    trips
}

fn trip(mut together: Vec<Statement>, text: impl Fn(&Statement) -> String) -> Option<Trip> {
    if together.len() == 1 && together[0].way == Way::Kept {
        return together.pop().map(Trip::Prepared);
    }
    let texts: Vec<String> = together.iter().map(text).collect();
    (!texts.is_empty()).then(|| Trip::Text(texts.join("; ")))
}

fn has_only_numbers(statement: &Statement) -> bool {
    let mut numbers = 0;
    for value in &statement.values {
        numbers += match value {
            Value::Null | Value::Int(_) => 1,
            Value::List(list) => list.len(),
            Value::Text(text) if is_list(text) => text.len() / 8,
            Value::Text(_) | Value::Id(_) | Value::Column(_) => return false,
        };
    }
    statement.way == Way::Plain || numbers <= MOST_NUMBERS
}

/// Whether this is the text of a list of numbers: `12,13:1:4`.
fn is_list(text: &str) -> bool {
    let of_a_list = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b',' | b':');
    text.as_bytes().iter().all(of_a_list)
}

/// Writes a value that has only numbers, with this behind a whole one.
pub(in crate::sql::engine) fn write(value: &Value, kind: &str, text: &mut String) {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Int(number) if *number < 0 => write!(text, "({number}){kind}"),
        Value::Int(number) => write!(text, "{number}{kind}"),
        Value::Text(list) => write!(text, "'{list}'"),
        Value::List(list) => {
            let list: Vec<Cow<'_, str>> = list.iter().map(|number| number.to_string().into()).collect();
            write!(text, "'{{{}}}'{kind}[]", list.join(","))
        }
        Value::Null | Value::Id(_) | Value::Column(_) => write!(text, "NULL"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(statement: &Statement) -> String {
        let mut text = format!("{} ", statement.sql);
        for value in &statement.values {
            write(value, "", &mut text);
        }
        text.trim_end().to_owned()
    }

    fn shown(statements: Vec<Statement>) -> Vec<String> {
        let shown = trips(statements, text).into_iter().map(|trip| match trip {
            Trip::Text(text) => text,
            Trip::Prepared(statement) => format!("prepared {}", statement.sql),
        });
        shown.collect()
    }

    #[test]
    fn neighbours_that_carry_only_numbers_travel_together() {
        let statements = vec![
            Statement::plain("BEGIN"),
            Statement::new("a", [Value::Int(-1)]),
            Statement::new("b", [Value::List(vec![1, 2])]),
            Statement::new("c", ["a text; DROP".into()]),
            Statement::new("d", ["1,2:1:3".into()]),
            Statement::new("e", ["1'2".into()]),
            Statement::new("f", [Value::Null]),
            Statement::plain("COMMIT"),
        ];
        let expected = [
            "BEGIN; a (-1); b '{1,2}'[]",
            "prepared c",
            "prepared d",
            "prepared e",
            "f NULL; COMMIT",
        ];
        assert_eq!(shown(statements), expected);
    }

    #[test]
    fn a_statement_that_is_not_kept_prepared_is_not_prepared_for_its_numbers() {
        let once = Statement {
            way: Way::Once,
            ..Statement::new("a", [Value::Int(1)])
        };
        assert_eq!(shown(vec![once]), ["a 1"]);
        let long = Statement::new("b", [Value::List(vec![1; MOST_NUMBERS + 1])]);
        assert_eq!(
            shown(vec![long, Statement::plain("COMMIT")]),
            ["prepared b", "COMMIT"]
        );
    }
}

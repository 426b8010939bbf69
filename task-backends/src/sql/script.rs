//! SQL on its way to a store: statements with their values, and many rows at once.
//!
//! The texts are written once for every engine, with these marks, which
//! [`Engine::prepare`](super::engine::Engine::prepare) turns into what its engine says:
//!
//! | mark | stands for |
//! | --- | --- |
//! | `?` | the next value |
//! | `(?*)` | the numbers of a list: `seq IN (?*)` |
//! | `@task` | the table `task`, with its schema where there is one |

use std::borrow::Cow;

use super::value::{Row, Value};

/// A statement with the values for its marks.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) values: Vec<Value>,
    /// It is sent at once, apart from its neighbours.
    pub(crate) alone: bool,
    pub(crate) way: Way,
}

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Prepared, and kept so: its text comes again.
    Kept,
    /// Prepared for this once.
    Once,
    /// As text, without values.
    Plain,
}

impl Statement {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>, values: impl IntoIterator<Item = Value>) -> Self {
        Self {
            sql: sql.into(),
            values: values.into_iter().collect(),
            alone: false,
            way: Way::Kept,
        }
    }

    /// A statement without values that is sent as it is.
    pub(crate) fn plain(sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            way: Way::Plain,
            ..Self::new(sql, [])
        }
    }
}

/// What the store answered.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The rows of all statements, in order.
    pub(crate) rows: Vec<Row>,
    /// How many rows were written in all.
    pub(crate) written: u64,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
}

/// An insert of many rows of one shape.
#[derive(Debug, Clone)]
pub(crate) struct Insert {
    /// Without the mark: `result`.
    pub(crate) table: &'static str,
    /// What varies from row to row.
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// What all rows have in common.
    pub(crate) constants: Vec<(&'static str, i64)>,
    pub(crate) conflict: Conflict,
}

/// What happens to a row whose key is there already.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Conflict {
    /// The statement fails.
    Fails,
    /// The row that is there stays as it is. With the first column of the table.
    Stays(&'static str),
    /// This column takes the new value, found by this key.
    Replaces { key: &'static str, column: &'static str },
}

impl Insert {
    /// The columns that vary and the constant ones, with commas.
    pub(crate) fn column_names(&self) -> String {
        let varying = self.columns.iter().map(|(name, _)| *name);
        let constant = self.constants.iter().map(|(name, _)| *name);
        varying.chain(constant).collect::<Vec<_>>().join(", ")
    }

    /// `(?,?,1)`: the values of one row for `VALUES`.
    pub(crate) fn row(&self) -> String {
        let varying = self.columns.iter().map(|_| "?".to_owned());
        let constant = self.constants.iter().map(|(_, value)| value.to_string());
        format!("({})", varying.chain(constant).collect::<Vec<_>>().join(","))
    }
}

/// The sizes in which many rows are inserted with `VALUES`: few enough that every statement
/// text is prepared once and then found again. 1000 is what a full chunk of enqueued tasks
/// has. The largest times the widest table stays below SQLite's limit of 32,766 values.
const ROW_STEPS: [usize; 12] = [2000, 1000, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// From this many rows on a statement is sent at once, so that the texts of scripts
/// differ only in their small ends.
const ALONE_AT_ROWS: usize = 32;

/// `into VALUES row,row,.. conflict` in statements of few sizes, for `width` values a row.
pub(crate) fn values_statements(
    into: &str,
    row: &str,
    conflict: &str,
    width: usize,
    values: Vec<Value>,
) -> Vec<Statement> {
    let mut rest = values.into_iter();
    let mut statements = Vec::new();
    for step in ROW_STEPS {
        while rest.len() >= step * width {
            let values = rest.by_ref().take(step * width);
            let mut statement = values_statement(into, row, conflict, step, values);
            statement.alone = step >= ALONE_AT_ROWS;
            statements.push(statement);
        }
    }
    statements
}

/// `into VALUES row,row,.. conflict` with so many rows.
pub(crate) fn values_statement(
    into: &str,
    row: &str,
    conflict: &str,
    rows: usize,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    let mut sql = String::with_capacity(into.len() + conflict.len() + rows * (row.len() + 1) + 8);
    sql.push_str(into);
    for number in 0..rows {
        sql.push_str(if number == 0 { " VALUES " } else { "," });
        sql.push_str(row);
    }
    sql.push_str(conflict);
    Statement::new(sql, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_rows_become_few_statement_texts_and_lose_no_value() {
        let values: Vec<Value> = (0..2 * 2837).map(Value::Int).collect();
        let statements = values_statements("INSERT INTO t", "(?,?)", "", 2, values.clone());
        let sizes: Vec<usize> = statements
            .iter()
            .map(|statement| statement.sql.matches("(?,?)").count())
            .collect();
        assert_eq!(sizes, [2000, 512, 256, 64, 4, 1]);
        let sent: Vec<Value> = statements
            .iter()
            .flat_map(|statement| statement.values.clone())
            .collect();
        assert_eq!(sent, values);
        assert!(statements[0].alone && !statements[5].alone);
    }
}

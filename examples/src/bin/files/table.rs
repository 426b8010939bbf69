//! Text in columns.

/// A column's title and the side its cells keep to.
#[derive(Clone, Copy)]
pub(crate) enum Column {
    /// Words.
    Left(&'static str),
    /// Numbers.
    Right(&'static str),
}

/// The rows below their titles, columns as wide as their widest cell. Words of any length belong
/// in the last column.
pub(crate) fn table<const COLUMNS: usize>(
    columns: [Column; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let titles = columns.map(|column| match column {
        Column::Left(title) | Column::Right(title) => title.to_owned(),
    });
    let rows: Vec<[String; COLUMNS]> = std::iter::once(titles).chain(rows).collect();
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in &rows {
        let cells: [String; COLUMNS] = std::array::from_fn(|at| {
            let (cell, width) = (&row[at], widths[at]);
            match columns[at] {
                Column::Left(_) => format!("{cell:width$}"),
                Column::Right(_) => format!("{cell:>width$}"),
            }
        });
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_the_right_and_words_to_the_left() {
        let rows = [["Rust", "12"], ["größer", "3"]].map(|row| row.map(str::to_owned));
        let expected = "LANGUAGE  FILES\nRust         12\ngrößer        3\n";
        let columns = [Column::Left("LANGUAGE"), Column::Right("FILES")];
        assert_eq!(table(columns, rows), expected);
    }
}

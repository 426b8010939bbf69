//! A small table for people: columns as wide as their widest cell.

/// Lays rows out under a heading, two spaces between the columns.
pub fn table<const COLUMNS: usize>(heading: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let heading = heading.map(str::to_owned);
    let width = |column: usize| {
        rows.iter()
            .chain([&heading])
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let rule = widths.map(|width| "-".repeat(width));

    let mut text = String::new();
    for row in [&heading, &rule].into_iter().chain(rows) {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["sqlite".to_owned(), "212".to_owned()],
            ["größer".to_owned(), "3".to_owned()],
        ];
        let expected = "\
backend  tests
-------  -----
sqlite   212
größer   3
";
        assert_eq!(table(["backend", "tests"], &rows), expected);
    }
}

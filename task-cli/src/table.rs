//! Text in columns, cut to the width of the screen.

use std::borrow::Cow;

/// Between two columns.
const GAP: usize = 2;

/// The narrowest a column is cut to.
const NARROWEST: usize = 6;

/// Where a table is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// How many characters fit; `None` when nobody knows.
    pub(crate) width: Option<usize>,
    /// Whether colours show.
    pub(crate) colour: bool,
}

/// What happens to a column when the screen is too narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Never,
    /// Its ends are cut off.
    End,
    /// Its beginnings are cut off: what tells `app::greet` from `app::meet` is at the end.
    Start,
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    title: Cow<'static, str>,
    cut: Cut,
    to_the_right: bool,
}

impl Column {
    /// Text that is never cut.
    pub(crate) fn text(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            title: title.into(),
            cut: Cut::Never,
            to_the_right: false,
        }
    }

    /// A number.
    pub(crate) fn number(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            to_the_right: true,
            ..Self::text(title)
        }
    }

    /// Text whose end may be cut off.
    pub(crate) fn words(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cut: Cut::End,
            ..Self::text(title)
        }
    }

    /// A path or qualified name, whose beginning may be cut off.
    pub(crate) fn path(title: impl Into<Cow<'static, str>>) -> Self {
        Self {
            cut: Cut::Start,
            ..Self::text(title)
        }
    }
}

/// A colour that means the same on dark and light screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
}

/// One value.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// This text in this colour.
    pub(crate) fn coloured(text: impl Into<String>, colour: Option<Colour>) -> Self {
        Self {
            colour,
            ..Self::from(text.into())
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self {
            text: printable(&text),
            colour: None,
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

/// Rows of values below titles; a row may have lines of its own below it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Column>,
    rows: Vec<(Vec<Cell>, Vec<String>)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: one value for each column.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push((cells.into_iter().collect(), Vec::new()));
    }

    /// Adds a line below the last row.
    pub(crate) fn note(&mut self, note: &str) {
        if let Some((_, notes)) = self.rows.last_mut() {
            notes.push(printable(note));
        }
    }

    /// The text of the table, each line with its end.
    pub(crate) fn render(&self, screen: Screen) -> String {
        let widths = self.widths(screen.width);
        let mut text = String::new();
        let titles: Vec<Cell> = self
            .columns
            .iter()
            .map(|column| Cell::from(column.title.as_ref()))
            .collect();
        self.write_row(&mut text, &titles, &widths, screen);
        for (cells, notes) in &self.rows {
            self.write_row(&mut text, cells, &widths, screen);
            for note in notes {
                let room = screen.width.map_or(usize::MAX, |width| width - 2 * GAP);
                text.push_str(&format!("{}{}\n", " ".repeat(2 * GAP), cut(note, room, Cut::End)));
            }
        }
        text
    }

    fn write_row(&self, text: &mut String, cells: &[Cell], widths: &[usize], screen: Screen) {
        let mut line = String::new();
        for ((cell, column), width) in cells.iter().zip(&self.columns).zip(widths) {
            let shown = cut(&cell.text, *width, column.cut);
            let rest = " ".repeat(width.saturating_sub(length(&shown)));
            let shown = painted(&shown, cell.colour.filter(|_| screen.colour));
            let (before, after) = if column.to_the_right {
                (rest.as_str(), "")
            } else {
                ("", rest.as_str())
            };
            line.push_str(&format!("{before}{shown}{after}{}", " ".repeat(GAP)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }

    /// How wide each column is: as its widest value, then less until the screen is wide enough.
    fn widths(&self, screen: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|column| length(&column.title)).collect();
        for (cells, _) in &self.rows {
            for (width, cell) in widths.iter_mut().zip(cells) {
                *width = length(&cell.text).max(*width);
            }
        }
        let Some(screen) = screen else {
            return widths;
        };
        let gaps = GAP * self.columns.len().saturating_sub(1);
        let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(screen);
        while excess > 0 {
            let widest = widths
                .iter_mut()
                .zip(&self.columns)
                .filter(|(width, column)| {
                    column.cut != Cut::Never && **width > length(&column.title).max(NARROWEST)
                })
                .max_by_key(|(width, _)| **width);
            let Some((width, _)) = widest else { break };
            *width -= 1;
            excess -= 1;
        }
        widths
    }
}

/// Labels with their values, the values below each other; further lines of a value stand
/// under its first.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let width = fields.iter().map(|(label, _)| length(label)).max().unwrap_or(0);
    let mut text = String::new();
    for (label, value) in fields {
        for (index, line) in value.split('\n').enumerate() {
            let label = if index == 0 { label } else { "" };
            let line = format!("{label:width$}{}{}", " ".repeat(GAP), printable(line));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// The text without control characters: what a task stored must not steer the terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

fn painted(text: &str, colour: Option<Colour>) -> String {
    match colour {
        Some(colour) => format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8),
        None => text.to_owned(),
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, width: usize, cut: Cut) -> String {
    let excess = length(text).saturating_sub(width);
    if excess == 0 {
        return text.to_owned();
    }
    match cut {
        Cut::Never => text.to_owned(),
        Cut::End => text.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        Cut::Start => ['…'].into_iter().chain(text.chars().skip(excess + 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: Option<usize>) -> Screen {
        Screen { width, colour: false }
    }

    fn table() -> Table {
        let mut table = Table::new([
            Column::text("ID"),
            Column::path("TASK"),
            Column::number("PRIORITY"),
            Column::words("QUEUE"),
        ]);
        table.row(["1".into(), "app::greet".into(), "-5".into(), "default".into()]);
        table.row([
            "22".into(),
            "billing::reports::send_all".into(),
            "".into(),
            "a queue with a long name".into(),
        ]);
        table
    }

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_blanks() {
        assert_eq!(
            table().render(screen(None)),
            "ID  TASK                        PRIORITY  QUEUE\n\
             1   app::greet                        -5  default\n\
             22  billing::reports::send_all            a queue with a long name\n"
        );
    }

    #[test]
    fn a_narrow_screen_cuts_only_what_may_be_cut_and_the_widest_first() {
        let text = table().render(screen(Some(46)));
        assert_eq!(
            text,
            "ID  TASK             PRIORITY  QUEUE\n\
             1   app::greet             -5  default\n\
             22  …orts::send_all            a queue with a…\n"
        );
        assert!(text.lines().all(|line| line.chars().count() <= 46), "{text}");
        let least = table().render(screen(Some(1)));
        assert!(least.lines().all(|line| line.chars().count() <= 28), "{least}");
    }

    #[test]
    fn colours_do_not_count_as_width_and_show_only_where_asked() {
        let mut table = Table::new([Column::text("STATUS"), Column::text("TASK")]);
        table.row([Cell::coloured("READY", Some(Colour::Blue)), "app::greet".into()]);
        assert_eq!(table.render(screen(None)), "STATUS  TASK\nREADY   app::greet\n");
        let coloured = table.render(Screen {
            width: None,
            colour: true,
        });
        assert!(
            coloured.contains("\u{1b}[34mREADY\u{1b}[0m   app::greet"),
            "{coloured:?}"
        );
    }

    #[test]
    fn what_a_task_stored_does_not_steer_the_terminal() {
        let mut table = Table::new([Column::text("TASK")]);
        table.row(["a\u{1b}[2Jb\n".into()]);
        table.note("c\td");
        assert_eq!(table.render(screen(None)), "TASK\na\\u{1b}[2Jb\\n\n    c\\td\n");
        assert_eq!(
            fields(&[("error", "a\r\nb".to_owned())]),
            "error  a\\r\n       b\n"
        );
    }

    #[test]
    fn values_stand_below_each_other() {
        let text = fields(&[
            ("id", "1".to_owned()),
            ("status", String::new()),
            ("queue", "mail".to_owned()),
        ]);
        assert_eq!(text, "id      1\nstatus\nqueue   mail\n");
    }
}

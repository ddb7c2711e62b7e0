//! Turns rows of text into columns that line up.

use std::fmt::Write as _;

/// Draws a table: a head, then rows; two spaces between columns, nothing behind the last.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let lines = || std::iter::once(&head).chain(rows);
    let width = |column: usize| {
        lines()
            .filter_map(|line| line.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for line in lines() {
        let mut drawn = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            let _ = write!(drawn, "{cell:width$}  ");
        }
        text.push_str(drawn.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), "längst".to_owned(), String::new()],
            vec!["bcd".to_owned(), String::new(), "e".to_owned()],
        ];
        assert_eq!(
            table(&["X", "YY", "Z"], &rows),
            "X    YY      Z\na    längst\nbcd          e\n"
        );
        assert_eq!(table(&["X"], &[]), "X\n");
    }
}

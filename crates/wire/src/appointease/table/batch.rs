//! What the database's own client prints (`mariadb --batch`): a line of names, then a line for each row, divided by
//! tabs, with what would break a line escaped.

use super::{COLUMNS, Fault, Row};

/// Does a text look like it, and not like SQL?
///
/// ```
/// use deskbell_wire::appointease::table::batch;
/// assert!(batch::is_one("id\temail\tappointment_date\n1\ta@b.c\t2025-11-03 10:00:00\n"));
/// assert!(!batch::is_one("INSERT INTO `wp_appointments` VALUES (1);\n"));
/// ```
pub fn is_one(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    first.contains('\t') && first.split('\t').any(|name| name == "appointment_date")
}

/// Its rows.
pub fn rows(text: &str) -> Result<Vec<Row>, Fault> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    if columns.len() > COLUMNS {
        return Err(Fault::Wide);
    }
    let row = |(number, line): (usize, &str)| {
        let values: Vec<&str> = line.split('\t').collect();
        if values.len() != columns.len() {
            return Err(Fault::Uneven(number + 2));
        }
        Ok(Row::new(columns.iter().copied(), values.into_iter().map(value)))
    };
    lines.enumerate().filter(|(_, line)| !line.is_empty()).map(row).collect()
}

/// A value as it is printed. A text that is `NULL` looks like none; a customer of that name is shown without it.
fn value(printed: &str) -> Option<String> {
    if printed == "NULL" {
        return None;
    }
    let mut text = String::with_capacity(printed.len());
    let mut letters = printed.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('t') => text.push('\t'),
                Some('n') => text.push('\n'),
                Some('0') => text.push('\0'),
                Some(other) => text.push(other),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_columns_and_escapes_are_taken_off() {
        let text = "id\tappointment_date\tnotes\n7\t2025-11-03 10:00:00\ta\\tb\\n\\\\c\n8\t2025-11-04 09:00:00\tNULL\n";
        let rows = rows(text).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].value("notes"), Some("a\tb\n\\c"));
        assert_eq!((rows[1].value("id"), rows[1].value("notes")), (Some("8"), None));
    }

    #[test]
    fn a_row_that_is_cut_is_named_by_its_line() {
        assert_eq!(rows("id\tappointment_date\n7\t2025\n8\n"), Err(Fault::Uneven(3)));
        let wide = vec!["c"; COLUMNS + 1].join("\t");
        assert_eq!(rows(&wide), Err(Fault::Wide));
    }
}

//! What is new in a table that is read again and again.

use std::collections::HashMap;

use deskbell_core::position::fnv;

use super::Row;
use super::row::gone;

/// What is known of a table.
#[derive(Debug, Default)]
pub struct Followed {
    /// What was said of each appointment, as a number that another saying does not have.
    said: HashMap<String, u64>,
}

/// Something to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    name: String,
    /// The body that says it.
    pub body: String,
    /// Whether the appointment is still in the table.
    there: bool,
}

impl Followed {
    /// What is to be said of these rows, which are the whole table: all of them at first, then what has changed.
    /// What is no longer there was called off. Rows without a name say nothing.
    ///
    /// ```
    /// use deskbell_wire::appointease::table::{Followed, Row};
    /// let row = |time: &str| Row::new(["id", "appointment_date"], [Some("7".into()), Some(time.into())]);
    /// let mut followed = Followed::default();
    /// for (rows, news) in [(vec![row("09:00")], 1), (vec![row("09:00")], 0), (vec![row("10:00")], 1), (vec![], 1)] {
    ///     let changes = followed.changes(&rows);
    ///     assert_eq!(changes.len(), news);
    ///     changes.iter().for_each(|change| followed.heard(change));
    /// }
    /// ```
    pub fn changes(&self, rows: &[Row]) -> Vec<Change> {
        let mut there: HashMap<&str, ()> = HashMap::new();
        let mut changes = Vec::new();
        for row in rows {
            let Some(name) = row.name() else { continue };
            // Of two rows with one name the first counts: the column is unique.
            if there.insert(name, ()).is_some() {
                continue;
            }
            let body = row.body();
            if self.said.get(name) != Some(&fnv(body.as_bytes())) {
                changes.push(Change { name: name.to_owned(), body, there: true });
            }
        }
        let mut lost: Vec<&String> =
            self.said.keys().filter(|name| !there.contains_key(name.as_str())).collect();
        lost.sort();
        changes.extend(lost.into_iter().map(|name| Change {
            name: name.clone(),
            body: gone(name),
            there: false,
        }));
        changes
    }

    /// The server has taken a change, or will never take it: it is not said again.
    pub fn heard(&mut self, change: &Change) {
        if change.there {
            self.said.insert(change.name.clone(), fnv(change.body.as_bytes()));
        } else {
            self.said.remove(&change.name);
        }
    }
}

impl Change {
    /// What the site calls the appointment.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, status: &str) -> Row {
        Row::new(["strong_id", "status"], [Some(id.to_owned()), Some(status.to_owned())])
    }

    fn names(followed: &Followed, rows: &[Row]) -> Vec<String> {
        followed.changes(rows).iter().map(|change| format!("{} {}", change.name(), change.there)).collect()
    }

    #[test]
    fn what_was_not_heard_is_said_again() {
        let mut followed = Followed::default();
        let rows = [row("a", "confirmed"), row("b", "confirmed")];
        let first = followed.changes(&rows);
        followed.heard(&first[0]);
        assert_eq!(names(&followed, &rows), ["b true"]);
    }

    #[test]
    fn a_row_that_is_gone_was_called_off_once() {
        let mut followed = Followed::default();
        let rows = [row("a", "confirmed"), row("b", "confirmed")];
        followed.changes(&rows).iter().for_each(|change| followed.heard(change));
        assert_eq!(names(&followed, &rows[..1]), ["b false"]);
        let lost = followed.changes(&rows[..1]);
        assert_eq!(lost[0].body, r#"{"event":"appointment.cancelled","data":{"appointment_id":"b"}}"#);
        followed.heard(&lost[0]);
        assert!(names(&followed, &rows[..1]).is_empty());
        assert_eq!(names(&followed, &rows), ["b true"], "and it may come back");
    }

    #[test]
    fn a_row_without_a_name_says_nothing_and_of_two_with_one_the_first_counts() {
        let followed = Followed::default();
        assert_eq!(
            names(&followed, &[row("", "confirmed"), row("a", "confirmed"), row("a", "cancelled")]),
            ["a true"]
        );
    }
}

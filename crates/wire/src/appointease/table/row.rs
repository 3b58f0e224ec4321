//! A row of the table, and what it says.

use crate::object::{Object, quoted};

/// Columns whose value is a number, as the plugin's own messages have it.
const NUMBERS: [&str; 4] = ["id", "service_id", "employee_id", "customer_id"];

/// The columns that name an appointment, the one that counts first.
const NAMES: [&str; 2] = ["strong_id", "id"];

/// A row: its columns with their values, without those that are NULL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row(Vec<(String, String)>);

impl Row {
    /// Of columns and as many values.
    pub fn new<'a>(
        columns: impl IntoIterator<Item = &'a str>,
        values: impl IntoIterator<Item = Option<String>>,
    ) -> Self {
        let pairs = columns.into_iter().zip(values);
        Self(pairs.filter_map(|(column, value)| Some((column.to_owned(), value?))).collect())
    }

    /// The value of a column; nothing, where it is NULL or not there.
    ///
    /// ```
    /// use deskbell_wire::appointease::table::Row;
    /// let row = Row::new(["id", "strong_id"], [Some("7".to_owned()), None]);
    /// assert_eq!((row.value("id"), row.value("strong_id"), row.name()), (Some("7"), None, Some("7")));
    /// ```
    pub fn value(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, value)| value.as_str())
    }

    /// What the site calls the appointment.
    pub fn name(&self) -> Option<&str> {
        NAMES.iter().find_map(|name| self.value(name).filter(|value| !value.is_empty()))
    }

    /// The body that says of this appointment what its row says: that it is, or that it was called off.
    pub fn body(&self) -> String {
        let data = self.0.iter().fold(Object::new(), |data, (name, value)| {
            let number = NUMBERS.contains(&name.as_str()) && is_number(value);
            data.raw(name, &if number { value.clone() } else { quoted(value) })
        });
        let over = matches!(self.value("status"), Some("cancelled" | "canceled" | "deleted"));
        said(if over { "appointment.cancelled" } else { "appointment.created" }, &data.end())
    }

    /// Bytes that it takes, roughly.
    pub fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len() + 48).sum()
    }
}

/// The body that says that an appointment is no more.
pub(super) fn gone(name: &str) -> String {
    said("appointment.cancelled", &Object::new().text("appointment_id", name).end())
}

fn said(event: &str, data: &str) -> String {
    Object::new().text("event", event).raw("data", data).end()
}

/// Is it a whole number as JSON writes one, and exact in every reader?
fn is_number(text: &str) -> bool {
    let digits = !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pairs: &[(&str, &str)]) -> Row {
        Row::new(
            pairs.iter().map(|(name, _)| *name),
            pairs.iter().map(|(_, value)| Some((*value).to_owned())),
        )
    }

    #[test]
    fn ids_are_numbers_and_everything_else_is_text() {
        let said =
            row(&[("id", "7"), ("employee_id", "007"), ("total_amount", "12.50"), ("name", "Å \"x\"")]);
        assert_eq!(
            said.body(),
            r#"{"event":"appointment.created","data":{"id":7,"employee_id":"007","total_amount":"12.50","name":"Å \"x\""}}"#
        );
    }

    #[test]
    fn what_was_called_off_is_said_to_be() {
        for (status, event) in [
            ("confirmed", "appointment.created"),
            ("created", "appointment.created"),
            ("cancelled", "appointment.cancelled"),
            ("deleted", "appointment.cancelled"),
        ] {
            let body = row(&[("strong_id", "APT-1"), ("status", status)]).body();
            assert!(
                body.starts_with(&format!(r#"{{"event":"{event}","data":{{"strong_id":"APT-1""#)),
                "{body}"
            );
        }
    }

    #[test]
    fn the_strong_id_names_it_and_the_number_where_there_is_none() {
        assert_eq!(row(&[("id", "7"), ("strong_id", "APT-1")]).name(), Some("APT-1"));
        assert_eq!(row(&[("id", "7"), ("strong_id", "")]).name(), Some("7"));
        assert_eq!(row(&[("email", "a@b.c")]).name(), None);
    }
}

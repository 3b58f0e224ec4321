//! Rows as a list in JSON: objects whose members are the columns, as PHP's `json_encode` writes what WordPress's
//! database object gives, or phpMyAdmin's export, which has such a list inside of a description of each table.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{COLUMNS, Fault, Row};
use crate::loose::text;

/// What an element of the list says of itself in phpMyAdmin's export.
#[derive(Deserialize)]
struct Table {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    data: Vec<Columns>,
}

type Columns = BTreeMap<String, Box<RawValue>>;

/// Does a text look like it? A file of SQL and what the database's client prints never begin so.
///
/// ```
/// use deskbell_wire::appointease::table::list;
/// assert!(list::is_one("[\n{\"id\": 1}]") && !list::is_one("id\tappointment_date\n"));
/// ```
pub fn is_one(text: &str) -> bool {
    bare(text).starts_with('[')
}

/// Its rows; in an export with several tables, those of one.
///
/// ```
/// use deskbell_wire::appointease::table::list;
/// let rows = list::rows(r#"[{"id": "7", "phone": null, "email": "a@b.c"}]"#, "wp_a").unwrap();
/// assert_eq!((rows[0].name(), rows[0].value("phone"), rows[0].value("email")), (Some("7"), None, Some("a@b.c")));
/// ```
pub fn rows(text: &str, table: &str) -> Result<Vec<Row>, Fault> {
    let elements: Vec<&RawValue> =
        serde_json::from_str(bare(text)).map_err(|error| Fault::NoList(error.line()))?;
    let tables: Vec<Table> = elements.iter().filter_map(|element| table_of(element)).collect();
    let listed: Vec<Columns> = if tables.is_empty() {
        let columns = |(nth, element): (usize, &&RawValue)| {
            serde_json::from_str(element.get()).map_err(|_| Fault::NoRow(nth + 1))
        };
        elements.iter().enumerate().map(columns).collect::<Result<_, _>>()?
    } else {
        let missing = || Fault::NoTable(table.to_owned());
        tables.into_iter().find(|found| found.name == table).ok_or_else(missing)?.data
    };
    listed.iter().map(row).collect()
}

/// The text without the mark that some programs put before UTF-8.
fn bare(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim_start()
}

fn table_of(element: &RawValue) -> Option<Table> {
    serde_json::from_str::<Table>(element.get()).ok().filter(|table| table.kind == "table")
}

fn row(columns: &Columns) -> Result<Row, Fault> {
    if columns.len() > COLUMNS {
        return Err(Fault::Wide);
    }
    Ok(Row::new(columns.keys().map(String::as_str), columns.values().map(|raw| value(raw))))
}

/// What is no text is taken as it is written: a number is exact in no other form.
fn value(raw: &RawValue) -> Option<String> {
    match raw.get() {
        "null" => None,
        other => Some(text(raw).map_or_else(|| other.to_owned(), std::borrow::Cow::into_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What phpMyAdmin writes of a database of which two tables were chosen.
    const EXPORT: &str = r#"[
{"type":"header","version":"5.2.1","comment":"Export to JSON plugin for PHPMyAdmin"},
{"type":"database","name":"word"},
{"type":"table","name":"wp_options","database":"word","data":
[
{"option_id":"1","option_name":"siteurl"}
]
}
,{"type":"table","name":"wp_appointments","database":"word","data":
[
{"id":"1","email":"a@b.c","appointment_date":"2025-11-03 10:00:00","strong_id":"APT-1","total_amount":"12.50"},
{"id":"2","email":"b@b.c","appointment_date":"2025-11-03 11:00:00","strong_id":null,"total_amount":12.50}
]
}
]
"#;

    #[test]
    fn of_an_export_the_rows_of_one_table_are_taken() {
        let found = rows(EXPORT, "wp_appointments").unwrap();
        assert_eq!(found.iter().map(Row::name).collect::<Vec<_>>(), [Some("APT-1"), Some("2")]);
        assert_eq!(found[0].value("total_amount"), found[1].value("total_amount"));
        assert_eq!(rows(EXPORT, "wp_options").unwrap()[0].value("option_name"), Some("siteurl"));
        assert_eq!(rows(EXPORT, "wp_other"), Err(Fault::NoTable("wp_other".to_owned())));
    }

    #[test]
    fn a_list_of_rows_needs_no_name_and_may_have_a_column_called_type() {
        let text = "\u{feff} [{\"id\":1,\"type\":\"table\",\"name\":\"\\u00c5se \\\"x\\\"\"},{\"id\":true}]";
        let found = rows(text, "whatever").unwrap();
        assert_eq!((found[0].value("name"), found[0].value("type")), (Some("Åse \"x\""), Some("table")));
        assert_eq!((found[0].value("id"), found[1].value("id")), (Some("1"), Some("true")));
        assert_eq!(rows("[]", "whatever"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_cut_short_or_no_row_is_named_by_its_place() {
        assert_eq!(rows("[{\"id\":1},\n{\"id\":", "t"), Err(Fault::NoList(2)));
        assert_eq!(rows("[{\"id\":1}] more", "t"), Err(Fault::NoList(1)));
        assert_eq!(rows("[{\"id\":1},[2]]", "t"), Err(Fault::NoRow(2)));
        let wide: Vec<String> = (0..=COLUMNS).map(|nth| format!("\"c{nth}\":1")).collect();
        assert_eq!(rows(&format!("[{{{}}}]", wide.join(",")), "t"), Err(Fault::Wide));
    }
}

//! Rows of the plugin's table: read as they were written, and understood as what the site's backend would have said.

use deskbell_core::slotted::Notice;
use deskbell_wire::appointease::broadcast::{What, read};
use deskbell_wire::appointease::table::{COLUMNS, Fault, Row, batch, dump, list};
use proptest::prelude::*;

use super::samples::grid;

/// What `mariadb-dump` writes of the plugin's table, shortened, with another table before it.
const DUMP: &str = r#"/*M!999999\- enable the sandbox mode */
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB; it's for debian-linux-gnu
/*!40101 SET @saved_cs_client = @@character_set_client */;
DROP TABLE IF EXISTS `wp_options`;
CREATE TABLE `wp_options` (`id` int(11) NOT NULL, `value` text);
INSERT INTO `wp_options` VALUES (1,'INSERT INTO `wp_appointments` VALUES (1);');
CREATE TABLE IF NOT EXISTS `wp_appointments` (
  `id` mediumint(9) NOT NULL AUTO_INCREMENT,
  `name` varchar(100) NOT NULL DEFAULT '',
  `email` varchar(100) NOT NULL,
  `appointment_date` datetime NOT NULL,
  `status` enum('confirmed','cancelled') DEFAULT 'confirmed',
  `employee_id` mediumint(9) DEFAULT NULL,
  `total_amount` decimal(10,2) DEFAULT NULL,
  `strong_id` varchar(20) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `strong_id` (`strong_id`),
  KEY `idx` (`email`,`appointment_date`)
) ENGINE=InnoDB AUTO_INCREMENT=4 DEFAULT CHARSET=utf8mb4;
LOCK TABLES `wp_appointments` WRITE;
INSERT INTO `wp_appointments` VALUES
(1,'Åse O\'Hara\n(\"x\")','ase@example.org','2025-11-03 10:00:00','confirmed',7,-12.50,'APT-2025-000001'),
(2,'','b@example.org','2025-11-04 09:30:00','cancelled',7,NULL,'APT-2025-000002');
INSERT INTO `site`.`wp_appointments` (`id`, `email`, `appointment_date`, `employee_id`) VALUES
(3,'c@example.org','2025-11-05 11:00:00',8);
UNLOCK TABLES;
"#;

fn notice(row: &Row) -> Notice {
    match read(&row.body(), &grid()).unwrap().what {
        What::Appointment(notice) => *notice,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dump_becomes_what_the_backend_would_have_said() {
    let rows = dump::rows(DUMP, "wp_appointments").unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].value("name"), Some("Åse O'Hara\n(\"x\")"));
    assert_eq!((rows[0].value("total_amount"), rows[1].value("total_amount")), (Some("-12.50"), None));
    let Notice::Is(first) = notice(&rows[0]) else { panic!("it is there") };
    assert_eq!(first.external_ref.as_str(), "APT-2025-000001");
    assert_eq!(first.claim.resource.as_str(), "employee:7");
    assert_eq!((first.claim.start, first.email.as_deref()), (1_762_160_400_000, Some("ase@example.org")));
    let meta = first.meta.unwrap();
    assert!(meta.get().contains(r#""id":1,"#) && meta.get().contains(r#""total_amount":"-12.50""#), "{meta}");
    assert!(matches!(notice(&rows[1]), Notice::Cancelled(name) if name.as_str() == "APT-2025-000002"));
    let Notice::Is(third) = notice(&rows[2]) else { panic!("it is there") };
    assert_eq!((third.external_ref.as_str(), third.claim.resource.as_str()), ("3", "employee:8"));
}

#[test]
fn what_the_client_prints_says_the_same() {
    let text = "id\tname\temail\tappointment_date\tstatus\temployee_id\tstrong_id\n\
                1\tÅse\tase@example.org\t2025-11-03 10:00:00\tconfirmed\t7\tAPT-2025-000001\n";
    assert!(batch::is_one(text) && !batch::is_one(DUMP));
    let rows = batch::rows(text).unwrap();
    let Notice::Is(first) = notice(&rows[0]) else { panic!("it is there") };
    assert_eq!((first.external_ref.as_str(), first.claim.start), ("APT-2025-000001", 1_762_160_400_000));
}

#[test]
fn a_list_in_json_says_the_same() {
    let text = r#"[{"id":"1","name":"Åse","email":"ase@example.org","phone":null,"employee_id":"7",
        "appointment_date":"2025-11-03 10:00:00","status":"confirmed","strong_id":"APT-2025-000001"}]"#;
    assert!(list::is_one(text) && !list::is_one(DUMP) && !batch::is_one(text));
    let rows = list::rows(text, "wp_appointments").unwrap();
    let Notice::Is(first) = notice(&rows[0]) else { panic!("it is there") };
    assert_eq!((first.external_ref.as_str(), first.claim.start), ("APT-2025-000001", 1_762_160_400_000));
    assert_eq!(first.claim.resource.as_str(), "employee:7");
}

#[test]
fn whatever_is_wrong_with_a_file_is_named_with_its_line() {
    let rows = |text: &str| dump::rows(text, "a").unwrap_err();
    assert_eq!(rows("INSERT INTO b (x) VALUES (1);"), Fault::NoTable("a".to_owned()));
    assert_eq!(rows(""), Fault::NoTable("a".to_owned()));
    assert_eq!(rows("INSERT INTO a VALUES (1);"), Fault::NoColumns("a".to_owned()));
    assert_eq!(rows("\nINSERT INTO a (x,y)\nVALUES (1);"), Fault::Uneven(3));
    assert_eq!(rows("INSERT INTO a (x) VALUES (1,2);"), Fault::Uneven(1));
    assert_eq!(rows("INSERT INTO a (x) VALUES ('1);"), Fault::Broken(1));
    assert_eq!(rows("INSERT INTO a (x) VALUES (1"), Fault::Broken(1));
    assert_eq!(rows("INSERT INTO a (x) VALUES (;"), Fault::Broken(1));
    let wide = vec!["`c`"; COLUMNS + 1].join(",");
    assert_eq!(rows(&format!("INSERT INTO a ({wide}) VALUES (1);")), Fault::Wide);
}

/// A text as `mariadb-dump` writes it.
fn escaped(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        '\'' => "\\'".to_owned(),
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\0' => "\\0".to_owned(),
        '\u{1a}' => "\\Z".to_owned(),
        other => other.to_string(),
    });
    format!("'{}'", letters.collect::<String>())
}

proptest! {
    #[test]
    fn a_text_comes_back_as_it_was(texts in prop::collection::vec(".{0,20}|[\\\\'\"`\n;(),/*#-]{0,9}", 1..6)) {
        let columns: Vec<String> = (0..texts.len()).map(|nth| format!("`c{nth}`")).collect();
        let values: Vec<String> = texts.iter().map(|text| escaped(text)).collect();
        let sql = format!("INSERT INTO `a` ({}) VALUES ({}),({});", columns.join(","), values.join(","), values.join(" , "));
        let rows = dump::rows(&sql, "a").unwrap();
        prop_assert_eq!(rows.len(), 2);
        for row in rows {
            for (nth, text) in texts.iter().enumerate() {
                prop_assert_eq!(row.value(&format!("c{nth}")), Some(text.as_str()));
            }
            prop_assert!(serde_json::from_str::<serde_json::Value>(&row.body()).is_ok());
        }
    }

    #[test]
    fn whatever_the_file_is_it_is_read_or_refused(
        list in "(\\[|\\]|\\{|\\}|\"id\"|\"data\"|:|,|null|1|\"é\"|\"type\":\"table\"|\"name\":\"a\"| |\n){0,30}",
        text in "(insert into|create table|values|`a`|a|'x|'|\"|\\(|\\)|,|;|\\.|--| |#|/\\*|\\*/|\\\\|_b|1|-|é|\n){0,40}",
        any in any::<String>(),
    ) {
        for text in [text, any, list] {
            if let Ok(rows) = dump::rows(&text, "a") {
                prop_assert!(rows.len() <= text.len());
            }
            let _ = batch::rows(&text);
            let _ = list::rows(&text, "a");
        }
    }
}

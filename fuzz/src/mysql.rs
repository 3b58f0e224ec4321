//! What a MariaDB says: pieces make no difference, memory stays bounded, and what is wrong fits into one line.

use deskbell_wire::appointease::table::{COLUMNS, Row};
use deskbell_wire::mysql::{Address, Fault, Guest, LONGEST_PACKET, Packets, Reading, Told};

/// The longest sentence about what went wrong.
const SENTENCE: usize = 1_000;

/// Any bytes as the answers of a database, and as the address of one.
pub fn check(data: &[u8]) {
    let whole = heard(data, data.len().max(1));
    let cut = heard(data, 1 + data.first().map_or(0, |byte| usize::from(*byte) % 50));
    assert_eq!(whole, cut);
    let (sent, rows, fault) = whole;
    assert!(sent.len() <= 2 + data.len() / 4, "more is said than was asked for");
    for row in &rows {
        assert!(row.size() <= 6 * data.len() + 48 * COLUMNS, "a row is longer than what came");
        serde_json::from_str::<serde_json::Value>(&row.body()).expect("a body is JSON");
    }
    if let Some(fault) = fault {
        let sentence = format!("{fault}; {}", fault.advice());
        assert!(sentence.len() <= SENTENCE && !sentence.contains('\n'), "{sentence}");
    }
    if let Ok(address) = Address::parse(&String::from_utf8_lossy(data), "t") {
        assert!(!address.host.is_empty() && !address.guest.user.is_empty());
    }
}

type Heard = (Vec<Vec<u8>>, Vec<Row>, Option<Fault>);

fn heard(data: &[u8], piece: usize) -> Heard {
    let [user, password, database, table] = ["wp", "hunter2", "word", "wp`x"].map(str::to_owned);
    let mut reading = Reading::new(Guest { user, password, database, table });
    let (mut packets, mut sent, mut rows) = (Packets::default(), Vec::new(), Vec::new());
    for part in data.chunks(piece) {
        packets.feed(part);
        loop {
            let told = match packets.next() {
                Ok(Some((count, said))) => reading.take(count, &said),
                Ok(None) => break,
                Err(fault) => Err(fault),
            };
            match told {
                Ok(Told::More | Told::Done) => {}
                Ok(Told::Send(bytes)) => sent.push(bytes),
                Ok(Told::Row(row)) => rows.push(row),
                Err(fault) => return (sent, rows, Some(fault)),
            }
        }
        assert!(packets.waiting() <= LONGEST_PACKET + 4, "{} bytes wait", packets.waiting());
    }
    (sent, rows, None)
}

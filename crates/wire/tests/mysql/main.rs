//! A table of a MariaDB as it comes over the wire, cut anywhere, and from servers that say something else.
#![allow(clippy::unwrap_used, reason = "a test that meets what cannot be has failed")]

use deskbell_wire::appointease::table::Row;
use deskbell_wire::mysql::{Fault, Guest, LONGEST_PACKET, Packets, Reading, Told, packet};
use proptest::prelude::*;

fn guest() -> Guest {
    Guest {
        user: "deskbell".to_owned(),
        password: "hunter2".to_owned(),
        database: "wordpress".to_owned(),
        table: "wp`x".to_owned(),
    }
}

/// What a MariaDB says first.
fn greeting() -> Vec<u8> {
    let salt: Vec<u8> = (1..=20).collect();
    let mut said = b"\x0a5.5.5-10.11.19-MariaDB\0\x07\0\0\0".to_vec();
    said.extend_from_slice(&salt[..8]);
    said.extend_from_slice(b"\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\x1d\0\0\0");
    said.extend_from_slice(&salt[8..]);
    said.extend_from_slice(b"\0mysql_native_password\0");
    said
}

fn text(text: &[u8]) -> Vec<u8> {
    [&[text.len() as u8], text].concat()
}

fn column(name: &[u8]) -> Vec<u8> {
    let texts = [b"def".as_slice(), b"wordpress", b"wp", b"wp", name, name];
    let mut said: Vec<u8> = texts.iter().flat_map(|part| text(part)).collect();
    said.extend_from_slice(b"\x0c\x2d\0\x90\x01\0\0\xfd\0\0\0\0\0");
    said
}

const GOOD: &[u8] = b"\0\0\0\x02\0\0\0";
const END: &[u8] = b"\xfe\0\0\x22\0";

/// Everything that it says to a guest who is let in.
fn conversation() -> Vec<u8> {
    let second = [&[251], text(b"8").as_slice()].concat();
    [
        packet(0, &greeting()),
        packet(2, GOOD),
        packet(1, &[2]),
        packet(2, &column(b"email")),
        packet(3, &column(b"id")),
        packet(4, END),
        packet(5, &[text(b"a@b.c"), text(b"7")].concat()),
        packet(6, &second),
        packet(7, END),
    ]
    .concat()
}

/// What it says is taken in these pieces: what is sent, and the rows.
fn heard(bytes: &[u8], piece: usize) -> Result<(Vec<Vec<u8>>, Vec<Row>, bool), Fault> {
    let (mut packets, mut reading) = (Packets::default(), Reading::new(guest()));
    let (mut sent, mut rows, mut done) = (Vec::new(), Vec::new(), false);
    for part in bytes.chunks(piece.max(1)) {
        packets.feed(part);
        while let Some((count, said)) = packets.next()? {
            match reading.take(count, &said)? {
                Told::More => {}
                Told::Send(bytes) => sent.push(bytes),
                Told::Row(row) => rows.push(row),
                Told::Done => done = true,
            }
        }
        assert!(packets.waiting() <= LONGEST_PACKET + 4, "{} bytes wait", packets.waiting());
    }
    Ok((sent, rows, done))
}

#[test]
fn a_guest_signs_in_asks_once_and_is_told_every_row() {
    let bytes = conversation();
    let whole = heard(&bytes, bytes.len()).unwrap();
    let (sent, rows, done) = &whole;
    assert!(done);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].value("email"), rows[0].value("id")), (Some("a@b.c"), Some("7")));
    assert_eq!((rows[1].value("email"), rows[1].value("id")), (None, Some("8")));
    let [login, question] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(login[3], 1, "it counts on from the greeting");
    let hidden = b"deskbell\0\x14";
    assert!(login.windows(hidden.len()).any(|part| part == hidden), "{login:?}");
    assert!(!login.windows(7).any(|part| part == b"hunter2"), "the password never leaves");
    assert_eq!(question[3..], *b"\0\x03SELECT * FROM `wp``x`");
    for piece in 1..40 {
        assert_eq!(heard(&bytes, piece).unwrap(), whole, "in pieces of {piece}");
    }
}

#[test]
fn whoever_says_something_else_is_not_believed() {
    let greeted = packet(0, &greeting());
    let let_in = [greeted.clone(), packet(2, GOOD)].concat();
    let switch = |kind: &[u8]| packet(2, &[b"\xfe", kind, b"\0", &[9; 20], b"\0"].concat());
    for (bytes, fault) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Fault::TooLong),
        (packet(0, b"\x09old"), Fault::Strange),
        (packet(0, b""), Fault::Strange),
        (packet(0, b"\xff\x6a\x04Host is blocked"), Fault::Refused("Host is blocked".to_owned())),
        (
            [greeted.clone(), packet(2, b"\xff\x15\x04#28000Access denied")].concat(),
            Fault::Refused("Access denied".to_owned()),
        ),
        ([greeted.clone(), switch(b"client_ed25519")].concat(), Fault::Proof("client_ed25519".to_owned())),
        // It must not make us send files.
        ([let_in.clone(), packet(1, b"\xfb/etc/passwd")].concat(), Fault::Strange),
        ([let_in.clone(), packet(1, GOOD)].concat(), Fault::Strange),
        ([let_in.clone(), packet(1, &[250])].concat(), Fault::Wide),
        ([let_in, packet(1, &[1]), packet(2, b"\x03d")].concat(), Fault::Strange),
    ] {
        assert_eq!(heard(&bytes, bytes.len()).unwrap_err(), fault);
    }
    let again = heard(&[greeted, switch(b"mysql_native_password"), packet(4, GOOD)].concat(), 7).unwrap();
    assert_eq!(again.0[1].len(), 4 + 20, "the proof alone, with the new salt");
    assert_eq!(again.0[1][3], 3);
}

proptest! {
    #[test]
    fn nothing_that_is_said_harms(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..400_usize, piece in 1..50_usize) {
        let _ = heard(&bytes, piece);
        let mut spoilt = conversation();
        let place = at % spoilt.len();
        spoilt[place] = bytes.first().copied().unwrap_or(255);
        let _ = heard(&spoilt, piece);
    }
}

//! Messages, queries and bodies of the AppointEase dialect: each is read in one way, what is kept is short, and what is
//! answered can be read and names the slot as it was written.

use deskbell_core::calendar::TimeZone;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::slotted::{Grid, Locked};
use deskbell_wire::appointease::poll::{question, written};
use deskbell_wire::appointease::table::{COLUMNS, batch, dump, list};
use deskbell_wire::appointease::{Asked, Slot, broadcast, decode, hail, rest, said};
use serde_json::Value;

/// The longest sentence that a refusal may need.
const SENTENCE: usize = 1_000;

/// Any bytes.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let grid = Grid::new(TimeZone::parse("Europe/Oslo").expect("it is one"), limits::SLOT_LENGTH)
        .expect("it is sound");
    let read = decode(text);
    assert_eq!(format!("{read:?}"), format!("{:?}", decode(text)), "one message was understood in two ways");
    match read {
        Some(Ok(Asked::Lock(slot) | Asked::Select(slot) | Asked::Watch(slot) | Asked::Unwatch(slot))) => {
            echoed(&slot, &grid);
        }
        Some(Ok(Asked::Session { step })) => readable(&said::session_tracked(step.as_deref(), 1)),
        Some(Ok(Asked::Told { event, appointment })) => {
            readable(&said::event_received(event, appointment.as_deref(), 1));
        }
        Some(Ok(Asked::Unknown(kind))) => readable(&said::unknown(&kind, 1)),
        Some(Err(refusal)) => sound(&refusal),
        Some(Ok(_)) | None => {}
    }
    bodies(text, &grid);
    rows(text);
    let asked = question(text);
    if let Some(at) = asked.last_update.filter(|at| *at < 10_000_000_000_000 && *at > 100_000_000_000) {
        let again = question(&format!("last_update={}", written(at, asked.unit)));
        assert_eq!((again.last_update, again.unit), (Some(at), asked.unit), "a time does not come back");
    }
    let hail = hail::read(text, text);
    assert!(hail.email.is_none_or(|email| email.len() <= limits::USER_ID));
    let _ = hail::masked(text);
}

fn echoed(slot: &Slot, grid: &Grid) {
    assert!(slot.time.len() <= limits::SLOT_TEXT && slot.day.date.len() <= limits::SLOT_TEXT);
    let frame = said::lock(slot, Locked::Yours { expires_in: 600 }, 1);
    let frame: Value = serde_json::from_str(&frame).expect("a frame is JSON");
    assert_eq!(frame["time"], *slot.time);
    readable(&said::slot_taken(slot, 1));
    match slot.claim(grid) {
        Ok(claim) => assert_eq!(Ok(grid.wall(claim.start)), slot.wall()),
        Err(refusal) => sound(&refusal),
    }
}

fn bodies(text: &str, grid: &Grid) {
    match broadcast::read(text, grid) {
        Ok(read) => readable(read.data.get()),
        Err(refusal) => sound(&refusal),
    }
    let refusals = [
        rest::subscribe(text).err(),
        rest::slot(text).err(),
        rest::unlock(text).err(),
        rest::availability(text).err(),
    ];
    refusals.iter().flatten().for_each(sound);
}

/// A file of the plugin's table, in any of its forms.
fn rows(text: &str) {
    for rows in [list::rows(text, "a"), batch::rows(text), dump::rows(text, "a")].into_iter().flatten() {
        assert!(rows.len() <= text.len(), "a row takes at least a byte");
        for row in &rows {
            readable(&row.body());
            assert!(row.size() <= 2 * text.len() + 48 * COLUMNS, "a row is longer than its file");
        }
    }
}

fn readable(frame: &str) {
    assert!(serde_json::from_str::<Value>(frame).is_ok(), "{frame} is no JSON");
}

fn sound(refusal: &Refusal) {
    assert!(Code::ALL.contains(&refusal.code) && refusal.code.http_status() < 500);
    let length = refusal.message.len();
    assert!((10..=SENTENCE).contains(&length), "a sentence of {length} bytes: {}", refusal.message);
    readable(&rest::failed(refusal));
}

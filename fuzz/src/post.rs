//! Bodies about inboxes and conversations: what was read is within its bounds, is read the same way again, and a
//! refusal says something short. The first line says what is asked for.

use deskbell_core::ids::{ConversationId, EventId, UserId};
use deskbell_core::limits;
use deskbell_core::post::Act;
use deskbell_core::refusal::Code;
use deskbell_wire::post::{Kind, body};

/// The longest sentence that a refusal may need, quoted input included.
const SENTENCE: usize = 1_000;

/// Any bytes.
pub fn check(data: &[u8]) {
    let Some((word, text)) = std::str::from_utf8(data).ok().and_then(|text| text.split_once('\n')) else {
        return;
    };
    let Some(kind) = kind(word) else { return };
    let of = UserId::parse("7").ok();
    match body(kind.clone(), of.clone(), text) {
        Ok(plea) => {
            bounded(&plea.act);
            assert!(
                body(kind, of, text).is_ok_and(|again| again == plea),
                "one body was understood in two ways"
            );
        }
        Err(refusal) => {
            assert!(Code::ALL.contains(&refusal.code) && refusal.code.http_status() < 500);
            let length = refusal.message.len();
            assert!((10..=SENTENCE).contains(&length), "a sentence of {length} bytes: {}", refusal.message);
        }
    }
}

fn kind(word: &str) -> Option<Kind> {
    let conversation = ConversationId::parse("c").ok()?;
    Some(match word {
        "notify" => Kind::Notify(EventId::parse("made").ok()?),
        "read" => Kind::Read,
        "read_all" => Kind::ReadAll,
        "prefer" => Kind::Prefer,
        "create" => Kind::Create,
        "add" => Kind::Add(conversation, UserId::parse("8").ok()?),
        "send" => Kind::Send(conversation),
        "mark" => Kind::Mark(conversation),
        _ => return None,
    })
}

fn bounded(act: &Act) {
    match act {
        Act::Notify { users, content, ways, .. } => {
            assert!((1..=limits::NOTIFIED).contains(&users.len()) && (ways.in_app || ways.webhook));
            assert!(users.len() * content.weight() <= limits::NOTIFIED_BYTES);
        }
        Act::Read { numbers, .. } => assert!(numbers.len() <= limits::NOTIFICATIONS_NAMED),
        Act::Prefer { preferences, .. } => assert!(preferences.types.len() <= limits::PREFERENCES),
        Act::Create { members, .. } => assert!(members.len() <= limits::MEMBERS),
        Act::Send { data, .. } => assert!(data.get().len() <= limits::MESSAGE_DATA),
        _ => {}
    }
}

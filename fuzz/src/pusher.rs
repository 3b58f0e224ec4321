//! Frames and bodies of the Pusher dialect: what was read is within its bounds, is read the same way again, and a
//! refusal says something short. What a client says goes out again as a frame that can be read.

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::pusher::{Asked, Member, User, consent, decode, encode, trigger, xhr};

/// The longest sentence that a refusal may need.
const SENTENCE: usize = 1_000;

/// Any bytes.
pub fn check(data: &[u8]) {
    requests(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = decode(text);
    assert_eq!(read, decode(text), "one frame was understood in two ways");
    match read {
        Ok(Asked::Whisper { data, name, .. }) => {
            assert!(data.bytes.len() <= limits::PUSHER_DATA && name.as_str().starts_with("client-"));
        }
        Ok(Asked::Subscribe(wish)) => {
            let no = Refusal::new(Code::Unauthorized, "no");
            for frame in [
                encode::subscription_error(&wish.channel, &no),
                encode::error(4009, "no", Some(&wish.channel)),
            ] {
                assert!(serde_json::from_slice::<serde_json::Value>(&frame).is_ok());
            }
        }
        Ok(_) => {}
        Err(refusal) => sound(&refusal),
    }
    let bounds = trigger::Bounds::default();
    match trigger::one(data, bounds) {
        Ok(one) => assert!(one.channels.len() <= bounds.channels && one.data.bytes.len() <= bounds.data),
        Err(refusal) => sound(&refusal),
    }
    match trigger::batch(data, bounds) {
        Ok(batch) => assert!(batch.len() <= bounds.batch),
        Err(refusal) => sound(&refusal),
    }
    match User::read(text) {
        Ok(user) => assert!(user.watches.len() <= limits::PUSHER_WATCHED),
        Err(refusal) => sound(&refusal),
    }
    if let Ok(member) = Member::read(text) {
        assert!(member.id.len() <= limits::PUSHER_USER_ID && member.info.len() <= limits::PUSHER_USER_INFO);
    }
}

/// What comes by requests: to the authorisation endpoint, from an app's own one, and in place of a WebSocket.
fn requests(data: &[u8]) {
    match consent::Wanted::read(data) {
        Ok(wanted) => assert!(trigger::socket(&wanted.socket_id).is_ok()),
        Err(refusal) => sound(&refusal),
    }
    let _ = consent::Said::read(data);
    if let Some(user) = consent::user_of(data) {
        assert!(User::read(&user).is_ok());
    }
    match xhr::frames(data) {
        Ok(frames) => {
            assert!(frames.len() <= limits::XHR_FRAMES);
            for frame in &frames {
                let mut line = Vec::new();
                xhr::message(frame.as_bytes(), &mut line);
                assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
            }
        }
        Err(refusal) => sound(&refusal),
    }
}

fn sound(refusal: &Refusal) {
    assert!(Code::ALL.contains(&refusal.code) && refusal.code.http_status() < 500);
    let length = refusal.message.len();
    assert!((10..=SENTENCE).contains(&length), "a sentence of {length} bytes: {}", refusal.message);
}

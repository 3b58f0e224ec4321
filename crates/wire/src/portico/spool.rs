//! Files that the site's PHP writes where Redis does not answer: their names and what is in them.

use deskbell_core::refusal::Refusal;

use super::message::Message;
use super::published::{Published, spooled_for, spooled_for_all};
use super::session::SessionId;
use super::stamp::Stamp;

/// A file that is for us, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    to: To,
    /// When it was written, as its name says: the order in which files are told.
    written: Box<str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum To {
    Everyone,
    Session(SessionId),
}

/// Bytes of a file's name, as file systems bound it.
const NAME: usize = 255;

impl File {
    /// Reads a name: `websocket_notification_1747039353.1234.json` or
    /// `websocket_session_{id}_1747039353.1234.json`. Everything else in the folder is left alone.
    pub fn parse(name: &str) -> Option<Self> {
        let name = Some(name).filter(|name| name.len() <= NAME)?;
        let middle = name.strip_prefix("websocket_")?.strip_suffix(".json")?;
        if let Some(written) = middle.strip_prefix("notification_") {
            return Some(Self { to: To::Everyone, written: time(written)? });
        }
        let (session, written) = middle.strip_prefix("session_")?.rsplit_once('_')?;
        Some(Self { to: To::Session(SessionId::parse(session).ok()?), written: time(written)? })
    }

    /// Which of two was written first. Seconds are compared as numbers, then what follows them.
    pub fn order(&self) -> (u64, &str) {
        let (seconds, rest) = self.written.split_once('.').unwrap_or((&self.written, ""));
        (seconds.parse().unwrap_or(u64::MAX), rest)
    }

    /// Reads the file. `None` where it is empty: its writer is not done.
    pub fn read(&self, text: &[u8], stamp: Stamp<'_>) -> Option<Result<Published, Refusal>> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let message = Message::read(&String::from_utf8_lossy(text));
        Some(message.and_then(|message| match &self.to {
            To::Everyone => spooled_for_all(&message, stamp),
            To::Session(id) => spooled_for(id, &message, stamp),
        }))
    }
}

/// What PHP's `microtime` writes: seconds, and parts of one behind a point. A blank stands between them in its older
/// form, which is `0.12345 1747039353`.
fn time(text: &str) -> Option<Box<str>> {
    let (rest, seconds) = text.split_once(' ').unwrap_or(("", text));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let fits =
        !seconds.is_empty() && seconds.len() <= 30 && digits(seconds) && rest.len() <= 20 && digits(rest);
    let rest = rest.trim_start_matches('0');
    fits.then(|| format!("{seconds}{rest}").into())
}

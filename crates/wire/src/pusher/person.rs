//! Who a client says it is, in data that its backend has signed.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::name;
use crate::native::json;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

/// A member of a presence channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its id; a number is its digits.
    pub id: String,
    /// What it shows of itself, as JSON; empty where it shows nothing.
    pub info: Bytes,
}

/// A user who has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user as a member of presence channels.
    pub member: Member,
    /// Whose coming and going it hears of: the first hundred.
    pub watches: Vec<String>,
    /// There were more.
    pub too_many: bool,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(default, borrow)]
    id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(default, borrow)]
    user_info: Option<&'a RawValue>,
    #[serde(default, borrow)]
    watchlist: Option<Vec<&'a RawValue>>,
}

impl Member {
    /// Reads the data of a channel.
    ///
    /// ```
    /// use deskbell_wire::pusher::Member;
    /// let member = Member::read(r#"{"user_id":10, "user_info":{"name":"Ann"}}"#).unwrap();
    /// assert_eq!((member.id.as_str(), &member.info[..]), ("10", &br#"{"name":"Ann"}"#[..]));
    /// ```
    pub fn read(data: &str) -> Result<Self, Refusal> {
        let written = written(data, "channel_data")?;
        of(&written, written.user_id, "user_id")
    }
}

impl User {
    /// Reads the data of a user.
    pub fn read(data: &str) -> Result<Self, Refusal> {
        let written = written(data, "user_data")?;
        let member = of(&written, written.id, "id")?;
        let mut watches: Vec<String> = Vec::new();
        let list = written.watchlist.unwrap_or_default();
        let too_many = list.len() > limits::PUSHER_WATCHED;
        for raw in list.into_iter().take(limits::PUSHER_WATCHED) {
            let id = id(raw, "watchlist")?;
            if !watches.contains(&id) {
                watches.push(id);
            }
        }
        Ok(Self { member, watches, too_many })
    }
}

fn written<'a>(data: &'a str, field: &str) -> Result<Written<'a>, Refusal> {
    serde_json::from_str(data).map_err(|_| {
        Refusal::new(
            Code::BadField,
            format!("`{field}` is the text of a JSON object; let the library make it"),
        )
    })
}

fn of(written: &Written<'_>, id_of: Option<&RawValue>, field: &str) -> Result<Member, Refusal> {
    let raw = id_of.ok_or_else(|| {
        Refusal::new(
            Code::BadField,
            format!("the signed data has no `{field}`; the channel shows who is there"),
        )
    })?;
    let info = written.user_info.map_or("", RawValue::get);
    if info.len() > limits::PUSHER_USER_INFO {
        let message = format!("`user_info` has at most {} bytes; show less", limits::PUSHER_USER_INFO);
        return Err(Refusal::new(Code::TooLarge, message));
    }
    if !info.is_empty() {
        json::check("user_info", info)?;
    }
    // To show nothing and to show `null` is the same here.
    let info = if info == "null" { "" } else { info };
    Ok(Member { id: id(raw, field)?, info: Bytes::copy_from_slice(info.as_bytes()) })
}

/// A text or a number, as text.
fn id(raw: &RawValue, field: &str) -> Result<String, Refusal> {
    let text = match serde_json::from_str::<serde_json::Value>(raw.get()) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Number(_)) => raw.get().to_owned(),
        _ => return Err(Refusal::new(Code::BadField, format!("`{field}` must hold texts or numbers"))),
    };
    name::user(&text)?;
    Ok(text)
}

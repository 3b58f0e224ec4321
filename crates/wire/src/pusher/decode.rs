//! A client's frame becomes what it asks, or a refusal that says what was wrong with it.
//!
//! What asks for a right carries its proof, which needs the app's secret; so this gives what was asked, and
//! the server makes a command of it once the proof holds.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::name;
use crate::native::json;
use deskbell_core::event::{Data, Form};
use deskbell_core::ids::{ChannelName, EventName, PublicId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Are you there?
    Ping,
    /// I am here.
    Pong,
    /// Receive a channel.
    Subscribe(Subscribe),
    /// Receive it no more.
    Unsubscribe(ChannelName),
    /// Be a user.
    SignIn(SignIn),
    /// Say something to the others in a channel.
    Whisper {
        /// Which channel.
        channel: ChannelName,
        /// What is said; it begins with `client-`.
        name: EventName,
        /// The data, in the form in which it came.
        data: Data,
    },
}

/// A wish to receive a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// The channel as it was written: a refusal must name it, also where it is no channel.
    pub channel: String,
    /// The token.
    pub auth: Option<String>,
    /// What the client shows of itself, as the backend signed it.
    pub data: Option<String>,
    /// Where it stands, from clients that carry a cursor; empty where they have none yet.
    pub since: Option<String>,
    /// The socket that such a client had before: what was to pass by that one passes by this one.
    pub former: Option<PublicId>,
}

/// A wish to be a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The token.
    pub auth: String,
    /// Who, as the backend signed it.
    pub data: String,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(default, borrow)]
    channel: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct Wish {
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    auth: Option<String>,
    #[serde(default)]
    channel_data: Option<String>,
    #[serde(default)]
    user_data: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    former: Option<String>,
}

/// Reads one frame.
///
/// ```
/// use deskbell_wire::pusher::{Asked, decode};
/// assert_eq!(decode(r#"{"event":"pusher:ping"}"#), Ok(Asked::Ping));
/// assert!(decode(r#"{"event":"pusher:fly"}"#).is_err());
/// ```
pub fn decode(text: &str) -> Result<Asked, Refusal> {
    let frame: Frame<'_> = serde_json::from_str(text).map_err(|_| {
        Refusal::new(
            Code::BadMessage,
            "a message is one JSON object with an `event`; send it as pusher-js does",
        )
    })?;
    match &*frame.event {
        "pusher:ping" => Ok(Asked::Ping),
        "pusher:pong" => Ok(Asked::Pong),
        "pusher:subscribe" => subscribe(&frame),
        "pusher:unsubscribe" => {
            let wish = wish(&frame)?;
            Ok(Asked::Unsubscribe(name::channel(&need("channel", wish.channel)?)?))
        }
        "pusher:signin" => {
            let wish = wish(&frame)?;
            let data = bounded(need("user_data", wish.user_data)?)?;
            Ok(Asked::SignIn(SignIn { auth: need("auth", wish.auth)?, data }))
        }
        event if event.starts_with("client-") => whisper(&frame),
        _ => Err(Refusal::new(
            Code::UnknownType,
            "a client sends pusher:subscribe, pusher:unsubscribe, pusher:signin, pusher:ping, pusher:pong, \
             or an event whose name begins with client-",
        )),
    }
}

fn subscribe(frame: &Frame<'_>) -> Result<Asked, Refusal> {
    let wish = wish(frame)?;
    let channel = need("channel", wish.channel)?;
    Ok(Asked::Subscribe(Subscribe {
        channel,
        // Public channels come with an empty token.
        auth: wish.auth.filter(|auth| !auth.is_empty()),
        data: wish.channel_data.map(bounded).transpose()?,
        since: wish.since,
        former: wish.former.as_deref().map(super::trigger::socket).transpose()?,
    }))
}

fn whisper(frame: &Frame<'_>) -> Result<Asked, Refusal> {
    let channel = need("channel", frame.channel.as_deref())?;
    let channel = name::channel(channel)?;
    let raw = frame.data.map_or("null", RawValue::get);
    if raw.len() > limits::PUSHER_DATA {
        let message =
            format!("the data of a client's event has at most {} bytes; send less", limits::PUSHER_DATA);
        return Err(Refusal::new(Code::TooLarge, message));
    }
    // A string stays a string and an object an object: whoever receives it looks at that.
    let data = match serde_json::from_str::<Cow<'_, str>>(raw) {
        Ok(text) => Data { form: Form::Text, bytes: Bytes::copy_from_slice(text.as_bytes()) },
        Err(_) => {
            json::check("data", raw)?;
            Data::json(Bytes::copy_from_slice(raw.as_bytes()))
        }
    };
    Ok(Asked::Whisper { channel, name: EventName::parse(&frame.event)?, data })
}

/// The data of a frame: an object, or for older clients the text of one.
fn wish(frame: &Frame<'_>) -> Result<Wish, Refusal> {
    let raw = frame.data.map_or("{}", RawValue::get);
    let inner = if raw.starts_with('"') { serde_json::from_str::<String>(raw).ok() } else { None };
    serde_json::from_str(inner.as_deref().unwrap_or(raw)).map_err(|_| {
        Refusal::new(Code::BadField, "`data` is an object whose members are texts; send it as pusher-js does")
    })
}

fn bounded(text: String) -> Result<String, Refusal> {
    if text.len() <= limits::PUSHER_SIGNED {
        return Ok(text);
    }
    let message = format!("signed data has at most {} bytes; show less of the user", limits::PUSHER_SIGNED);
    Err(Refusal::new(Code::TooLarge, message))
}

fn need<T>(field: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::new(Code::BadField, format!("`{field}` is missing; the message needs it")))
}

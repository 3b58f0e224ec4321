//! The bodies of the HTTP API: what a backend triggers, and what it asks about.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::name::{self, Guard};
use crate::native::json;
use deskbell_core::event::{Data, Form};
use deskbell_core::ids::{ChannelName, EventName, PublicId};
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

/// One event for one or more channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The event's name.
    pub name: EventName,
    /// Where.
    pub channels: Vec<ChannelName>,
    /// The data.
    pub data: Data,
    /// The socket that must not get it.
    pub except: Option<PublicId>,
    /// What is to be told of the channels.
    pub info: Info,
}

/// What somebody asks about a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Info {
    /// Members of a presence channel.
    pub user_count: bool,
    /// Subscriptions.
    pub subscription_count: bool,
    /// The cached event.
    pub cache: bool,
}

/// The bounds of one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the data of an event.
    pub data: usize,
    /// Channels of a trigger.
    pub channels: usize,
    /// Events of a batch.
    pub batch: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { data: limits::PUSHER_DATA, channels: limits::PUSHER_CHANNELS, batch: limits::PUSHER_BATCH }
    }
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    channel: Option<String>,
    #[serde(default)]
    channels: Option<Vec<String>>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
    #[serde(default)]
    socket_id: Option<String>,
    #[serde(default)]
    info: Option<String>,
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    batch: Vec<Written<'a>>,
}

impl Info {
    /// Reads the list; an unknown attribute is refused.
    pub fn parse(list: &str) -> Result<Self, Refusal> {
        let mut info = Self::default();
        for attribute in list.split(',').map(str::trim).filter(|attribute| !attribute.is_empty()) {
            match attribute {
                "user_count" => info.user_count = true,
                "subscription_count" => info.subscription_count = true,
                "cache" => info.cache = true,
                _ => {
                    return Err(Refusal::new(
                        Code::BadField,
                        "info should be a comma separated list of attributes: user_count, subscription_count, cache",
                    ));
                }
            }
        }
        Ok(info)
    }

    /// Is nothing asked?
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Reads the body of a trigger.
pub fn one(body: &[u8], bounds: Bounds) -> Result<Trigger, Refusal> {
    trigger(serde_json::from_slice(body).map_err(|why| no_body(&why))?, bounds)
}

/// Reads the body of a batch.
pub fn batch(body: &[u8], bounds: Bounds) -> Result<Vec<Trigger>, Refusal> {
    let batch: Batch<'_> = serde_json::from_slice(body).map_err(|why| no_body(&why))?;
    if batch.batch.len() > bounds.batch {
        let message = format!("a batch has at most {} events; send the rest in another one", bounds.batch);
        return Err(Refusal::new(Code::BadField, message));
    }
    batch.batch.into_iter().map(|written| trigger(written, bounds)).collect()
}

fn trigger(written: Written<'_>, bounds: Bounds) -> Result<Trigger, Refusal> {
    let name = written.name.ok_or_else(|| missing("name"))?;
    let channels = match (written.channels, written.channel) {
        (Some(channels), _) => channels,
        (None, Some(channel)) => vec![channel],
        (None, None) => return Err(missing("channels")),
    };
    if channels.is_empty() || channels.len() > bounds.channels {
        let message =
            format!("an event goes to 1 to {} channels; send it again to the rest", bounds.channels);
        return Err(Refusal::new(Code::BadField, message));
    }
    let encrypted = |channel: &String| Guard::of(channel) == Guard::Encrypted;
    if channels.len() > 1 && channels.iter().any(encrypted) {
        return Err(Refusal::new(
            Code::BadField,
            "an encrypted event goes to one channel alone, because each has a key of its own",
        ));
    }
    Ok(Trigger {
        name: name::event(&name)?,
        channels: channels.iter().map(|channel| name::channel(channel)).collect::<Result<_, _>>()?,
        data: data(written.data.ok_or_else(|| missing("data"))?, bounds.data)?,
        except: written.socket_id.as_deref().map(socket).transpose()?,
        info: written.info.as_deref().map_or(Ok(Info::default()), Info::parse)?,
    })
}

/// Reads the id of a socket.
pub fn socket(text: &str) -> Result<PublicId, Refusal> {
    PublicId::parse(text).map_err(|_| {
        Refusal::new(Code::BadField, "`socket_id` is two numbers with a dot, as the client got it")
    })
}

/// The data of an event: a text that the library has made, or for a caller by hand any JSON.
///
/// A text that is JSON is kept as that JSON, so that clients of other dialects get it as a value; its bytes
/// stay as they are, and so do those of any other text.
fn data(raw: &RawValue, most: usize) -> Result<Data, Refusal> {
    let Ok(text) = serde_json::from_str::<String>(raw.get()) else {
        json::check("data", raw.get())?;
        return bounded(Data::json(Bytes::copy_from_slice(raw.get().as_bytes())), most);
    };
    let form = if json::check("data", &text).is_ok() { Form::Json } else { Form::Text };
    bounded(Data { form, bytes: text.into() }, most)
}

fn bounded(data: Data, most: usize) -> Result<Data, Refusal> {
    if data.bytes.len() <= most {
        return Ok(data);
    }
    let message =
        format!("the data of an event has at most {most} bytes; send less, and let clients fetch the rest");
    Err(Refusal::new(Code::TooLarge, message))
}

fn missing(field: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("`{field}` is missing; an event has name, channels and data"))
}

fn no_body(why: &serde_json::Error) -> Refusal {
    let message = format!(
        "the body is no event (line {}, column {}); send it as the library does",
        why.line(),
        why.column()
    );
    Refusal::new(Code::BadMessage, message)
}

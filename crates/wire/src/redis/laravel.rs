//! What Laravel's `redis` broadcaster writes: `{"event":…,"data":{…},"socket":…}` on the channel's name behind the
//! prefix of its connection.

use std::borrow::Cow;

use bytes::Bytes;
use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventName, PublicId};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::vocabulary::Publish;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::native::json;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default)]
    socket: Option<Cow<'a, str>>,
}

/// Reads what was published on a channel, whose prefix is taken off already.
///
/// `data` stays as it came, with the `socket` that the broadcaster leaves in it. A `socket` that is none of our ids
/// excludes nobody: whoever has it is connected somewhere else.
pub fn read(channel: &[u8], payload: &[u8]) -> Result<Publish, Refusal> {
    let channel = ChannelName::parse(&String::from_utf8_lossy(channel))?;
    // A reader of structs takes a list of their fields too, which no Laravel writes.
    let begins = payload.iter().find(|byte| !byte.is_ascii_whitespace());
    if begins != Some(&b'{') {
        return Err(Refusal::new(
            Code::BadMessage,
            "it is no JSON object; Laravel's redis broadcaster writes one with event, data and socket",
        ));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(payload).map_err(|error| {
        let code = if error.is_data() { Code::BadField } else { Code::BadMessage };
        let why: String = error.to_string().chars().take(200).collect();
        Refusal::new(code, format!("it is nothing that Laravel's redis broadcaster writes: {why}"))
    })?;
    let data = envelope.data.get();
    json::check("data", data)?;
    Ok(Publish {
        channel,
        name: EventName::parse(&envelope.event)?,
        // A copy: the bytes around it belong to a buffer that is much larger.
        data: Data::json(Bytes::copy_from_slice(data.as_bytes())),
        id: None,
        key: None,
        except: envelope.socket.and_then(|id| PublicId::parse(&id).ok()),
    })
}

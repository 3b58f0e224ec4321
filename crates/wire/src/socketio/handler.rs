//! An event of a client that the application's backend handles: what the backend is sent, and what of its reply
//! answers the client.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::packet::Args;
use crate::native::json;
use deskbell_core::access::Identity;

/// An event on its way to the backend.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// In which namespace.
    pub namespace: &'a str,
    /// What it is called.
    pub event: &'a str,
    /// What is said of it.
    pub args: Args<'a>,
    /// The bytes that belong to it; where each of them stands, the arguments have a placeholder with its number.
    pub attachments: &'a [Bytes],
    /// The client's public name.
    pub socket: &'a str,
    /// Who it is.
    pub who: &'a Identity,
    /// Does it wait for an answer?
    pub wants_answer: bool,
}

/// The body of the request.
///
/// ```
/// use deskbell_core::{access::Identity, ids::UserId};
/// use deskbell_wire::socketio::handler::{Said, body};
/// use deskbell_wire::socketio::{Said as Packet, read};
/// let Packet::Event { name, args, .. } = read(r#"2["rate",{"stars":5},"b-1"]"#).unwrap().said else { panic!() };
/// let who = Identity::user(UserId::parse("7").unwrap());
/// let said = Said { namespace: "/", event: &name, args, attachments: &[], socket: "s", who: &who, wants_answer: true };
/// let expected = r#"{"namespace":"/","event":"rate","args":[{"stars":5},"b-1"],"socket":"s","user":"7","roles":[],"ack":true}"#;
/// assert_eq!(String::from_utf8(body(&said)).unwrap(), expected);
/// ```
pub fn body(said: &Said<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        namespace: &'a str,
        event: &'a str,
        args: &'a RawValue,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<String>,
        socket: &'a str,
        user: Option<&'a str>,
        roles: &'a [String],
        ack: bool,
    }
    let args = RawValue::from_string(format!("[{}]", said.args.text()));
    let body = Body {
        namespace: said.namespace,
        event: said.event,
        args: &args.expect("the packet's reader has found that these are values with commas between"),
        attachments: said.attachments.iter().map(|bytes| STANDARD.encode(bytes)).collect(),
        socket: said.socket,
        user: said.who.user_id(),
        roles: &said.who.roles,
        ack: said.wants_answer,
    };
    serde_json::to_vec(&body).expect("texts and values always serialise into memory")
}

/// The arguments of the answer that a reply gives: the JSON that it is, or none where it is empty. `None`, where it is
/// something else.
///
/// ```
/// use deskbell_wire::socketio::handler::answer;
/// assert_eq!(answer(b" {\"ok\": true}\n").as_deref(), Some("{\"ok\": true}"));
/// assert_eq!((answer(b"").as_deref(), answer(b"<html>")), (Some(""), None));
/// ```
pub fn answer(reply: &[u8]) -> Option<String> {
    let text = str::from_utf8(reply).ok()?.trim_ascii();
    (text.is_empty() || json::check("reply", text).is_ok()).then(|| text.to_owned())
}

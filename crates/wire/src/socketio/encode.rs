//! Packets become messages: the text of an Engine.IO packet, with its type before it.

use std::io::Write as _;

use serde::Serialize;

use super::packet::{Args, RESERVED, ROOT};
use deskbell_core::event::{Data, Form};

/// Lets a client in. `pid` is the secret by which it may come back as who it was.
pub fn connected(namespace: &str, sid: &str, pid: Option<&str>, out: &mut Vec<u8>) {
    open(b'0', 0, namespace, None, out);
    out.extend_from_slice(br#"{"sid":"#);
    json(sid, out);
    if let Some(pid) = pid {
        out.extend_from_slice(br#","pid":"#);
        json(pid, out);
    }
    out.push(b'}');
}

/// Does not let a client in; it does not try again by itself. `data` is JSON for the application.
pub fn refused(namespace: &str, message: &str, data: Option<&str>, out: &mut Vec<u8>) {
    open(b'4', 0, namespace, None, out);
    out.extend_from_slice(br#"{"message":"#);
    json(message, out);
    if let Some(data) = data {
        out.extend_from_slice(br#","data":"#);
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
}

/// Shows a client out, which does not come back by itself; or, from a client, says that it leaves.
pub fn disconnected(namespace: &str, out: &mut Vec<u8>) {
    open(b'1', 0, namespace, None, out);
}

/// Asks to be let in, as a client does. `auth` is a JSON object.
pub fn connect(namespace: &str, auth: Option<&str>, out: &mut Vec<u8>) {
    open(b'0', 0, namespace, None, out);
    out.extend_from_slice(auth.unwrap_or_default().as_bytes());
}

/// Whether an event of this name can be said at all. A client that hears a name which it keeps for itself takes
/// the whole connection for broken, and would do so again each time it comes back.
pub fn is_sayable(name: &str) -> bool {
    !RESERVED.contains(&name)
}

/// What an event looks like beside its data.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Of which namespace.
    pub namespace: &'a str,
    /// The number under which an answer is expected.
    pub id: Option<u64>,
    /// What happened; it [can be said](is_sayable).
    pub name: &'a str,
    /// Where the client stands who has it: an argument more, behind the others, for clients that know it.
    pub offset: Option<&'a str>,
}

/// Writes an event with one argument, or several.
pub fn event(event: &Event<'_>, data: &Data, out: &mut Vec<u8>) {
    begin(event, 0, out);
    match data.form {
        Form::Json => argument(&data.bytes, out),
        Form::Text => {
            out.push(b',');
            json(&*String::from_utf8_lossy(&data.bytes), out);
        }
        Form::Args => {
            let inside = data.bytes.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
            argument(inside.unwrap_or_default().trim_ascii(), out);
        }
    }
    end(event, out);
}

/// Writes a JSON value that is said under a name in the root namespace.
pub fn said(name: &str, value: &[u8], out: &mut Vec<u8>) {
    let event = Event { namespace: ROOT, id: None, name, offset: None };
    begin(&event, 0, out);
    argument(value, out);
    end(&event, out);
}

/// Writes an event with its arguments as they came, and says how many attachments follow.
pub fn event_with(event: &Event<'_>, args: Args<'_>, attachments: usize, out: &mut Vec<u8>) {
    begin(event, attachments, out);
    argument(args.text().as_bytes(), out);
    end(event, out);
}

/// Answers an event; `args` are JSON values with commas between them.
pub fn ack(namespace: &str, id: u64, args: &str, attachments: usize, out: &mut Vec<u8>) {
    open(if attachments > 0 { b'6' } else { b'3' }, attachments, namespace, Some(id), out);
    out.push(b'[');
    out.extend_from_slice(args.as_bytes());
    out.push(b']');
}

/// The data of an event that came with these arguments, in the form in which others get it.
pub fn data_of(args: Args<'_>) -> Data {
    match args.one() {
        Some(value) => Data::json(value.to_owned()),
        None => Data { form: Form::Args, bytes: format!("[{}]", args.text()).into() },
    }
}

fn begin(event: &Event<'_>, attachments: usize, out: &mut Vec<u8>) {
    open(if attachments > 0 { b'5' } else { b'2' }, attachments, event.namespace, event.id, out);
    out.push(b'[');
    json(event.name, out);
}

fn argument(text: &[u8], out: &mut Vec<u8>) {
    if !text.is_empty() {
        out.push(b',');
        out.extend_from_slice(text);
    }
}

fn end(event: &Event<'_>, out: &mut Vec<u8>) {
    if let Some(offset) = event.offset {
        out.push(b',');
        json(offset, out);
    }
    out.push(b']');
}

/// Writes what stands before the data, in the one order that readers know.
fn open(kind: u8, attachments: usize, namespace: &str, id: Option<u64>, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'4', kind]);
    if attachments > 0 {
        write(out, format_args!("{attachments}-"));
    }
    if namespace != ROOT {
        write(out, format_args!("{namespace},"));
    }
    if let Some(id) = id {
        write(out, format_args!("{id}"));
    }
}

fn json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("texts always serialise into memory");
}

fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing into memory cannot fail");
}

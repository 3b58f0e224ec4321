//! A Socket.IO client that may say anything: bodies and packets read in one way only, what is understood can be said
//! again, attachments stay within their bounds, and a session always either waits for something or is over.

use bytes::Bytes;
use deskbell_core::access::Identity;
use deskbell_core::limits;
use deskbell_wire::engineio::asked::{self, Transport};
use deskbell_wire::engineio::packet::{self, Packet};
use deskbell_wire::engineio::payload::{self, Payload};
use deskbell_wire::engineio::{Due, Session, Timing};
use deskbell_wire::socketio::encode::{self, Event};
use deskbell_wire::socketio::{
    Asks, Assembly, Fault, Namespaces, Said, Shown, Whole, echo, handler, marketplace, read,
};

/// Bytes of one packet with its attachments.
const MOST: usize = 4_000;

/// A query, a line feed, and then the bodies of requests, each behind a line feed.
pub fn check(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == b'\n');
    let query = parts.next().and_then(|query| str::from_utf8(query).ok()).unwrap_or_default();
    let _ = asked::ask("GET", query, data.len() % 2 == 0);
    let mut session = Session::new(Transport::Polling, Timing::default(), 0);
    let mut assembly = Assembly::new();
    let mut namespaces = Namespaces::new(0);
    for (now, body) in (0..).step_by(1_000).zip(parts) {
        let packets = payload::read(body);
        assert_eq!(packets, payload::read(body), "one body was read in two ways");
        let Ok(packets) = packets else { continue };
        assert!(packets.len() <= limits::POLL_PACKETS_IN);
        written_again(&packets);
        for packet in &packets {
            live(&mut session, packet, now);
            if hear(&mut assembly, packet, now).is_err() {
                assembly = Assembly::new();
            }
            if let Packet::Message(message) = packet {
                ask(&mut namespaces, message, now);
            }
        }
    }
}

/// A body can be written as it was read, but for the padding of base64.
fn written_again(packets: &[Packet<'_>]) {
    for some in packets.chunks(limits::POLL_PACKETS_OUT) {
        let mut body = Payload::new();
        for packet in some {
            let mut out = Vec::new();
            packet::write(packet, &mut out);
            assert!(body.has_room(out.len()));
            body.push(&out);
        }
        assert_eq!(payload::read(&body.finish()).as_deref(), Ok(some), "what was read is written otherwise");
    }
}

fn live(session: &mut Session, packet: &Packet<'_>, now: u64) {
    let _ = session.get(now % 3_000 == 0);
    if now % 7_000 == 0 {
        session.try_websocket(now);
        session.tried(packet, now);
    } else {
        let _ = session.heard(packet, now);
    }
    match session.due(now) {
        Due::Until(at) => assert!(at > now, "it waits for a moment that has passed"),
        Due::End(_) => assert!(session.is_over()),
        Due::Ping | Due::Abandon => {}
    }
    if session.is_over() {
        *session = Session::new(Transport::WebSocket, Timing::default(), now);
    }
}

fn hear(assembly: &mut Assembly, packet: &Packet<'_>, now: u64) -> Result<(), Fault> {
    match packet {
        Packet::Message(message) => {
            if let Some(packet) = assembly.text(message, now)? {
                assert_eq!(packet.attachments, 0);
                said_again(message);
            }
        }
        Packet::Binary(bytes) => {
            let whole = assembly.binary(Bytes::copy_from_slice(bytes), MOST, now)?;
            if let Some(whole) = whole {
                let count = whole.attachments().len();
                assert!(count <= limits::ATTACHMENTS && count == whole.packet().attachments);
                assert!(whole.attachments().iter().map(Bytes::len).sum::<usize>() <= MOST);
                handed_over(&whole);
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a backend is sent of it is one JSON object, however the client wrote its arguments.
fn handed_over(whole: &Whole) {
    let Said::Event { id, name, args } = whole.packet().said else { return };
    let (namespace, who) = (whole.packet().namespace.to_owned(), Identity::visitor(7));
    let body = handler::body(&handler::Said {
        namespace: &namespace,
        event: &name,
        args,
        attachments: whole.attachments(),
        socket: "1.2",
        who: &who,
        wants_answer: id.is_some(),
    });
    let text = str::from_utf8(&body).expect("a body is text");
    assert!(text.starts_with('{') && text.ends_with('}') && text.contains(r#""attachments":["#), "{text}");
}

/// A client is let in wherever it asks, and says there what it likes.
fn ask(namespaces: &mut Namespaces, message: &str, now: u64) {
    let Ok(packet) = read(message) else { return };
    let namespace = packet.namespace.to_owned();
    match namespaces.hear(packet, now) {
        Ok(Asks::Enter { data }) => {
            let shown = Shown::read(data);
            assert!(shown.token.is_none_or(|token| token.len() <= limits::TOKEN));
            assert!(namespaces.let_in(&namespace) && namespaces.is_in(&namespace));
        }
        Ok(Asks::Event { name, args, .. }) => {
            let _ = marketplace::asked::read(&name, args);
            let _ = echo::read(&name, args);
            let _ = args.one().map(marketplace::broadcast::read);
        }
        Ok(Asks::Left | Asks::Answer { .. } | Asks::EnterTooMany | Asks::Nothing) | Err(_) => {}
    }
    assert!(namespaces.entered().count() <= limits::NAMESPACES_PER_CONNECTION);
}

fn said_again(message: &str) {
    let packet = read(message).expect("it was read once already");
    let mut out = Vec::new();
    match packet.said {
        Said::Event { id, ref name, args } => {
            let event = Event { namespace: packet.namespace, id, name, offset: None };
            encode::event(&event, &encode::data_of(args), &mut out);
        }
        Said::Ack { id, args } => encode::ack(packet.namespace, id, args.text(), 0, &mut out),
        Said::Disconnect => encode::disconnected(packet.namespace, &mut out),
        Said::Connect { data } => encode::connect(packet.namespace, data, &mut out),
        Said::ConnectError { .. } => return,
    }
    let again = str::from_utf8(&out).expect("packets are text");
    assert_eq!(read(&again[1..]).as_ref(), Ok(&packet), "{message}");
}

//! Reads `tests/transcripts/socketio` and holds the formats to every line of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use deskbell_core::event::{Data, Form};
use deskbell_wire::engineio::payload;
use deskbell_wire::socketio::encode::{self, Event};
use deskbell_wire::socketio::{Assembly, Fault, Packet, Prepared, Said, read};

const ENGINE: &str = include_str!("../transcripts/socketio/engineio.txt");
const SOCKET: &str = include_str!("../transcripts/socketio/socketio.txt");
const BYTES: &str = include_str!("../transcripts/socketio/attachments.txt");

fn bodies(line: &str) -> String {
    let body = line.strip_prefix("> ").unwrap_or_else(|| panic!("a line begins with >, not {line}"));
    match payload::read(body.replace('␞', "\u{1e}").as_bytes()) {
        Ok(packets) => {
            let packets: Vec<String> = packets.iter().map(|packet| format!("{packet:?}")).collect();
            format!("= {}", packets.join(" "))
        }
        Err(why) => format!("! {why}"),
    }
}

fn packets(line: &str) -> String {
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    match mark {
        ">" => heard(rest),
        "@" => format!("< {}", said(rest)),
        _ => panic!("a line begins with > or @, not {line}"),
    }
}

fn heard(message: &str) -> String {
    let packet = match read(message) {
        Ok(packet) => packet,
        Err(fault) => return format!("! {}", fault.code()),
    };
    let said = match packet.said {
        Said::Connect { data } => format!("connect {}", data.unwrap_or("-")),
        Said::Disconnect => "disconnect".to_owned(),
        Said::Event { id, name, args } => {
            let id = id.map_or_else(|| "-".to_owned(), |id| id.to_string());
            format!("event {id} {name:?} {} of {}", args.text(), args.count())
        }
        Said::Ack { id, args } => format!("ack {id} {} of {}", args.text(), args.count()),
        Said::ConnectError { data } => format!("connect_error {data}"),
    };
    format!("= {} {} {said}", packet.namespace, packet.attachments)
}

fn said(call: &str) -> String {
    let words: Vec<&str> = call.split(' ').collect();
    let mut out = Vec::new();
    match words[..] {
        ["connected", namespace, sid] => encode::connected(namespace, sid, None, &mut out),
        ["connected", namespace, sid, pid] => encode::connected(namespace, sid, Some(pid), &mut out),
        ["refused", namespace, message] => encode::refused(namespace, message, None, &mut out),
        ["refused", namespace, message, data] => encode::refused(namespace, message, Some(data), &mut out),
        ["disconnected", namespace] => encode::disconnected(namespace, &mut out),
        ["connect", namespace] => encode::connect(namespace, None, &mut out),
        ["connect", namespace, auth] => encode::connect(namespace, Some(auth), &mut out),
        ["ack", namespace, id, args] => encode::ack(namespace, id.parse().unwrap(), args, 0, &mut out),
        ["ack", namespace, id, args, count] => {
            encode::ack(namespace, id.parse().unwrap(), args, count.parse().unwrap(), &mut out);
        }
        ["ask", namespace, id, name, data] => {
            let event = Event { namespace, id: Some(id.parse().unwrap()), name, offset: None };
            encode::event(&event, &Data::json(data.to_owned()), &mut out);
        }
        [form, namespace, name, data] => out = tell(form, namespace, name, data, None),
        [form, namespace, name, data, offset] => out = tell(form, namespace, name, data, Some(offset)),
        _ => panic!("nobody says {call}"),
    }
    String::from_utf8(out).unwrap()
}

fn tell(form: &str, namespace: &str, name: &str, data: &str, offset: Option<&str>) -> Vec<u8> {
    let form = match form {
        "json" => Form::Json,
        "text" => Form::Text,
        "args" => Form::Args,
        _ => panic!("{form} is no form of data"),
    };
    let data = Data { form, bytes: data.to_owned().into() };
    Prepared::event(namespace, name, &data, offset).map_or_else(|| b"-".to_vec(), |it| it.packet().to_vec())
}

fn every_line_holds(transcript: &str, least: usize, answer: fn(&str) -> String) {
    let mut lines = transcript.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (mut wrong, mut count) = (Vec::new(), 0);
    while let (Some(asked), Some(expected)) = (lines.next(), lines.next()) {
        count += 1;
        let said = answer(asked);
        if said != expected {
            wrong.push(format!("{asked}\n  expected {expected}\n  but was  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= least, "the transcript was read to its end: {count}");
}

#[test]
fn every_body_of_polling_reads_as_written_down() {
    every_line_holds(ENGINE, 20, bodies);
}

#[test]
fn every_packet_reads_as_written_down() {
    every_line_holds(SOCKET, 60, packets);
}

/// A packet that is whole, with its bytes.
fn whole(packet: &Packet<'_>, attachments: &[bytes::Bytes]) -> String {
    let said = match &packet.said {
        Said::Event { name, args, .. } => format!("event {name:?} {}", args.text()),
        Said::Ack { id, args } => format!("ack {id} {}", args.text()),
        other => format!("{other:?}"),
    };
    let bytes = attachments
        .iter()
        .map(|bytes| if bytes.is_empty() { " -".to_owned() } else { format!(" {}", STANDARD.encode(bytes)) });
    format!("= {} |{}", said.trim_end(), bytes.collect::<String>())
}

/// What one line of a connection says, if anything has become of it.
fn assembled(assembly: &mut Assembly, line: &str, now: u64) -> Result<Option<String>, Fault> {
    match line.split_at(1) {
        (">", text) => {
            let packet = assembly.text(text.trim_start(), now)?;
            Ok(packet.map(|packet| whole(&packet, &[])))
        }
        ("+", bytes) => {
            let bytes = STANDARD.decode(bytes.trim()).unwrap();
            let packet = assembly.binary(bytes.into(), 200, now)?;
            Ok(packet.map(|it| whole(&it.packet(), it.attachments())))
        }
        _ => panic!("a line begins with >, + or ~, not {line}"),
    }
}

#[test]
fn packets_and_their_bytes_become_whole_as_written_down() {
    let (mut connections, mut wrong) = (0, Vec::new());
    for connection in BYTES.split("\n\n") {
        let lines: Vec<&str> = connection.lines().filter(|line| !line.starts_with('#')).collect();
        let (mut assembly, mut now, mut came) = (Assembly::new(), 0, None);
        connections += usize::from(!lines.is_empty());
        for line in lines {
            if let Some(passed) = line.strip_prefix("~ ") {
                now += passed.parse::<u64>().unwrap();
            } else if line.starts_with(['=', '!']) {
                let said = came.take();
                if said.as_deref() != Some(line) {
                    wrong.push(format!("{connection}\n  expected {line}\n  but was  {said:?}"));
                }
            } else {
                assert_eq!(came, None, "nobody expected this of {connection}");
                let said = assembled(&mut assembly, line, now);
                came = said.unwrap_or_else(|fault| Some(format!("! {}", fault.code())));
            }
        }
        assert_eq!(came, None, "nobody expected this of {connection}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(connections > 15, "the transcript was read to its end: {connections}");
}

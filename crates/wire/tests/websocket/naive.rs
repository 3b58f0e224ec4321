//! A decoder that has the whole stream at once and takes its time: what the real one is compared with.

use deskbell_wire::websocket::deflate::Inflater;
use deskbell_wire::websocket::{Limits, Violation, is_valid_code};

use crate::{Outcome, Said};

/// Decodes what a client sent, as a server that negotiated compression if `deflate`.
pub fn decode(stream: &[u8], deflate: bool, limits: Limits) -> Outcome {
    let mut said = Vec::new();
    let violation = walk(stream, deflate, limits, &mut said).err();
    (said, violation)
}

/// Takes `count` bytes; what is missing at the end of the stream is simply not there.
fn take<'a>(stream: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = stream.split_at(count.min(stream.len()));
    *stream = rest;
    taken
}

fn check(fine: bool, violation: Violation) -> Result<(), Violation> {
    if fine { Ok(()) } else { Err(violation) }
}

fn walk(mut stream: &[u8], deflate: bool, limits: Limits, said: &mut Vec<Said>) -> Result<(), Violation> {
    let mut message: Option<(u8, bool, Vec<u8>)> = None;
    loop {
        let [first] = *take(&mut stream, 1) else { return Ok(()) };
        let opcode = first & 15;
        check(first & 0x30 == 0, Violation::ReservedBit)?;
        check(first & 0x40 == 0 || (deflate && (opcode == 1 || opcode == 2)), Violation::ReservedBit)?;
        check(matches!(opcode, 0..=2 | 8..=10), Violation::ReservedOpcode)?;
        check(opcode < 8 || first & 0x80 != 0, Violation::FragmentedControl)?;
        let [second] = *take(&mut stream, 1) else { return Ok(()) };
        check(second & 0x80 != 0, Violation::Unmasked)?;
        let short = second & 0x7f;
        check(opcode < 8 || short < 126, Violation::LongControl)?;
        let width = [2, 8].get(usize::from(short).wrapping_sub(126)).copied().unwrap_or(0);
        let long = take(&mut stream, width);
        if long.len() < width {
            return Ok(());
        }
        let long = long.iter().fold(0u64, |len, &byte| len << 8 | u64::from(byte));
        let smallest = [0, 126, 0x1_0000][width.div_ceil(4)];
        check(width == 0 || (smallest..1 << 63).contains(&long), Violation::Length)?;
        let len = if width == 0 { u64::from(short) } else { long };
        let mask = take(&mut stream, 4);
        if mask.len() < 4 {
            return Ok(());
        }
        if opcode < 8 {
            check(opcode != 0 || message.is_some(), Violation::StrayContinuation)?;
            check(opcode == 0 || message.is_none(), Violation::InterruptedMessage)?;
            let so_far = message.as_ref().map_or(0, |(_, _, bytes)| bytes.len() as u64);
            check(len <= limits.max_frame as u64, Violation::FrameTooBig)?;
            check(so_far + len <= limits.max_message as u64, Violation::MessageTooBig)?;
        }
        let masked = take(&mut stream, len as usize);
        let complete = masked.len() as u64 == len;
        let payload: Vec<u8> = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
        if opcode >= 8 {
            if !complete {
                return Ok(());
            }
            said.push(control(opcode, payload)?);
            if opcode == 8 {
                return Ok(());
            }
            continue;
        }
        let (_, _, bytes) = message.get_or_insert((opcode, first & 0x40 != 0, Vec::new()));
        bytes.extend(payload);
        if let Some((1, false, bytes)) = &message {
            let broken = str::from_utf8(bytes).is_err_and(|error| error.error_len().is_some());
            check(!broken, Violation::Utf8)?;
        }
        if !complete {
            return Ok(());
        }
        if first & 0x80 != 0 {
            let (opcode, compressed, mut bytes) = message.take().unwrap();
            if compressed {
                bytes = Inflater::new().message(&bytes, limits.max_message)?;
            }
            said.push(if opcode == 1 { Said::Text(text(bytes)?) } else { Said::Binary(bytes) });
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Violation> {
    String::from_utf8(bytes).map_err(|_| Violation::Utf8)
}

fn control(opcode: u8, payload: Vec<u8>) -> Result<Said, Violation> {
    match (opcode, payload.len()) {
        (9, _) => Ok(Said::Ping(payload)),
        (10, _) => Ok(Said::Pong(payload)),
        (_, 0) => Ok(Said::Close(None, String::new())),
        (_, 1) => Err(Violation::ShortClose),
        _ => {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            check(is_valid_code(code), Violation::CloseCode)?;
            Ok(Said::Close(Some(code), text(payload[2..].to_vec())?))
        }
    }
}

//! Random conversations, random splits, random damage.

use deskbell_wire::websocket::deflate::Deflater;
use deskbell_wire::websocket::encode::{
    Shape, close_into, frame_into, masked_frame_into, ping_into, pong_into, text_frame,
};
use deskbell_wire::websocket::{Decoder, Limits, Opcode, Role};
use proptest::prelude::*;

use crate::{Said, decode, naive};

const LIMITS: Limits = Limits { max_frame: 400, max_message: 600 };

/// A message to send: its kind, how it is cut, whether it is compressed, and what goes between the pieces.
#[derive(Debug, Clone)]
struct Sent {
    said: Said,
    pieces: usize,
    compressed: bool,
    between: Vec<Said>,
    mask: [u8; 4],
}

fn control() -> impl Strategy<Value = Said> {
    let payload = || prop::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![payload().prop_map(Said::Ping), payload().prop_map(Said::Pong)]
}

fn sent() -> impl Strategy<Value = Sent> {
    let said = prop_oneof![
        4 => "\\PC{0,90}".prop_map(Said::Text),
        2 => prop::collection::vec(any::<u8>(), 0..300).prop_map(Said::Binary),
        1 => control(),
    ];
    (said, 1usize..6, any::<bool>(), prop::collection::vec(control(), 0..3), any::<[u8; 4]>()).prop_map(
        |(said, pieces, compressed, between, mask)| Sent { said, pieces, compressed, between, mask },
    )
}

/// Writes the frames of a message and notes in which order its items must come out.
fn write(sent: &Sent, deflater: &mut Deflater, out: &mut Vec<u8>, expected: &mut Vec<Said>) {
    let (opcode, payload) = match &sent.said {
        Said::Text(text) => (Opcode::Text, text.as_bytes()),
        Said::Binary(bytes) => (Opcode::Binary, &bytes[..]),
        other => {
            write_control(other, sent.mask, out);
            return expected.push(other.clone());
        }
    };
    let deflated = sent.compressed.then(|| deflater.message(&[payload]).unwrap());
    let payload = deflated.as_deref().unwrap_or(payload);
    let size = payload.len().div_ceil(sent.pieces).max(1);
    let pieces: Vec<&[u8]> = if payload.is_empty() { vec![payload] } else { payload.chunks(size).collect() };
    let mut between = sent.between.iter();
    for (at, piece) in pieces.iter().enumerate() {
        let shape = Shape {
            opcode: if at == 0 { opcode } else { Opcode::Continuation },
            fin: at + 1 == pieces.len(),
            compressed: sent.compressed && at == 0,
            mask: Some(sent.mask),
        };
        shape.write_into(out, piece);
        if !shape.fin
            && let Some(control) = between.next()
        {
            write_control(control, sent.mask, out);
            expected.push(control.clone());
        }
    }
    expected.push(sent.said.clone());
}

fn write_control(said: &Said, mask: [u8; 4], out: &mut Vec<u8>) {
    match said {
        Said::Ping(bytes) => masked_frame_into(out, Opcode::Ping, bytes, mask),
        Said::Pong(bytes) => masked_frame_into(out, Opcode::Pong, bytes, mask),
        _ => unreachable!("only pings and pongs are sent between pieces"),
    }
}

/// Cuts a stream into reads whose lengths are taken in turn from `sizes`.
fn split(stream: &[u8], sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = stream;
    let mut reads = Vec::new();
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (read, behind) = rest.split_at((*size).min(rest.len()));
        reads.push(read.to_vec());
        rest = behind;
    }
    reads
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        1 => Just(vec![1]),
        1 => Just(vec![usize::MAX]),
        4 => prop::collection::vec(prop_oneof![1usize..20, 1usize..400], 1..8),
    ]
}

/// No item is ever larger than its bound.
fn check_bounds(said: &[Said]) -> Result<(), TestCaseError> {
    for item in said {
        let (len, bound) = match item {
            Said::Text(text) => (text.len(), LIMITS.max_message),
            Said::Binary(bytes) => (bytes.len(), LIMITS.max_message),
            Said::Ping(bytes) | Said::Pong(bytes) => (bytes.len(), 125),
            Said::Close(_, reason) => (reason.len(), 123),
        };
        prop_assert!(len <= bound, "{len} bytes");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_sent_comes_out_however_it_is_cut(
        messages in prop::collection::vec(sent(), 0..8),
        sizes in sizes(),
    ) {
        let mut deflater = Deflater::new(6);
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for message in &messages {
            write(message, &mut deflater, &mut stream, &mut expected);
        }
        let mut decoder = Decoder::new(Role::Server, true);
        let outcome = decode(&mut decoder, &split(&stream, &sizes), LIMITS);
        prop_assert_eq!(&outcome, &(expected, None));
        prop_assert!(decoder.is_idle(), "nothing is kept between messages");
        prop_assert_eq!(naive::decode(&stream, true, LIMITS), outcome);
    }

    #[test]
    fn a_client_reads_what_a_server_writes(
        texts in prop::collection::vec("\\PC{0,120}", 0..8),
        payload in prop::collection::vec(any::<u8>(), 0..=125),
        reason in "\\PC{0,40}",
        sizes in sizes(),
    ) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for text in &texts {
            stream.extend_from_slice(&text_frame(text.as_bytes()));
            frame_into(&mut stream, Opcode::Binary, text.as_bytes());
            ping_into(&mut stream, &payload);
            pong_into(&mut stream, &payload);
            expected.extend([Said::Text(text.clone()), Said::Binary(text.clone().into_bytes())]);
            expected.extend([Said::Ping(payload.clone()), Said::Pong(payload.clone())]);
        }
        // The reason is cut where it does not fit any more.
        close_into(&mut stream, Some(1000), &reason);
        let mut kept = reason.clone();
        while kept.len() > 123 {
            kept.pop();
        }
        expected.push(Said::Close(Some(1000), kept));
        let outcome = decode(&mut Decoder::new(Role::Client, false), &split(&stream, &sizes), LIMITS);
        prop_assert_eq!(outcome, (expected, None));
    }

    #[test]
    fn damage_is_judged_alike_however_it_is_cut(
        messages in prop::collection::vec(sent(), 1..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        deflate in any::<bool>(),
        sizes in sizes(),
    ) {
        let mut deflater = Deflater::new(6);
        let mut stream = Vec::new();
        for message in &messages {
            write(message, &mut deflater, &mut stream, &mut Vec::new());
        }
        for (at, bits) in &damage {
            let at = at.index(stream.len());
            stream[at] ^= bits;
        }
        let outcome = decode(&mut Decoder::new(Role::Server, deflate), &split(&stream, &sizes), LIMITS);
        check_bounds(&outcome.0)?;
        prop_assert_eq!(outcome, naive::decode(&stream, deflate, LIMITS));
    }

    #[test]
    fn garbage_never_panics_nor_breaks_a_bound(
        garbage in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&[0x81, 0x01, 0x80, 0xc1, 0x88, 0x89, 0x82, 0xfe, 0xff][..])],
            0..600,
        ),
        sizes in sizes(),
    ) {
        let reads = split(&garbage, &sizes);
        check_bounds(&decode(&mut Decoder::new(Role::Client, true), &reads, LIMITS).0)?;
        let outcome = decode(&mut Decoder::new(Role::Server, true), &reads, LIMITS);
        check_bounds(&outcome.0)?;
        prop_assert_eq!(outcome, naive::decode(&garbage, true, LIMITS));
    }
}

//! Single cases, most of them the ones that the Autobahn test suite asks about.

use deskbell_core::limits;
use deskbell_wire::websocket::deflate::Deflater;
use deskbell_wire::websocket::encode::{Shape, masked_frame_into};
use deskbell_wire::websocket::{Decoder, Item, Limits, Opcode, Role, Violation};

use crate::{Outcome, Said, decode};

const LIMITS: Limits = Limits { max_frame: 64 * 1024, max_message: 100_000 };
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// One read with these frames of a client: (opcode, fin, payload).
fn read(frames: &[(Opcode, bool, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for &(opcode, fin, payload) in frames {
        Shape { opcode, fin, compressed: false, mask: Some(MASK) }.write_into(&mut out, payload);
    }
    out
}

fn compressed(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let shape = Shape { compressed: true, mask: Some(MASK), ..Shape::whole(Opcode::Text) };
    shape.write_into(&mut out, payload);
    out
}

fn outcome(reads: &[Vec<u8>]) -> Outcome {
    decode(&mut Decoder::new(Role::Server, true), reads, LIMITS)
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

#[test]
fn the_examples_of_rfc_6455_and_7692() {
    let masked = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58".to_vec();
    assert_eq!(outcome(&[masked]), (vec![text("Hello")], None));
    assert_eq!(outcome(&[compressed(b"\xf2\x48\xcd\xc9\xc9\x07\x00")]), (vec![text("Hello")], None));

    let mut client = Decoder::new(Role::Client, true);
    let stream =
        b"\x81\x05Hello\x01\x03Hel\x80\x02lo\x89\x05Hello\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"
            .to_vec();
    let hello = || text("Hello");
    let expected = vec![hello(), hello(), Said::Ping(b"Hello".to_vec()), hello()];
    assert_eq!(decode(&mut client, &[stream], LIMITS), (expected, None));
}

#[test]
fn a_whole_frame_is_handed_out_where_it_lies() {
    let mut buffer = read(&[(Opcode::Text, true, b"one"), (Opcode::Ping, true, b"two")]);
    let range = buffer.as_ptr_range();
    let mut decoder = Decoder::new(Role::Server, false);
    let mut feed = decoder.feed(&mut buffer, LIMITS);
    for expected in [&b"one"[..], b"two"] {
        let (Some(Item::Text(_) | Item::Ping(_)), payload) = (match feed.next_item().unwrap() {
            item @ Some(Item::Text(text)) => (item, text.as_bytes()),
            item @ Some(Item::Ping(bytes)) => (item, bytes),
            item => (item, &b""[..]),
        }) else {
            panic!("a text and a ping were sent")
        };
        assert_eq!(payload, expected);
        assert!(range.contains(&payload.as_ptr()), "no copy was made");
    }
}

#[test]
fn the_decoder_keeps_nothing_between_messages() {
    assert!(size_of::<Decoder>() <= 32);
    let mut decoder = Decoder::new(Role::Server, false);
    let message = read(&[
        (Opcode::Text, false, b"a"),
        (Opcode::Ping, true, b"b"),
        (Opcode::Continuation, true, &[b'c'; 300]),
    ]);
    for (at, &byte) in message.iter().enumerate() {
        assert_eq!(decoder.is_idle(), at == 0);
        decode(&mut decoder, &[vec![byte]], LIMITS);
    }
    assert!(decoder.is_idle());
}

#[test]
fn bytes_that_were_not_asked_for_can_be_fed_again() {
    let mut buffer = read(&[(Opcode::Text, true, b"one"), (Opcode::Text, true, b"two")]);
    let mut decoder = Decoder::new(Role::Server, false);
    let mut feed = decoder.feed(&mut buffer, LIMITS);
    assert_eq!(feed.next_item(), Ok(Some(Item::Text("one"))));
    let rest = feed.rest().to_vec();
    assert_eq!(decode(&mut decoder, &[rest], LIMITS), (vec![text("two")], None));
}

#[test]
fn invalid_text_fails_at_the_byte_that_breaks_it() {
    // Valid, then a code point beyond U+10FFFF, then valid again; in one frame and over three.
    let valid = "κόσμε".as_bytes();
    let whole = [valid, b"\xf4\x90\x80\x80", b"edited"].concat();
    let one = read(&[(Opcode::Text, true, &whole)]);
    let payload_start = one.len() - whole.len();
    let mut decoder = Decoder::new(Role::Server, false);
    let good = payload_start + valid.len() + 1;
    assert_eq!(decode(&mut decoder, &[one[..good].to_vec()], LIMITS), (vec![], None));
    assert_eq!(decode(&mut decoder, &[one[good..=good].to_vec()], LIMITS), (vec![], Some(Violation::Utf8)));

    let fragments = read(&[
        (Opcode::Text, false, valid),
        (Opcode::Continuation, false, b"\xf4\x90"),
        (Opcode::Ping, true, b""),
    ]);
    assert_eq!(outcome(&[fragments]), (vec![], Some(Violation::Utf8)), "before the message ends");

    let cut = read(&[(Opcode::Text, false, b"\xce"), (Opcode::Continuation, true, b"\xba\xce")]);
    assert_eq!(outcome(&[cut]), (vec![], Some(Violation::Utf8)), "ends within a character");
    let split = read(&[(Opcode::Text, false, b"\xce"), (Opcode::Continuation, true, b"\xba")]);
    assert_eq!(outcome(&[split]), (vec![text("κ")], None), "a character over two fragments");
    let empty = read(&[
        (Opcode::Text, false, b""),
        (Opcode::Continuation, false, b""),
        (Opcode::Continuation, true, b""),
    ]);
    assert_eq!(outcome(&[empty]), (vec![text("")], None));
}

#[test]
fn fragments_in_wrong_order() {
    let stray = read(&[(Opcode::Continuation, true, b"x")]);
    assert_eq!(outcome(&[stray]), (vec![], Some(Violation::StrayContinuation)));
    let interrupted = read(&[(Opcode::Text, false, b"x"), (Opcode::Text, true, b"y")]);
    assert_eq!(outcome(&[interrupted]), (vec![], Some(Violation::InterruptedMessage)));
    let after = read(&[
        (Opcode::Text, false, b"x"),
        (Opcode::Continuation, true, b"y"),
        (Opcode::Continuation, true, b"z"),
    ]);
    assert_eq!(outcome(&[after]), (vec![text("xy")], Some(Violation::StrayContinuation)));
}

/// Frames without end that bring nothing kept another server's connection, and what it noted of each, for ever.
#[test]
fn a_message_of_very_many_tiny_fragments_is_no_message() {
    let with = |count: usize, size: usize| {
        let mut frames = vec![(Opcode::Binary, false, vec![7; size])];
        frames.resize(count - 1, (Opcode::Continuation, false, vec![7; size]));
        frames.push((Opcode::Continuation, true, vec![7; size]));
        let frames: Vec<_> = frames.iter().map(|(code, fin, bytes)| (*code, *fin, &bytes[..])).collect();
        read(&frames)
    };
    let bound = limits::FRAGMENTS;
    assert_eq!(outcome(&[with(bound, 0)]), (vec![Said::Binary(Vec::new())], None));
    assert_eq!(outcome(&[with(bound + 1, 0)]), (vec![], Some(Violation::TooManyFragments)));
    assert_eq!(outcome(&[with(bound + bound / 16 - 1, 1)]).1, None, "what they bring counts");
    assert_eq!(outcome(&[with(bound + bound / 8, 1)]), (vec![], Some(Violation::TooManyFragments)));
    // However many: they are large enough.
    assert_eq!(outcome(&[with(4 * bound, limits::FRAGMENT_BYTES)]).1, None);
    assert_eq!(Violation::TooManyFragments.close_code(), 1009);
}

#[test]
fn nothing_is_read_after_a_close() {
    let mut bytes = read(&[(Opcode::Close, true, b"\x03\xe8bye"), (Opcode::Text, true, b"late")]);
    bytes.extend(b"\xff\xff");
    assert_eq!(outcome(&[bytes.clone(), bytes]), (vec![Said::Close(Some(1000), "bye".to_owned())], None));
    for (payload, violation) in [
        (&b"\x03"[..], Violation::ShortClose),
        (b"\x03\xed", Violation::CloseCode),
        (b"\x03\xe8\xff", Violation::Utf8),
    ] {
        assert_eq!(outcome(&[read(&[(Opcode::Close, true, payload)])]), (vec![], Some(violation)));
    }
}

#[test]
fn sizes_are_refused_on_the_announcement() {
    let frame = read(&[(Opcode::Binary, true, &vec![0; LIMITS.max_frame + 1])]);
    assert_eq!(outcome(&[frame[..14].to_vec()]), (vec![], Some(Violation::FrameTooBig)));
    let huge = b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0".to_vec();
    assert_eq!(outcome(&[huge]), (vec![], Some(Violation::FrameTooBig)));
    let half = vec![0; 50_000];
    let fit = read(&[(Opcode::Binary, false, &half), (Opcode::Continuation, true, &half)]);
    assert_eq!(outcome(&[fit]), (vec![Said::Binary(vec![0; 100_000])], None));
    let over = read(&[(Opcode::Binary, false, &half), (Opcode::Continuation, false, &half)]);
    let more = read(&[(Opcode::Continuation, true, b"x")]);
    assert_eq!(outcome(&[over, more]), (vec![], Some(Violation::MessageTooBig)));
    assert_eq!(Violation::MessageTooBig.close_code(), 1009);
}

#[test]
fn a_compressed_message_is_bounded_by_what_it_becomes() {
    let mut deflater = Deflater::new(9);
    let fit = deflater.message(&[&vec![b'a'; 100_000]]).unwrap();
    assert_eq!(outcome(&[compressed(&fit)]), (vec![text(&"a".repeat(100_000))], None));
    let bomb = deflater.message(&[&vec![b'a'; 100_001]]).unwrap();
    assert_eq!(outcome(&[compressed(&bomb)]), (vec![], Some(Violation::MessageTooBig)));
    let latin = deflater.message(&[b"\xe9t\xe9"]).unwrap();
    assert_eq!(outcome(&[compressed(&latin)]), (vec![], Some(Violation::Utf8)));
    assert_eq!(outcome(&[compressed(b"\xff\xff")]), (vec![], Some(Violation::Deflate)));
    let mut plain = Decoder::new(Role::Server, false);
    assert_eq!(decode(&mut plain, &[compressed(&fit)], LIMITS), (vec![], Some(Violation::ReservedBit)));
}

#[test]
fn each_end_insists_on_the_other_ends_masking() {
    let unmasked = b"\x81\x01a".to_vec();
    assert_eq!(outcome(std::slice::from_ref(&unmasked)), (vec![], Some(Violation::Unmasked)));
    let mut masked = Vec::new();
    masked_frame_into(&mut masked, Opcode::Text, b"a", MASK);
    let mut client = Decoder::new(Role::Client, false);
    assert_eq!(decode(&mut client, &[unmasked, masked], LIMITS), (vec![text("a")], Some(Violation::Masked)));
}

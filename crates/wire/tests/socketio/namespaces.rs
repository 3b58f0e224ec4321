//! What a client may say where, and what it shows when it comes in.

use std::borrow::Cow;

use deskbell_core::limits;
use deskbell_wire::socketio::{Asks, Fault, Namespaces, Program, Shown, read};

fn hear(namespaces: &mut Namespaces, message: &str) -> Result<String, Fault> {
    let asks = namespaces.hear(read(message).unwrap(), 0)?;
    Ok(match asks {
        Asks::Enter { data } => format!("enter {}", data.unwrap_or("-")),
        Asks::EnterTooMany => "too many".to_owned(),
        Asks::Left => "left".to_owned(),
        Asks::Event { id, name, args } => format!("event {id:?} {name} {}", args.text()),
        Asks::Answer { id, args } => format!("answer {id} {}", args.text()),
        Asks::Nothing => "nothing".to_owned(),
    })
}

fn inside() -> Namespaces {
    let mut namespaces = Namespaces::new(0);
    assert_eq!(hear(&mut namespaces, "0").as_deref(), Ok("enter -"));
    assert!(namespaces.let_in("/"));
    namespaces
}

#[test]
fn a_client_comes_in_says_something_and_leaves() {
    let mut namespaces = Namespaces::new(0);
    assert_eq!(hear(&mut namespaces, r#"0/desk,{"token":"t"}"#).as_deref(), Ok(r#"enter {"token":"t"}"#));
    assert!(!namespaces.is_in("/desk"));
    assert!(namespaces.let_in("/desk"));
    assert_eq!(hear(&mut namespaces, r#"2/desk,0["a",1]"#).as_deref(), Ok("event Some(0) a 1"));
    assert_eq!(hear(&mut namespaces, "3/desk,0[1]").as_deref(), Ok("answer 0 1"));
    assert_eq!(namespaces.entered().collect::<Vec<_>>(), ["/desk"]);
    assert_eq!(hear(&mut namespaces, "1/desk").as_deref(), Ok("left"));
    assert_eq!(hear(&mut namespaces, r#"2/desk,["a"]"#), Err(Fault::NotEntered));
}

/// A second one once ran the identity's check again and took the place of the first.
#[test]
fn who_is_in_does_not_come_in_again() {
    let mut namespaces = inside();
    assert_eq!(hear(&mut namespaces, "0"), Err(Fault::EnteredTwice));
    let mut namespaces = Namespaces::new(0);
    assert!(hear(&mut namespaces, "0").is_ok());
    assert_eq!(hear(&mut namespaces, "0"), Err(Fault::EnteredTwice), "also while the first is looked at");
}

#[test]
fn nothing_is_said_where_nobody_was_let_in() {
    for message in [r#"2["a"]"#, "30[]", "1", r#"2/desk,["a"]"#] {
        assert_eq!(hear(&mut Namespaces::new(0), message), Err(Fault::NotEntered), "{message}");
    }
    let mut waiting = Namespaces::new(0);
    assert!(hear(&mut waiting, "0").is_ok());
    assert_eq!(hear(&mut waiting, r#"2["a"]"#), Err(Fault::NotEntered));
    assert_eq!(hear(&mut inside(), "4{}"), Err(Fault::Direction));
}

#[test]
fn who_was_shown_out_may_still_have_something_on_its_way() {
    let mut namespaces = inside();
    assert!(namespaces.show_out("/", 0));
    assert!(!namespaces.show_out("/", 0));
    assert_eq!(hear(&mut namespaces, r#"2["a"]"#).as_deref(), Ok("nothing"));
    assert_eq!(hear(&mut namespaces, "30[]").as_deref(), Ok("nothing"));
    assert_eq!(hear(&mut namespaces, "0").as_deref(), Ok("enter -"), "it may ask again");
    assert!(namespaces.let_in("/"));
}

#[test]
fn who_changes_its_mind_is_not_let_in() {
    let mut namespaces = Namespaces::new(0);
    assert!(hear(&mut namespaces, "0").is_ok());
    assert_eq!(hear(&mut namespaces, "1").as_deref(), Ok("left"));
    assert!(!namespaces.let_in("/"));
    assert!(!namespaces.turn_away("/", 0));
    assert!(!inside().turn_away("/", 0), "who is in is not turned away");
}

#[test]
fn a_connection_without_a_namespace_ends_in_time() {
    let mut namespaces = Namespaces::new(5);
    assert_eq!(namespaces.deadline(), Some(5 + limits::CONNECT_TIME));
    assert!(hear(&mut namespaces, "0").is_ok());
    assert_eq!(namespaces.deadline(), None);
    assert!(namespaces.turn_away("/", 70));
    assert_eq!(namespaces.deadline(), Some(70 + limits::CONNECT_TIME));
    let mut namespaces = inside();
    assert_eq!(namespaces.deadline(), None);
    assert!(namespaces.show_out("/", 90));
    assert_eq!(namespaces.deadline(), Some(90 + limits::CONNECT_TIME));
}

#[test]
fn a_connection_has_so_many_namespaces() {
    let mut namespaces = Namespaces::new(0);
    for place in 0..limits::NAMESPACES_PER_CONNECTION {
        assert_eq!(hear(&mut namespaces, &format!("0/n{place}")).as_deref(), Ok("enter -"));
        assert!(namespaces.let_in(&format!("/n{place}")));
    }
    assert_eq!(hear(&mut namespaces, "0/more").as_deref(), Ok("too many"));
    assert_eq!(hear(&mut namespaces, r#"2/more,["a"]"#), Err(Fault::NotEntered));
    assert!(namespaces.show_out("/n3", 0));
    assert_eq!(hear(&mut namespaces, "0/more").as_deref(), Ok("enter -"), "who was shown out makes room");
}

#[test]
fn what_a_client_shows_is_read_beside_what_is_the_applications() {
    let text = |text: &str| Some(Cow::Owned::<str>(text.to_owned()));
    let shown =
        Shown::read(Some(r#"{"app":{"token":"no"},"token":"t\u0031","pid":"P","offset":"0-1","pid2":1}"#));
    assert_eq!(shown, Shown { token: text("t1"), pid: text("P"), offset: text("0-1") });
    for nothing in [None, Some("{}"), Some(r#"{"token":7,"pid":null,"offset":["x"]}"#)] {
        assert_eq!(Shown::read(nothing), Shown::default(), "{nothing:?}");
    }
    let twice = Shown::read(Some(r#"{"token":"a","token":"b"}"#));
    assert_eq!(twice.token, text("b"));
    let last = Shown::read(Some(r#"{"token":"a","token":{"b":1},"pid":"P"}"#));
    assert_eq!((last.token, last.pid), (None, text("P")));
    for (length, read) in [(limits::TOKEN, true), (limits::TOKEN + 1, false)] {
        let data = format!(r#"{{"token":"{}"}}"#, "x".repeat(length));
        assert_eq!(Shown::read(Some(&data)).token.is_some(), read);
    }
}

/// One argument more is a `TypeError` in a function of Python that takes one.
#[test]
fn only_who_can_take_one_argument_more_gets_it() {
    let origin = Some("http://localhost:3000");
    for (agent, origin, expected) in [
        (Some("Mozilla/5.0 (X11; Linux x86_64)"), origin, true),
        (Some("node-XMLHttpRequest"), None, true),
        // Node's WebSocket says nothing at all, Python's only where it comes from.
        (None, None, true),
        (None, origin, false),
        (Some("Python/3.12 aiohttp/3.9.5"), None, false),
        (Some("python-requests/2.32.3"), None, false),
        (Some("okhttp/4.12.0"), None, true),
    ] {
        let program = Program { agent, origin, wish: None };
        assert_eq!(program.takes_offsets(false), expected, "{agent:?} {origin:?}");
        assert!(program.takes_offsets(true), "who shows an offset had one");
        for wish in [true, false] {
            assert_eq!(Program { wish: Some(wish), ..program }.takes_offsets(true), wish);
        }
    }
}

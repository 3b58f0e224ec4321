//! Laravel Echo's connector: what it asks, and what it listens to.

use deskbell_core::event::{Data, Form};
use deskbell_core::refusal::Code;
use deskbell_wire::socketio::echo::{self, Asked};
use deskbell_wire::socketio::{Said, read};

fn asks(message: &str) -> Option<Result<String, Code>> {
    let Said::Event { name, args, .. } = read(message).unwrap().said else { panic!("{message}") };
    let asked = echo::read(&name, args)?;
    Some(asked.map_err(|refusal| refusal.code).map(|asked| match asked {
        Asked::Subscribe { channel, headers } => format!("subscribe {channel} {}", headers.unwrap_or("-")),
        Asked::Unsubscribe { channel } => format!("unsubscribe {channel}"),
        Asked::Whisper { channel, event, data } => format!("whisper {channel} {event} {data}"),
    }))
}

#[test]
fn a_connector_asks_by_events() {
    for (message, expected) in [
        (r#"2["subscribe",{"channel":"orders","auth":{}}]"#, "subscribe orders -"),
        (
            r#"2["subscribe",{"channel":"private-a","auth":{"headers":{"X-CSRF-TOKEN":"t"}}}]"#,
            r#"subscribe private-a {"X-CSRF-TOKEN":"t"}"#,
        ),
        (r#"2["subscribe",{"channel":"orders","auth":null,"more":[1]}]"#, "subscribe orders -"),
        (r#"2["unsubscribe",{"channel":"orders","auth":{}}]"#, "unsubscribe orders"),
        (
            r#"2["client event",{"channel":"private-a","event":"client-typing","data":{"n": 1.0}}]"#,
            r#"whisper private-a client-typing {"n": 1.0}"#,
        ),
        (
            r#"2["client event",{"channel":"private-a","event":"client-x"}]"#,
            "whisper private-a client-x null",
        ),
    ] {
        assert_eq!(asks(message), Some(Ok(expected.to_owned())));
    }
    assert_eq!(asks(r#"2["orders",{"channel":"a"}]"#), None);
}

#[test]
fn what_is_wrong_is_refused_and_not_passed_on() {
    for (message, code) in [
        (r#"2["subscribe"]"#, Code::BadField),
        (r#"2["subscribe","orders"]"#, Code::BadField),
        (r#"2["subscribe",{}]"#, Code::BadField),
        (r#"2["subscribe",{"channel":7}]"#, Code::BadField),
        (r#"2["unsubscribe",{"channel":null}]"#, Code::BadField),
        (r#"2["client event",{"channel":"a"}]"#, Code::BadField),
        (r#"2["client event",{"channel":"a","event":"App\\Events\\Paid"}]"#, Code::BadName),
        (r#"2["client event",{"channel":"a","event":"disconnect"}]"#, Code::BadName),
    ] {
        assert_eq!(asks(message), Some(Err(code)), "{message}");
    }
}

#[test]
fn an_event_has_its_channel_before_its_data() {
    for (form, bytes, expected) in [
        (Form::Json, r#"{"id":1}"#, r#"42["App\\Events\\Paid","orders",{"id":1}]"#),
        (Form::Text, "a\"b", r#"42["App\\Events\\Paid","orders","a\"b"]"#),
        (Form::Args, "[1,2]", r#"42["App\\Events\\Paid","orders",[1,2]]"#),
    ] {
        let data = Data { form, bytes: bytes.to_owned().into() };
        let prepared = echo::event("orders", "App\\Events\\Paid", &data, None).unwrap();
        assert_eq!(std::str::from_utf8(prepared.packet()), Ok(expected));
    }
    assert_eq!(echo::event("orders", "connect", &Data::json("1"), None), None);
}

#[test]
fn presence_and_refusals_are_events() {
    let said = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    };
    let member = r#"{"user_id":7,"user_info":{}}"#;
    assert_eq!(
        said(&|out| echo::here("presence-a", &format!("[{member}]"), out)),
        format!(r#"42["presence:subscribed","presence-a",[{member}]]"#)
    );
    assert_eq!(
        said(&|out| echo::joining("presence-a", member, out)),
        format!(r#"42["presence:joining","presence-a",{member}]"#)
    );
    assert_eq!(
        said(&|out| echo::leaving("presence-a", member, out)),
        format!(r#"42["presence:leaving","presence-a",{member}]"#)
    );
    assert_eq!(
        said(&|out| echo::refused("private-a", 403, out)),
        r#"42["subscription_error","private-a",403]"#
    );
}

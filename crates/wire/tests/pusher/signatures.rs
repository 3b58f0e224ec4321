//! Every signature that Pusher's documents print, and what must not pass for one.

use deskbell_wire::pusher::proof::App;
use deskbell_wire::signature::{Request, verify};

const APP: App<'static> = App { key: "278d425bdf160c739803", secret: b"7ad3773142a6692b25b8" };

/// As the documents write a member. Another member's signature stands beside it in one of them by mistake.
const CHANNELS: &str = r#"{"user_id":10,"user_info":{"name":"Mr. Channels"}}"#;
const PUSHER: &str = r#"{"user_id":10,"user_info":{"name":"Mr. Pusher"}}"#;

#[test]
fn the_known_signatures_are_made_and_taken() {
    for (channel, data, signature) in [
        ("private-foobar", None, "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"),
        (
            "presence-foobar",
            Some(CHANNELS),
            "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
        ),
        ("presence-foobar", Some(PUSHER), "afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c"),
    ] {
        let token = format!("278d425bdf160c739803:{signature}");
        assert_eq!(APP.sign_channel("1234.1234", channel, data), token);
        assert!(APP.channel(&token, "1234.1234", channel, data).is_ok(), "{channel}");
    }
    let user = r#"{"id":"12345"}"#;
    let token = "278d425bdf160c739803:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba";
    assert_eq!(APP.sign_user("1234.1234", user), token);
    assert!(APP.user(token, "1234.1234", user).is_ok());
}

#[test]
fn a_request_that_the_documents_sign_is_taken_within_ten_minutes() {
    let body = br#"{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}"#;
    let query = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0\
                 &body_md5=ec365a775a4cd0599faeb73354201b6f\
                 &auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c";
    let request = Request { method: "POST", path: "/apps/3/events", query, body };
    let at = |seconds: u64| verify(&request, APP.key, APP.secret, seconds * 1_000);
    assert!(at(1_353_088_179).is_ok());
    assert!(at(1_353_088_179 + 600).is_ok() && at(1_353_088_179 - 600).is_ok());
    let late = at(1_353_088_179 + 601).unwrap_err();
    assert!(late.message.contains("1353088780"), "the server's clock stands in it: {late}");
    let other = Request { body: b"{}", ..request };
    assert!(verify(&other, APP.key, APP.secret, 1_353_088_179_000).is_err());
}

#[test]
fn data_is_signed_as_the_bytes_that_came() {
    for data in [
        // PHP escapes slashes, Python puts blanks behind colons and commas, Go sorts keys.
        r#"{"user_id":"7","user_info":{"url":"https:\/\/a.b\/c"}}"#,
        r#"{"user_id": "7", "user_info": {"name": "Ann"}}"#,
        r#"{"user_info":{"a":1,"b":2},"user_id":"7"}"#,
        r#"{"user_id":"7","user_info":{"name":"Gr\u00fc\u00dfe"}}"#,
    ] {
        let token = APP.sign_channel("1.2", "presence-a", Some(data));
        assert!(APP.channel(&token, "1.2", "presence-a", Some(data)).is_ok(), "{data}");
        let again: serde_json::Value = serde_json::from_str(data).unwrap();
        let rewritten = again.to_string();
        assert_ne!(rewritten, data);
        assert!(APP.channel(&token, "1.2", "presence-a", Some(&rewritten)).is_err(), "{data}");
    }
}

#[test]
fn what_is_signed_for_one_thing_is_good_for_no_other() {
    let data = r#"{"user_id":"7"}"#;
    let token = APP.sign_channel("1.2", "private-a", Some(data));
    assert!(APP.channel(&token, "1.2", "private-a", Some(data)).is_ok());
    for (socket, channel, data) in [
        ("1.3", "private-a", Some(data)),
        ("1.2", "private-b", Some(data)),
        ("1.2", "private-a", None),
        ("1.2", "private-a", Some(r#"{"user_id":"8"}"#)),
    ] {
        assert!(APP.channel(&token, socket, channel, data).is_err(), "{socket} {channel} {data:?}");
    }
    let signature = token.split_once(':').unwrap().1;
    for bad in [
        signature,
        "",
        ":",
        "278d425bdf160c739803:",
        &format!("other:{signature}"),
        &token[..token.len() - 1],
    ] {
        assert!(APP.channel(bad, "1.2", "private-a", Some(data)).is_err(), "{bad}");
    }
    assert!(APP.user(&token, "1.2", data).is_err());
    let other = App { key: APP.key, secret: b"another secret" };
    assert!(other.channel(&token, "1.2", "private-a", Some(data)).is_err());
}

#[test]
fn a_bare_signature_covers_the_channel_alone() {
    let token = APP.sign_channel("1.2", "private-a", None);
    let bare = token.split_once(':').unwrap().1;
    assert!(APP.bare(bare, "1.2", "private-a").is_ok());
    assert!(APP.bare(bare, "1.2", "private-b").is_err());
    assert!(APP.bare(&token, "1.2", "private-a").is_err());
}

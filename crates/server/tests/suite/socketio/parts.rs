//! One event that a namespace is told as several packets: whoever is cut off between two gets the others, once.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Client;
use crate::harness::{Server, Start};

/// A site that shows one event of a deal as three, of its memory as well as of the ledger.
fn table(names: &[&str]) -> String {
    let mut config = String::new();
    for from in ["deal", "user"] {
        for name in names {
            let _ = write!(
                config,
                "[[projections]]\ndialect = \"socketio\"\nchannel = \"{from}s_{{id}}\"\nfrom = \"{from}:{{id}}\"\n\
                 event = \"deal.*\"\nname = \"{name}\"\ndata = '{{\"n\":\"$n\",\"as\":\"{name}\"}}'\n"
            );
        }
    }
    config
}

const THREE: [&str; 3] = ["first", "second", "third"];

fn start(names: &[&str]) -> Server {
    let config = format!(
        "[socketio]\nnamespaces = [\"/\", \"/chat\"]\nplain_namespaces = [\"/\", \"/chat\"]\n{}",
        table(names)
    );
    Server::start(Start::with(&config).flag("--dev"))
}

fn deal(server: &Server, from: &str, n: u64) {
    server.publish(&json!({"channel": format!("{from}:1"), "name": "deal.made", "data": {"n": n}}));
}

/// The next packets, as the name of each and the number of its event.
fn told(client: &mut Client, namespace: &str, count: usize) -> Vec<(String, u64)> {
    let one = |_| {
        let (name, data) = client.event_in(namespace);
        assert_eq!(data["as"], json!(name));
        (name, data["n"].as_u64().unwrap())
    };
    (0..count).map(one).collect()
}

fn all(names: &[&str], n: u64) -> Vec<(String, u64)> {
    names.iter().map(|name| ((*name).to_owned(), n)).collect()
}

#[test]
fn whoever_is_cut_between_packets_of_one_event_gets_the_others_once() {
    let server = start(&THREE);
    for from in ["deal", "user"] {
        for had in 1..=THREE.len() {
            let mut client = Client::connect(&server);
            let pid = client.pid();
            client.join(&format!("{from}s_1"));
            deal(&server, from, 1);
            deal(&server, from, 2);
            assert_eq!(told(&mut client, "/", 3), all(&THREE, 1));
            assert_eq!(told(&mut client, "/", had), all(&THREE[..had], 2));
            let offset = client.cut();
            deal(&server, from, 3);
            let mut client = Client::back(&server, &pid, offset.as_deref());
            assert_eq!(client.pid(), pid, "{from} after {had}");
            assert_eq!(told(&mut client, "/", 3 - had), all(&THREE[had..], 2), "{from} after {had}");
            assert_eq!(told(&mut client, "/", 3), all(&THREE, 3), "{from} after {had}");
            client.expect_nothing();
        }
    }
}

#[test]
fn whoever_is_cut_again_in_what_it_catches_up_with_goes_on_there() {
    let server = start(&THREE);
    for from in ["deal", "user"] {
        let mut client = Client::connect(&server);
        let pid = client.pid();
        client.join(&format!("{from}s_1"));
        let mut heard = Vec::new();
        for n in 0..4 {
            deal(&server, from, n);
        }
        for _ in 0..12 {
            heard.extend(told(&mut client, "/", 1));
            let offset = client.cut();
            client = Client::back(&server, &pid, offset.as_deref());
            assert_eq!(client.pid(), pid, "{from} after {heard:?}");
        }
        client.expect_nothing();
        assert_eq!(heard, (0..4).flat_map(|n| all(&THREE, n)).collect::<Vec<_>>(), "{from}");
    }
}

#[test]
fn a_restart_between_packets_of_one_event_takes_none_of_them() {
    for from in ["deal", "user"] {
        for had in [1, 2] {
            let server = start(&THREE);
            let mut client = Client::connect(&server);
            let pid = client.pid();
            client.join(&format!("{from}s_1"));
            deal(&server, from, 1);
            assert_eq!(told(&mut client, "/", had), all(&THREE[..had], 1));
            let offset = client.offset.clone();
            let server = server.stop_and_restart();
            let mut client = Client::back(&server, &pid, offset.as_deref());
            assert_eq!(client.pid(), pid, "{from} after {had}");
            assert_eq!(told(&mut client, "/", 3 - had), all(&THREE[had..], 1), "{from} after {had}");
            // What is read from the disk has places between its packets, too.
            deal(&server, from, 2);
            assert_eq!(told(&mut client, "/", had), all(&THREE[..had], 2), "{from} after {had}");
            let offset = client.cut();
            let mut client = Client::back(&server, &pid, offset.as_deref());
            assert_eq!(told(&mut client, "/", 3 - had), all(&THREE[had..], 2), "{from} after {had}");
            client.expect_nothing();
        }
    }
}

/// Every packet of what lies on the disk alone is one that a client may be cut behind.
#[test]
fn what_is_read_from_the_disk_is_told_once_over_every_cut() {
    let server = start(&THREE);
    let mut client = Client::connect(&server);
    let pid = client.pid();
    client.join("users_1");
    deal(&server, "user", 0);
    assert_eq!(told(&mut client, "/", 1), all(&THREE[..1], 0));
    let mut offset = client.offset.clone();
    deal(&server, "user", 1);
    let server = server.stop_and_restart();
    let mut heard = all(&THREE[..1], 0);
    while heard.len() < 6 {
        let mut client = Client::back(&server, &pid, offset.as_deref());
        assert_eq!(client.pid(), pid, "after {heard:?}");
        heard.extend(told(&mut client, "/", 1));
        offset = client.cut();
    }
    assert_eq!(heard, (0..2).flat_map(|n| all(&THREE, n)).collect::<Vec<_>>());
    Client::back(&server, &pid, offset.as_deref()).expect_nothing();
}

#[test]
fn where_the_rules_have_become_others_nothing_is_lost_or_told_twice() {
    let others: [(&[&str], Option<&[&str]>); 4] = [
        (&["second", "first", "third"], None),
        (&["third"], None),
        (&[], None),
        (&["first", "second", "fourth"], Some(&["second", "fourth"])),
    ];
    for from in ["deal", "user"] {
        for (names, rest) in others {
            let mut server = start(&THREE);
            let mut client = Client::connect(&server);
            let pid = client.pid();
            client.join(&format!("{from}s_1"));
            deal(&server, from, 1);
            assert_eq!(told(&mut client, "/", 1), all(&THREE[..1], 1));
            let offset = client.cut();
            server.reload(&format!(
                "[socketio]\nnamespaces = [\"/\", \"/chat\"]\nplain_namespaces = [\"/\", \"/chat\"]\n{}",
                table(names)
            ));
            deal(&server, from, 2);
            let mut client = Client::back(&server, &pid, offset.as_deref());
            if let Some(rest) = rest {
                assert_eq!(client.pid(), pid);
                assert_eq!(told(&mut client, "/", 2), all(rest, 1), "{from} {names:?}");
                assert_eq!(told(&mut client, "/", 3), all(names, 2), "{from} {names:?}");
                continue;
            }
            // It hears of nothing until it comes as somebody new.
            assert!(matches!(client.next(), super::Got::Closed(..)), "{from} {names:?}");
            let mut client = Client::back(&server, &pid, offset.as_deref());
            assert_ne!(client.pid(), pid, "{from} {names:?}");
            client.expect_nothing();
        }
    }
}

/// Each namespace has a place of its own, and what one has had is still owed to the other.
#[test]
fn two_namespaces_that_are_told_of_one_event_each_get_all_of_it() {
    let server = start(&THREE);
    for from in ["deal", "user"] {
        for had in 0..=6 {
            let mut client = Client::connect(&server);
            let mut pids =
                [client.pid(), client.enter("/chat", &json!({}))["pid"].as_str().unwrap().to_owned()];
            let room = json!(format!("{from}s_1"));
            for namespace in ["/", "/chat"] {
                assert_eq!(client.ask_in(namespace, "join_room", &room), json!({"success": true}));
            }
            deal(&server, from, 1);
            let (root, chat) = (had.min(3), had - had.min(3));
            let mut offsets: [Option<String>; 2] = [None, None];
            assert_eq!(told(&mut client, "/", root), all(&THREE[..root], 1));
            offsets[0] = client.offset.take();
            assert_eq!(told(&mut client, "/chat", chat), all(&THREE[..chat], 1));
            offsets[1] = client.offset.take();
            client.cut();
            let mut client = Client::back(&server, &pids[0], offsets[0].as_deref());
            assert_eq!(client.pid(), pids[0], "{from} after {had}");
            let mut auth = json!({ "pid": pids[1] });
            if let Some(offset) = offsets[1].take() {
                auth["offset"] = Value::from(offset);
            }
            assert_eq!(told(&mut client, "/", 3 - root), all(&THREE[root..], 1), "{from} after {had}");
            pids[0] = client.enter("/chat", &auth)["pid"].as_str().unwrap().to_owned();
            assert_eq!(pids[0], pids[1], "{from} after {had}");
            assert_eq!(told(&mut client, "/chat", 3 - chat), all(&THREE[chat..], 1), "{from} after {had}");
            deal(&server, from, 2);
            assert_eq!(told(&mut client, "/", 3), all(&THREE, 2), "{from} after {had}");
            assert_eq!(told(&mut client, "/chat", 3), all(&THREE, 2), "{from} after {had}");
            client.expect_nothing();
        }
    }
}

#[test]
fn an_event_of_one_packet_says_no_more_than_it_did() {
    let server = start(&THREE[..1]);
    let mut client = Client::connect(&server);
    client.join("deals_1");
    client.join("lobby");
    deal(&server, "deal", 1);
    assert_eq!(told(&mut client, "/", 1), all(&THREE[..1], 1));
    let own = client.offset.take().unwrap();
    server.send("lobby", 1);
    client.event();
    assert_eq!(own.len(), client.offset.take().unwrap().len());
    let mut spared = Client::open(&server, "&recovery=off", &[]);
    spared.enter("/", &json!({}));
    spared.join("deals_1");
    deal(&server, "deal", 2);
    let said: Value = serde_json::from_str(spared.text().strip_prefix("42").unwrap()).unwrap();
    assert_eq!(said, json!(["first", {"n": 2, "as": "first"}]));
}

/// What an id says of another event holds for those of the ledger alone.
#[test]
fn events_whose_publisher_numbered_them_are_all_told_after_a_cut() {
    let server = start(&THREE[..1]);
    for from in ["deal", "user"] {
        let mut client = Client::connect(&server);
        let pid = client.pid();
        client.join(&format!("{from}s_1"));
        client.cut();
        for n in 1..4 {
            let event = json!({"channel": format!("{from}:1"), "name": "deal.made", "data": {"n": n}, "id": format!("{from}.{n}")});
            server.publish(&event);
        }
        let mut client = Client::back(&server, &pid, None);
        let numbers: Vec<u64> = told(&mut client, "/", 3).into_iter().map(|(_, n)| n).collect();
        assert_eq!(numbers, [1, 2, 3], "{from}");
    }
}

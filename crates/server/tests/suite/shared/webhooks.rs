//! Webhooks where several servers share a ledger: one of them sends, and another takes over.

use super::*;

const QUICK: &str = "first_wait = \"20ms\"\nlongest_wait = \"80ms\"\npatience = \"1h\"\n";

fn config(url: &str) -> String {
    format!(
        "{UNBOUND}[[webhooks]]\nname = \"shop\"\nurl = \"{url}\"\nsecret = \"a secret for a receiver\"\n{QUICK}"
    )
}

/// Books a time of its own; gives the booking's id.
fn book(server: &Server, nth: u64) -> String {
    let answer = server.api("POST", "/v1/bookings", Some(&json!({"claims": [slot(nth)], "holder": "ann"})));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["reservation"]["id"].as_str().unwrap().to_owned()
}

fn shown(server: &Server) -> Value {
    server.api("GET", "/v1/webhooks", None).json()["webhooks"][0].clone()
}

/// Which of them sends: it alone has an answer to show, once something arrived.
fn sends(server: &Server) -> bool {
    shown(server)["delivered_at"].is_u64()
}

#[test]
fn one_of_two_servers_sends_and_the_other_takes_over_when_it_dies() {
    let database = shared().database();
    let receiver = Receiver::start();
    let start = |()| Server::start(start_on(&database.url(), &config(&receiver.url())));
    let mut servers: Vec<Server> = [(), ()].map(start).into();
    make_room(&servers[0]);
    eventually("one of them has the lease", || {
        database.run("SELECT count(*) FROM deskbell.endpoints") == ["1"]
    });
    let (mut booked, mut before) = (0, Vec::new());
    for round in 0..3 {
        let mut expected = Vec::new();
        for _ in 0..6 {
            expected.push(book(&servers[booked as usize % 2], booked));
            booked += 1;
        }
        // What the dead one had sent and had not noted comes once more, and may come late.
        let (mut told, mut known) = (Vec::new(), before.clone());
        while told.len() < expected.len() {
            let one = receiver.next().about();
            if known.contains(&one) {
                assert!(before.contains(&one), "{one} is sent once");
            } else {
                known.push(one.clone());
                told.push(one);
            }
        }
        told.sort();
        before.extend(expected.clone());
        expected.sort();
        assert_eq!(told, expected, "each is sent, whoever was asked");
        eventually("one of them sends", || servers.iter().any(sends));
        assert!(!servers.iter().all(sends), "only one of them sends");
        if round < 2 {
            let sender = servers.iter().position(sends).unwrap();
            drop(servers.remove(sender));
            // What is booked while nobody sends waits for whoever takes over.
            let waiting = book(&servers[0], booked);
            booked += 1;
            while receiver.next().about() != waiting {}
            before.push(waiting);
            servers.push(start(()));
        }
    }
}

#[test]
fn a_webhook_is_switched_at_whichever_server_is_asked() {
    let database = shared().database();
    let receiver = Receiver::start();
    let servers = [(); 2].map(|()| Server::start(start_on(&database.url(), &config(&receiver.url()))));
    make_room(&servers[0]);
    eventually("one of them has the lease", || {
        database.run("SELECT count(*) FROM deskbell.endpoints") == ["1"]
    });
    let first = book(&servers[0], 0);
    assert_eq!(receiver.next().about(), first);
    for (nth, server) in servers.iter().enumerate() {
        let switched = server.api("POST", "/v1/webhooks/shop/disable", None);
        assert_eq!(switched.status, 200, "{switched:?}");
        eventually("both know that it is off", || {
            servers.iter().all(|server| shown(server)["off"].is_string())
        });
        let waiting = book(server, 1 + nth as u64);
        assert!(receiver.pending().is_empty(), "it rests");
        let other = &servers[1 - nth];
        assert_eq!(other.api("POST", "/v1/webhooks/shop/enable", None).status, 200);
        assert_eq!(receiver.next().about(), waiting);
        eventually("both know that it is on", || servers.iter().all(|server| shown(server)["off"].is_null()));
    }
    assert!(receiver.pending().is_empty(), "each was told once");
}

//! Holds that end with their holder's last connection, wherever that is.

use super::*;

const SHORT: &str = "[holds]\ngrace = \"1s\"\n";

fn tab(server: &Server, cookie: &str) -> Ws {
    Ws::open_with(server, "/v1/ws", &[("Cookie", cookie)]).unwrap()
}

fn state(server: &Server, hold: &Value) -> Value {
    let path = format!("/v1/holds/{}", hold["id"].as_str().unwrap());
    server.api("GET", &path, None).json()["reservation"]["state"].clone()
}

#[test]
fn who_is_connected_to_another_server_has_not_departed() {
    let database = shared().database();
    let [one, other] = [(); 2].map(|()| Server::start(start_on(&database.url(), SHORT)));
    make_room(&one);
    let mut first = one.ws();
    let cookie = first.cookie().unwrap();
    let kept = first.ask(json!({"type": "hold", "claims": [slot(0)]}))["reservation"].clone();
    assert_eq!(kept["state"], "held", "{kept}");
    let second = tab(&other, &cookie);
    // The other server tells that it has somebody with a hold, before the first one looks for it.
    eventually("the other server says so", || {
        database.run("SELECT count(*) FROM deskbell.attendance WHERE until > deskbell.now_ms()") == ["2"]
    });
    first.close();
    // Somebody who departs later is looked at later; the first one has been looked at by then.
    let mut gone = one.ws();
    let lost = gone.ask(json!({"type": "hold", "claims": [slot(1)]}))["reservation"].clone();
    gone.close();
    eventually("whoever is nowhere has lost it", || state(&one, &lost) == "released");
    assert_eq!(state(&one, &kept), "held", "a connection to the other server keeps it");
    second.close();
    eventually("whoever has left both has lost it", || state(&one, &kept) == "released");
}

#[test]
fn a_server_that_dies_keeps_nobody_for_longer_than_its_lease() {
    let database = shared().database();
    let [one, other] = [(); 2].map(|()| Server::start(start_on(&database.url(), SHORT)));
    make_room(&one);
    let mut ws = other.ws();
    let held = ws.ask(json!({"type": "hold", "claims": [slot(0)]}))["reservation"].clone();
    eventually("its server says that it is there", || {
        database.run("SELECT count(*) FROM deskbell.attendance") == ["1"]
    });
    drop(other);
    // Nobody but the first server is left, which never saw the holder.
    eventually("the first server finds the lease over", || {
        database.run("SELECT count(*) FROM deskbell.attendance") == ["0"]
    });
    eventually("the hold ends with the grace", || state(&one, &held) == "released");
}

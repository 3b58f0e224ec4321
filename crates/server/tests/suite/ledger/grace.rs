//! Holds that were made over a connection, and the grace of their holder.

use super::*;

const SHORT: &str = "[holds]\ngrace = \"1s\"\n";

/// A socket of the visitor whom a cookie names.
fn tab(world: &World, cookie: &str) -> Ws {
    Ws::open_with(&world.server, "/v1/ws", &[("Cookie", cookie)]).unwrap()
}

fn mine(world: &World, cookie: &str) -> Value {
    let listed = request(&world.server, "GET", "/v1/holds", &[("Cookie", cookie)], None).json();
    listed["reservations"].clone()
}

/// Somebody else watches what becomes of a hold.
fn watcher(world: &World, hold: &Value) -> Ws {
    let mut ws = world.server.ws();
    ws.subscribe(&format!("booking:{}", hold["id"].as_str().unwrap()));
    ws
}

#[test]
fn a_reload_inside_the_grace_finds_the_same_hold_and_a_second_tab_may_close() {
    let world = World::start("");
    world.resource("dr-7", json!({}));
    let mut first = world.server.ws();
    let cookie = first.cookie().unwrap();
    let hold = first.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["reservation"].clone();
    tab(&world, &cookie).close();
    first.close();
    let mut again = tab(&world, &cookie);
    let back = again.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["reservation"].clone();
    for member in ["id", "fence", "expires_at", "version"] {
        assert_eq!(hold[member], back[member], "{member}: {back}");
    }
    world.finish();
}

#[test]
fn without_any_connection_for_the_grace_the_hold_is_released() {
    let world = World::start(SHORT);
    world.resource("dr-7", json!({}));
    let mut ws = world.server.ws();
    let cookie = ws.cookie().unwrap();
    let hold = ws.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["reservation"].clone();
    // The same visitor's hold over HTTP is tied to no connection.
    let body = json!({"claims": claim("dr-7", 700, 760)}).to_string();
    let free = request(&world.server, "POST", "/v1/holds", &[("Cookie", &cookie)], Some(&body)).json();
    let mut watch = watcher(&world, &hold);
    ws.cut();
    assert_eq!(watch.expect("event")["name"], "hold.released");
    let left = mine(&world, &cookie);
    assert_eq!(left.as_array().unwrap().len(), 1, "{left}");
    assert_eq!(left[0]["id"], free["reservation"]["id"]);
    world.finish();
}

#[test]
fn a_tab_or_a_stream_that_is_left_keeps_the_hold() {
    let world = World::start(SHORT);
    world.resource("dr-7", json!({}));
    let mut ws = world.server.ws();
    let cookie = ws.cookie().unwrap();
    let hold = ws.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["reservation"].clone();
    // An event stream of the same browser is a connection like any other.
    let mut stream = Conn::open(&world.server);
    stream
        .send(format!("GET /v1/stream?channels=slots:dr-7 HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n"));
    eventually("the stream is counted", || world.server.stats()["connections"].as_u64() >= Some(3));
    let mut watch = watcher(&world, &hold);
    ws.close();
    // A second visitor goes after it and departs: whoever is due by then has been looked at.
    let mut other = world.server.ws();
    let theirs = other.ask(json!({"type": "hold", "claims": claim("dr-7", 700, 760)}))["reservation"].clone();
    let mut gone = watcher(&world, &theirs);
    other.close();
    assert_eq!(gone.expect("event")["name"], "hold.released");
    watch.expect_nothing();
    drop(stream);
    assert_eq!(watch.expect("event")["name"], "hold.released");
    world.finish();
}

#[test]
fn holders_who_do_not_come_back_after_a_restart_lose_their_holds_too() {
    let mut world = World::start(SHORT);
    world.resource("dr-7", json!({}));
    let (mut stays, mut goes) = (world.server.ws(), world.server.ws());
    let cookie = stays.cookie().unwrap();
    let keeps = stays.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}))["reservation"].clone();
    let loses = goes.ask(json!({"type": "hold", "claims": claim("dr-7", 700, 760)}))["reservation"].clone();
    world = world.crash_and_restart();
    let _back = tab(&world, &cookie);
    let path = |hold: &Value| format!("/v1/holds/{}", hold["id"].as_str().unwrap());
    let state =
        |hold: &Value| world.server.api("GET", &path(hold), None).json()["reservation"]["state"].clone();
    eventually("the one who stayed away has lost it", || state(&loses) == "released");
    assert_eq!(state(&keeps), "held");
}

#[test]
fn holds_are_kept_where_the_configuration_says_so() {
    let world = World::start("[holds]\ngrace = \"0s\"\non_disconnect = \"keep\"\n");
    world.resource("dr-7", json!({}));
    let mut ws = world.server.ws();
    let cookie = ws.cookie().unwrap();
    ws.ask(json!({"type": "hold", "claims": claim("dr-7", 600, 660)}));
    ws.close();
    // Whatever follows a departure would have been decided before this.
    world.held("anna", claim("dr-7", 700, 760));
    assert_eq!(mine(&world, &cookie)[0]["state"], "held");
    world.finish();
}

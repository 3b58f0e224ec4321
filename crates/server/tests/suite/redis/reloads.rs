//! SIGHUP changes what is heard, and what it does not change it does not disturb.

use super::{Redis, Server, Start, heard, server, shown, take};
use crate::harness::eventually;
use crate::json;

#[test]
fn other_channels_are_taken_up_on_the_same_connection() {
    let redis = Redis::start();
    let mut server = server(&redis, "");
    let mut ws = server.ws();
    ws.subscribe("lobby");
    redis.broadcast("lobby", 1);
    take(&mut server, &format!("{}redis.channels = [\"clinic_database_*\"]\n", redis.config()));
    server.line_with("other channels of Redis");
    eventually("the old prefix is heard no longer", || redis.publish("laravel_database_lobby", "") == 0);
    assert_eq!(redis.publish("clinic_database_lobby", r#"{"event":"e","data":2}"#), 1);
    // A reload that changes nothing of it does not touch it.
    server.reload(&format!(
        "{}redis.channels = [\"clinic_database_*\"]\nlog.level = \"debug\"\n",
        redis.config()
    ));
    assert_eq!(redis.publish("clinic_database_lobby", r#"{"event":"e","data":3}"#), 1);
    assert_eq!((ws.event(), ws.event(), ws.event()), (json!(1), json!(2), json!(3)));
    assert_eq!(shown(&server)["connections"], 1);
}

#[test]
fn redis_can_be_set_up_and_taken_down() {
    let (first, second) = (Redis::start(), Redis::start());
    let mut server = Server::start(Start::default().flag("--dev"));
    assert_eq!(shown(&server), json!(null));
    take(&mut server, &first.config());
    heard(&mut server);
    take(&mut server, &second.config());
    heard(&mut server);
    eventually("the first is left", || first.publish("laravel_database_lobby", "") == 0);
    second.broadcast("lobby", 1);
    let metrics = server.api("GET", "/metrics", None).text();
    assert!(metrics.contains(&format!("redis=\"127.0.0.1:{}\"}} 1", second.port)), "{metrics}");
    assert!(!metrics.contains(&format!("redis=\"127.0.0.1:{}\"", first.port)), "{metrics}");
    server.reload("");
    eventually("the second is left", || second.publish("laravel_database_lobby", "") == 0);
    assert_eq!(shown(&server), json!(null));
}

#[test]
fn what_is_wrong_with_it_changes_nothing() {
    let redis = Redis::start();
    let mut server = server(&redis, "");
    for (wrong, word) in [
        ("redis.channels = [\"a*b*\"]", "redis.channels"),
        ("redis.channels = [\"a\"]", "put a * behind the prefix"),
        ("redis.channels = [\"a*\", \"a*\"]", "stands above already"),
        ("redis.channels = []", "has 0 rows"),
        ("redis.channels = [{ pattern = \"a*\", app = 7 }]", "names the app 7"),
        ("redis.channels = [{ pattern = \"a*\", kind = \"other\" }]", "write laravel"),
        ("redis.tls = true\nredis.ca_file = \"/nowhere.pem\"", "cannot be read"),
    ] {
        server.configure(&format!("{}{wrong}\n", redis.config()));
        server.signal("HUP");
        server.line_with("the configuration was not reloaded");
        // What is wrong may stand in the lines behind that one.
        eventually(word, || server.logged().iter().any(|line| line.contains(word)));
    }
    server.configure("redis.host = \"redis://127.0.0.1\"\n");
    server.signal("HUP");
    assert!(server.line_with("the configuration was not reloaded").contains("without scheme and port"));
    redis.broadcast("lobby", 1);
    assert_eq!(shown(&server)["connections"], 1);
}

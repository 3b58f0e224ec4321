//! What the site publishes through Redis.

use super::*;

fn on_redis(redis: &Redis) -> Server {
    let env = [("REDIS_HOST", "127.0.0.1".to_owned()), ("REDIS_PORT", redis.port.to_string())];
    let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut server = Server::start(Start { env, ..Start::with("portico.relays = true\n") });
    server.line_with("is heard");
    server
}

#[test]
fn everything_reaches_whom_it_is_for() {
    let redis = Redis::start();
    let server = on_redis(&redis);
    let proof = user("bb_7");
    let mut own = Page::open(&server, STRONG);
    let mut other = Page::open(&server, OTHER);
    let mut known = Page::open_at(&server, &format!("/wss?token={proof}"), "");
    own.enter("building", 10);
    let publish = |channel: &str, message: Value| assert_eq!(redis.publish(channel, &message.to_string()), 1);
    publish("notifications", json!({"type": "notification", "message": "all", "data": {}}));
    for page in [&mut own, &mut other, &mut known] {
        let heard = page.expect("notification");
        assert_eq!((&heard["message"], &heard["source"]), (&json!("all"), &json!("redis")));
        assert!(heard["received_at"].is_string());
    }
    let target = |kind: &str, more: Value| {
        let mut message = json!({"type": "notification", "message": kind, "target": kind});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    publish("notifications", target("entity", json!({"entityType": "building", "entityId": 10})));
    assert_eq!(own.expect("notification")["roomId"], "entity_building_10");
    publish("notifications", target("session", json!({"sessionId": STRONG})));
    assert_eq!(own.expect("notification")["roomId"], format!("session_{STRONG}"));
    publish("notifications", target("user", json!({"userType": "bb", "identifier": 7})));
    assert_eq!(known.expect("notification")["roomId"], "user_bb_7");
    let targeted = json!({"type": "session_targeted", "sessionId": STRONG, "message": "m", "data": {"type": "server_message", "action": "new"}});
    publish("session_messages", targeted);
    assert_eq!(own.expect("server_message")["action"], "new");
    publish("session_messages", json!({"type": "refresh_bookinguser", "sessionId": STRONG}));
    assert_eq!(own.expect("refresh_bookinguser")["message"], "User data has been updated");
    publish(
        "room_messages",
        json!({"type": "room_message", "roomId": "entity_building_10", "action": "updated"}),
    );
    assert_eq!(own.expect("room_message")["action"], "updated");
    publish("session_messages", json!({"type": "update_partial_applications", "sessionId": STRONG}));
    let pushed = own.expect("partial_applications_response");
    assert_eq!((&pushed["data"]["source"], &pushed["data"]["count"]), (&json!("server_push"), &json!(0)));
    publish("notifications", json!({"type": "cache_invalidation", "queryKeys": [["searchData"]]}));
    for page in [&mut own, &mut other, &mut known] {
        page.expect("cache_invalidation");
        page.expect_nothing();
    }
    // What is none is counted, and nothing else.
    publish("session_messages", json!({"type": "session_targeted"}));
    publish("notifications", json!([1]));
    eventually("both are counted", || {
        let refused = server.stats()["redis"]["refused"].clone();
        refused["bad_field"] == 1 && refused["bad_message"] == 1
    });
}

#[test]
fn a_page_that_was_away_finds_what_redis_brought() {
    let redis = Redis::start();
    let server = on_redis(&redis);
    Page::open(&server, STRONG).0.close();
    eventually("it has gone", || get(&server, "/health").json()["clients"] == 0);
    let message =
        json!({"type": "notification", "message": "missed", "target": "session", "sessionId": STRONG});
    redis.publish("notifications", &message.to_string());
    eventually("it is in the log", || server.stats()["redis"]["received"] == 1);
    let mut back = Page::open(&server, STRONG);
    assert_eq!(back.expect("notification")["message"], "missed");
}

/// The seed's own lines, run by Debian's Predis.
const PREDIS: &str = r"
require_once '/usr/share/php/Predis/autoload.php';
$redis = new Predis\Client(['scheme' => 'tcp', 'host' => getenv('REDIS_HOST'), 'port' => getenv('REDIS_PORT')]);
$redis->publish('notifications', json_encode(['type' => 'notification', 'message' => 'by Predis',
    'data' => ['id' => 123], 'timestamp' => date('c')]));
$redis->publish('session_messages', json_encode(['type' => 'update_partial_applications',
    'sessionId' => getenv('SESSION'), 'timestamp' => date('c')]));
";

#[test]
fn predis_reaches_a_page() {
    let redis = Redis::start();
    let server = on_redis(&redis);
    let mut page = Page::open(&server, STRONG);
    let php = std::process::Command::new("php")
        .args(["-r", PREDIS])
        .env("REDIS_HOST", "127.0.0.1")
        .env("REDIS_PORT", redis.port.to_string())
        .env("SESSION", STRONG)
        .output()
        .expect("php is installed by the set-up");
    assert!(php.status.success(), "{}", String::from_utf8_lossy(&php.stderr));
    assert_eq!(page.expect("notification")["data"]["id"], 123);
    page.expect("partial_applications_response");
}

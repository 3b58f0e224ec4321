//! Real backends: Debian's Predis, and the `redis` broadcaster of Debian's Laravel.

use std::process::Command;

use super::{Redis, server};
use crate::json;

/// Runs a PHP program that publishes through a Redis.
fn php(redis: &Redis, program: &str) {
    let mut command = Command::new("php");
    command.args(["-d", "error_reporting=E_ALL & ~E_DEPRECATED", "-r", program]);
    command.env("REDIS_HOST", "127.0.0.1").env("REDIS_PORT", redis.port.to_string());
    let ended = command.output().unwrap_or_else(|error| panic!("php: {error}; run setup.sh"));
    let said = [ended.stdout, ended.stderr].concat();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn predis_reaches_a_browser() {
    let redis = Redis::start();
    let server = server(&redis, "");
    let mut ws = server.ws();
    ws.subscribe("lobby");
    php(
        &redis,
        r"
        require 'Predis/autoload.php';
        $redis = new Predis\Client(['host' => getenv('REDIS_HOST'), 'port' => getenv('REDIS_PORT')]);
        $event = ['event' => 'booking created', 'data' => ['id' => 123, 'name' => 'Åse']];
        if ($redis->publish('laravel_database_lobby', json_encode($event)) !== 1) { exit(1); }
        ",
    );
    let event = ws.expect("event");
    assert_eq!(
        (&event["name"], &event["data"]),
        (&json!("booking created"), &json!({"id": 123, "name": "Åse"}))
    );
}

#[test]
fn laravels_own_broadcaster_reaches_a_browser_and_not_its_sender() {
    let redis = Redis::start();
    let server = server(&redis, "");
    let (mut sender, mut other) = (server.ws(), server.ws());
    for ws in [&mut sender, &mut other] {
        ws.subscribe("private-appointments.5");
        ws.subscribe("general");
    }
    let id = sender.welcome["session"].as_str().unwrap().to_owned();
    php(
        &redis,
        &format!(
            r"
            require 'Illuminate/Broadcasting/autoload.php';
            require 'Illuminate/Redis/autoload.php';
            require_once 'Predis/autoload.php';
            $server = ['host' => getenv('REDIS_HOST'), 'port' => getenv('REDIS_PORT')];
            $options = ['options' => ['prefix' => 'laravel_database_'], 'default' => $server];
            $redis = new Illuminate\Redis\RedisManager(null, 'predis', $options);
            $bell = new Illuminate\Broadcasting\Broadcasters\RedisBroadcaster($redis, 'default', 'laravel_database_');
            $channels = [
                new Illuminate\Broadcasting\PrivateChannel('appointments.5'),
                new Illuminate\Broadcasting\Channel('general'),
            ];
            $bell->broadcast($channels, 'App\Events\Moved', ['id' => 5, 'socket' => '{id}']);
            $bell->broadcast($channels, 'appointment-updated', ['id' => 6, 'socket' => null]);
            "
        ),
    );
    for channel in ["private-appointments.5", "general"] {
        let event = other.expect("event");
        assert_eq!((&event["channel"], &event["name"]), (&json!(channel), &json!(r"App\Events\Moved")));
        assert_eq!(event["data"], json!({"id": 5, "socket": id}));
    }
    for ws in [&mut sender, &mut other] {
        for channel in ["private-appointments.5", "general"] {
            let event = ws.expect("event");
            assert_eq!((&event["channel"], &event["data"]["id"]), (&json!(channel), &json!(6)));
        }
    }
}

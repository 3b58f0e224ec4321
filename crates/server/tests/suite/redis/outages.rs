//! Redis goes away and comes back, refuses us, or says nothing any more.

use std::process::Command;

use super::{Redis, Server, Start, heard, server, shown, take};
use crate::harness::{Certificate, SECRET, eventually, get};
use crate::json;

#[test]
fn redis_goes_and_comes_back_and_is_heard_again() {
    let mut redis = Redis::start();
    let mut server = server(&redis, "");
    let mut ws = server.ws();
    ws.subscribe("lobby");
    redis.broadcast("lobby", 1);
    assert_eq!(ws.event(), 1);
    redis.kill();
    let line = server.line_with("is not heard");
    assert!(line.contains("published there meanwhile is lost"), "{line}");
    eventually("the trouble is shown", || shown(&server)["trouble"].is_string());
    assert_eq!(shown(&server)["connected"], false);
    let metrics = server.api("GET", "/metrics", None).text();
    assert!(metrics.contains(&format!("deskbell_redis_connected{{redis=\"127.0.0.1:{}\"}} 0", redis.port)));
    // Everything else goes on, and nobody sends clients elsewhere for it.
    assert_eq!(get(&server, "/readyz").status, 200);
    server.send("lobby", 2);
    redis.revive();
    // Redis keeps nothing for those who are away: this is heard by nobody, and never will be.
    let missed = r#"{"event":"e","data":"missed"}"#;
    let mut lost = 0;
    let mut site = redis.open();
    eventually("somebody hears Redis again", || {
        let heard = site.publish("laravel_database_lobby", missed) > 0;
        lost += i32::from(!heard);
        heard
    });
    heard(&mut server);
    redis.broadcast("lobby", 3);
    assert_eq!(ws.event(), 2);
    assert_eq!(ws.event(), "missed", "the one that somebody got, and none of the {lost} before it");
    assert_eq!(ws.event(), 3);
    assert_eq!(shown(&server)["connections"], 2);
    assert_eq!(shown(&server)["trouble"], json!(null));
}

#[test]
fn a_redis_that_is_not_there_at_the_start_is_waited_for() {
    let mut redis = Redis::start();
    redis.kill();
    let mut server = Server::start(Start::with(&redis.config()).flag("--dev"));
    assert!(server.line_with("is not heard").contains("redis.host"));
    assert_eq!(shown(&server)["connected"], false);
    redis.revive();
    heard(&mut server);
    let told = server.logged().iter().filter(|line| line.contains("is not heard")).count();
    assert_eq!(told, 1, "the same trouble is told once");
}

#[test]
fn a_redis_that_says_nothing_any_more_counts_as_gone() {
    let redis = Redis::start();
    let mut server = server(&redis, "");
    let mut ws = server.ws();
    ws.subscribe("lobby");
    redis.signal("STOP");
    assert!(server.line_with("is not heard").contains("does not answer"));
    redis.signal("CONT");
    heard(&mut server);
    redis.broadcast("lobby", 1);
    assert_eq!(ws.event(), 1);
}

#[test]
fn something_else_than_redis_is_called_so() {
    let other = Server::dev();
    let config = format!("redis.host = \"127.0.0.1\"\nredis.port = {}\n", other.address.port());
    let mut server = Server::start(Start::with(&config));
    assert!(server.line_with("is not heard").contains("it is no Redis"));
}

#[test]
fn a_wrong_password_is_told_and_the_right_one_heard() {
    let redis = Redis::with(&["--requirepass", "a-secret-of-redis"]);
    let with = |password: &str| format!("{}redis.password = \"{password}\"\n", redis.config());
    let mut server = Server::start(Start::with(&with("a-wrong-one-of-redis")).flag("--dev"));
    let line = server.line_with("is not heard");
    assert!(line.contains("WRONGPASS") && line.contains("redis.password"), "{line}");
    take(&mut server, &redis.config());
    assert!(server.line_with("is not heard").contains("NOAUTH"));
    take(&mut server, &with("a-secret-of-redis"));
    heard(&mut server);
    let said = server.logged().join("\n");
    assert!(!said.contains("a-secret-of-redis") && !said.contains("a-wrong-one-of-redis"), "{said}");
}

#[test]
fn a_user_who_may_do_no_more_than_listen_is_enough() {
    let redis = Redis::start();
    let acl = "ACL SETUSER deskbell on >a-secret-of-redis resetchannels &laravel_database_* &laravel-database-* \
               -@all +psubscribe +punsubscribe +ping";
    redis.open().run(&acl.split(' ').collect::<Vec<_>>());
    let user = "redis.user = \"deskbell\"\nredis.password = \"a-secret-of-redis\"\n";
    let mut server = server(&redis, user);
    redis.broadcast("lobby", 1);
    take(&mut server, &format!("{}{user}redis.channels = [\"elsewhere*\"]\n", redis.config()));
    let line = server.line_with("is not heard");
    assert!(line.contains("NOPERM") && line.contains("ACL SETUSER"), "{line}");
}

#[test]
fn variables_of_the_site_are_understood() {
    let redis = Redis::start();
    let variables = |host: &str, port: &str, password: &str| {
        [("REDIS_HOST", host), ("REDIS_PORT", port), ("REDIS_PASSWORD", password)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec()
    };
    let port = redis.port.to_string();
    for password in ["null", ""] {
        let env = variables("127.0.0.1", &port, password);
        heard(&mut Server::start(Start { env, ..Start::default() }));
    }
    // Without a host there is none, whatever else a platform has set.
    let env = variables("null", "tcp://10.0.0.7:6379", "a-secret-of-redis");
    let server = Server::start(Start { env, ..Start::default() });
    assert_eq!(shown(&server), json!(null));
    assert!(!server.api("GET", "/metrics", None).text().contains("deskbell_redis_connected{"));
}

#[test]
fn redis_behind_tls_is_heard() {
    let area = std::env::temp_dir().join(format!("deskbell-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&area).unwrap();
    let certificate = Certificate::make(&area, "redis");
    let (chain, key) = (certificate.chain.display().to_string(), certificate.key.display().to_string());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secure = port.to_string();
    let redis = Redis::with(&[
        "--tls-port",
        &secure,
        "--tls-cert-file",
        &chain,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &chain,
        "--tls-auth-clients",
        "no",
    ]);
    let config = format!("redis.host = \"localhost\"\nredis.port = {secure}\nredis.tls = true\n");
    let mut server = Server::start(Start::with(&config).flag("--dev"));
    let line = server.line_with("is not heard");
    assert!(line.contains("no trusted connection") && line.contains("redis.ca_file"), "{line}");
    take(&mut server, &format!("{config}redis.ca_file = \"{chain}\"\n"));
    heard(&mut server);
    redis.broadcast("lobby", 1);
    std::fs::remove_dir_all(&area).unwrap();
}

#[test]
fn the_doctor_says_how_redis_is() {
    let mut redis = Redis::with(&["--requirepass", "a-secret-of-redis"]);
    let area = std::env::temp_dir().join(format!("deskbell-redis-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&area).unwrap();
    let doctor = |password: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deskbell"));
        command.args(["doctor", "--data"]).arg(&area).args(["--listen", "127.0.0.1:0"]);
        command.current_dir(&area).env("DESKBELL_APP_SECRET", SECRET).env("REDIS_HOST", "127.0.0.1");
        command.env("REDIS_PORT", redis.port.to_string()).env("REDIS_PASSWORD", password);
        let ended = command.output().unwrap();
        let said = String::from_utf8(ended.stdout).unwrap();
        let line = said.lines().skip_while(|line| !line.contains("Redis")).take(2);
        (ended.status.success(), line.collect::<Vec<_>>().join(" "))
    };
    let (well, line) = doctor("a-secret-of-redis");
    assert!(well && line.contains("ok") && line.contains("laravel_database_*"), "{line}");
    let (well, line) = doctor("null");
    assert!(!well && line.contains("NOAUTH") && line.contains("redis.password"), "{line}");
    redis.kill();
    let port = redis.port;
    drop(redis);
    let gone = Command::new(env!("CARGO_BIN_EXE_deskbell"))
        .args(["doctor", "--data"])
        .arg(&area)
        .args(["--listen", "127.0.0.1:0"])
        .current_dir(&area)
        .env("REDIS_HOST", "127.0.0.1")
        .env("REDIS_PORT", port.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8(gone.stdout).unwrap();
    assert!(!gone.status.success() && said.contains("look whether Redis runs there"), "{said}");
    std::fs::remove_dir_all(&area).unwrap();
}

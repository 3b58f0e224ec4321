//! Redis is gone for ten seconds while the site goes on to publish by its PHP helper.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;

/// Calls the helper until a file says that it is enough, and says what it says of each.
const SITE: &str = r#"
require getenv('HELPER');
for ($n = 0; !file_exists(getenv('ENOUGH')); $n++, clearstatcache()) {
    echo $n, ' ', sendWebSocketNotification("message $n", ['n' => $n]) ? 'yes' : 'no', "\n";
    usleep(5000);
}
"#;

#[test]
fn redis_is_killed_for_ten_seconds_and_the_helper_loses_nothing() {
    let mut redis = Redis::start();
    let env = [("REDIS_HOST", "127.0.0.1".to_owned()), ("REDIS_PORT", redis.port.to_string())];
    let start =
        Start { env: env.clone().map(|(name, value)| (name.to_owned(), value)).to_vec(), ..Start::default() };
    let mut server = Server::start(start);
    server.line_with("is heard");
    let mut page = Page::open(&server, STRONG);
    let enough = redis.directory.join("enough");
    let mut php = Command::new("php");
    php.args(["-r", SITE]).env("ENOUGH", &enough).envs(env);
    php.env(
        "HELPER",
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integrations/portico/send_notification.php"),
    );
    php.env("DESKBELL_URL", format!("http://{}", server.address)).env("DESKBELL_APP_SECRET", SECRET);
    let mut site = php.stdout(std::process::Stdio::piped()).spawn().expect("php is installed by the set-up");
    let mut ways: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
    let mut hear = |page: &mut Page| {
        let frame = page.expect("notification");
        let n = frame["data"]["n"].as_u64().unwrap();
        ways.entry(n).or_default().push(frame["source"] == "redis");
        frame["source"] == "redis"
    };
    for _ in 0..50 {
        hear(&mut page);
    }
    redis.kill();
    let killed = Instant::now();
    while killed.elapsed() < Duration::from_secs(10) {
        hear(&mut page);
    }
    redis.revive();
    while !hear(&mut page) {}
    std::fs::write(&enough, "").unwrap();
    let said = std::io::read_to_string(site.stdout.take().unwrap());
    assert!(site.wait().unwrap().success());
    let said = said.unwrap();
    let sent: Vec<u64> =
        said.lines().map(|line| line.strip_suffix(" yes").expect(line).parse().unwrap()).collect();
    page.send(&json!({"type": "ping", "id": "the end"}));
    loop {
        let frame = page.next();
        if frame["reply_to"] == "the end" {
            break;
        }
        page.0.put_back(frame);
        hear(&mut page);
    }
    let lost: Vec<_> = sent.iter().filter(|n| !ways.contains_key(n)).collect();
    let twice: Vec<_> = ways.iter().filter(|(_, ways)| ways.len() > 1).collect();
    assert!(lost.is_empty() && twice.is_empty(), "lost {lost:?}, twice {twice:?} of {}", sent.len());
    let by = |redis: bool| ways.values().filter(|ways| ways[0] == redis).count();
    assert!(by(true) > 50 && by(false) > 50, "{} by Redis, {} by HTTP", by(true), by(false));
}

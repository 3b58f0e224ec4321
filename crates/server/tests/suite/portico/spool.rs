//! Files that the site leaves in the spool.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// A spool in a folder of its own.
struct Spool(PathBuf);

impl Spool {
    fn new() -> Self {
        static NTH: AtomicU64 = AtomicU64::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("deskbell-spool-{}-{nth}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The lines of a configuration that read it; a scan comes late, so that news alone count.
    fn config(&self) -> String {
        self.scanned_every("1h")
    }

    fn scanned_every(&self, time: &str) -> String {
        format!("portico.spool = \"{}\"\nportico.spool_scan = \"{time}\"\n", self.0.display())
    }

    fn name(n: u64) -> String {
        format!("websocket_notification_{}.5.json", 1_700_000_000 + n)
    }

    /// Writes a file as the helper does: it has its name when it is whole.
    fn leave(&self, name: &str, text: &str) {
        let draft = self.0.join(format!(".{name}"));
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.0.join(name)).unwrap();
    }

    fn note(&self, n: u64) {
        self.leave(&Self::name(n), &json!({"type": "note", "n": n}).to_string());
    }

    fn files(&self, folder: &str) -> BTreeSet<String> {
        let listed = fs::read_dir(self.0.join(folder)).unwrap();
        let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("websocket_")).collect()
    }

    /// Nothing is there or under way any more.
    fn is_empty(&self) -> bool {
        self.files("").is_empty() && self.files(".taken").is_empty()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn server(config: &str) -> Server {
    let mut server = Server::start(Start::with(config));
    server.line_with("are told");
    server
}

#[test]
fn files_reach_whom_they_are_for_also_while_redis_works() {
    let (spool, redis) = (Spool::new(), Redis::start());
    let server = server(&format!("{}{}", spool.config(), redis.config()));
    eventually("Redis is heard", || server.stats()["redis"]["connected"] == true);
    let (mut page, mut other) = (Page::open(&server, STRONG), Page::open(&server, OTHER));
    spool.leave(
        "websocket_notification_1747039353.1234.json",
        r#"{"type":"notification","message":"by file"}"#,
    );
    for page in [&mut page, &mut other] {
        let heard = page.expect("notification");
        assert_eq!((&heard["message"], &heard["source"]), (&json!("by file"), &Value::Null));
        assert!(heard["timestamp"].is_string() && heard["id"].is_string(), "{heard}");
    }
    let own = format!("websocket_session_{STRONG}_1747039354.1.json");
    spool.leave(&own, r#"{"type":"server_message","action":"new","messages":[{"id":1}]}"#);
    let heard = page.expect("server_message");
    assert_eq!(
        (&heard["roomId"], &heard["messages"][0]["id"]),
        (&json!(format!("session_{STRONG}")), &json!(1))
    );
    redis.publish("notifications", r#"{"type":"notification","message":"by Redis"}"#);
    for page in [&mut page, &mut other] {
        assert_eq!(page.expect("notification")["message"], "by Redis");
        page.expect_nothing();
    }
    eventually("told files are gone", || spool.is_empty());
}

#[test]
fn a_file_that_is_written_in_place_is_told_when_it_is_whole() {
    use std::io::Write as _;
    let spool = Spool::new();
    let server = server(&spool.config());
    let mut page = Page::open(&server, STRONG);
    let mut file = fs::File::create(spool.0.join(Spool::name(1))).unwrap();
    file.write_all(b"{\"type\":\"note\",").unwrap();
    file.flush().unwrap();
    spool.note(2);
    assert_eq!(page.expect("note")["n"], 2, "whoever is done first is told first");
    page.expect_nothing();
    file.write_all(b"\"n\":1}").unwrap();
    drop(file);
    assert_eq!(page.expect("note")["n"], 1);
}

#[test]
fn what_nobody_announces_is_found_by_a_scan() {
    let spool = Spool::new();
    let server = server(&spool.scanned_every("100ms"));
    let mut page = Page::open(&server, STRONG);
    // A link under a new name is neither closed after writing nor moved in.
    let elsewhere = spool.0.join("elsewhere");
    fs::write(&elsewhere, r#"{"type":"note","n":1}"#).unwrap();
    fs::hard_link(&elsewhere, spool.0.join(Spool::name(1))).unwrap();
    page.expect_nothing();
    fs::remove_file(&elsewhere).unwrap();
    assert_eq!(page.expect("note")["n"], 1);
    eventually("it is gone", || spool.is_empty());
}

#[test]
fn bad_files_are_set_aside_and_the_others_go_on() {
    let spool = Spool::new();
    let server = server(&spool.config());
    let mut page = Page::open(&server, STRONG);
    let bad = ["no JSON", "[1]", " ", "{\"type\":"];
    for (n, text) in bad.iter().enumerate() {
        spool.leave(&Spool::name(n as u64), text);
    }
    // What is not named as ours, and what is empty, is left alone.
    spool.leave("websocket_notification_x.json", "{}");
    spool.leave("other.json", "{}");
    spool.leave(&Spool::name(50), "");
    spool.note(9);
    assert_eq!(page.expect("note")["n"], 9);
    page.expect_nothing();
    let expected = BTreeSet::from([0, 1, 2, 3].map(Spool::name));
    eventually("they are set aside", || spool.files("rejected") == expected);
    let left = BTreeSet::from(["websocket_notification_x.json".to_owned(), Spool::name(50)]);
    assert_eq!(spool.files(""), left);
    assert!(spool.0.join("other.json").exists());
    let metrics = server.api("GET", "/metrics", None).text();
    assert!(metrics.contains("deskbell_spool_rejected_total 4"), "{metrics}");
}

#[test]
fn files_that_anybody_could_have_written_are_not_told() {
    let spool = Spool::new();
    let mut server = server(&spool.scanned_every("100ms"));
    let mut page = Page::open(&server, STRONG);
    let path = spool.0.join(Spool::name(1));
    let draft = spool.0.join(".draft");
    fs::write(&draft, r#"{"type":"note","n":1}"#).unwrap();
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o666)).unwrap();
    fs::rename(&draft, &path).unwrap();
    assert!(server.line_with("was not told").contains("trusted owner"));
    page.expect_nothing();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(page.expect("note")["n"], 1, "the next scan finds it as it is by then");
}

#[test]
fn without_the_option_no_file_is_read_and_a_wrong_one_stops_the_start() {
    let spool = Spool::new();
    let server = Server::start(Start::default());
    let mut page = Page::open(&server, STRONG);
    spool.note(1);
    page.expect_nothing();
    assert_eq!(spool.files(""), BTreeSet::from([Spool::name(1)]));
    let config = server.data.join("wrong.toml");
    fs::write(&config, format!("{}portico.spool_owners = [\"nobody-of-that-name\"]\n", spool.config()))
        .unwrap();
    let start = Start::default().flag("--config").flag(config.to_str().unwrap());
    let data = server.data.join("other");
    let (code, said) = Server::refusal(&start, &data, "127.0.0.1:0");
    assert_ne!(code, Some(0));
    assert!(said.contains("nobody-of-that-name") && said.contains("portico.spool_owners"), "{said}");
}

#[test]
fn a_folder_that_is_not_there_yet_is_waited_for() {
    let spool = Spool::new();
    fs::remove_dir(&spool.0).unwrap();
    let mut server = Server::start(Start::with(&spool.scanned_every("100ms")));
    assert!(server.line_with("cannot be read").contains("make it"));
    let mut page = Page::open(&server, STRONG);
    fs::create_dir(&spool.0).unwrap();
    server.line_with("are told");
    spool.note(1);
    assert_eq!(page.expect("note")["n"], 1);
    // Taken away and made anew, it is read again.
    fs::remove_dir_all(&spool.0).unwrap();
    server.line_with("cannot be read");
    fs::create_dir(&spool.0).unwrap();
    server.line_with("are told");
    spool.note(2);
    assert_eq!(page.expect("note")["n"], 2);
}

#[test]
fn a_message_that_http_took_without_saying_so_is_not_told_again_by_its_file() {
    let spool = Spool::new();
    let server = server(&spool.config());
    let mut page = Page::open(&server, STRONG);
    let message = json!({"type": "note", "n": 1, "id": format!("php_{}", "0123456789abcdef01234567"), "timestamp": "x"});
    assert_eq!(server.api("POST", "/wss-publish", Some(&message)).status, 200);
    spool.leave(&Spool::name(1), &message.to_string());
    spool.note(2);
    for n in [1, 2] {
        assert_eq!(page.expect("note")["n"], n);
    }
    page.expect_nothing();
    eventually("its file is gone as well", || spool.is_empty());
}

#[test]
fn files_that_wait_during_a_stop_are_told_by_the_next_start() {
    let spool = Spool::new();
    let mut server = server(&spool.config());
    let page = Page::open(&server, STRONG);
    server.stop();
    drop(page);
    (1..=3).for_each(|n| spool.note(n));
    let server = server.restarted();
    let mut page = Page::open(&server, STRONG);
    for n in 1..=3 {
        assert_eq!(page.expect("note")["n"], n);
    }
    page.expect_nothing();
}

/// Reads what a page has heard until its connection ends.
fn heard_until_the_end(page: &mut Page, into: &mut Vec<Value>) {
    while let Some(frame) = page.0.try_next() {
        into.push(frame);
    }
}

/// One life of the server after another, each ended by force while files are written.
fn killed_again_and_again(spool: &Spool) -> Vec<Vec<Value>> {
    let mut server = server(&spool.config());
    let (written, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let lives = std::sync::Mutex::new(Vec::new());
    let server = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // No faster than a site, so that what waits fits into the channel's past.
                std::thread::sleep(std::time::Duration::from_millis(2));
                let n = written.load(Ordering::Relaxed) + 1;
                spool.note(n);
                written.store(n, Ordering::Relaxed);
            }
        });
        for _ in 0..count(4, 40) {
            let mut heard = Vec::new();
            let mut page = Page::open(&server, STRONG);
            while heard.len() < 20 {
                heard.push(page.next());
            }
            let goal = written.load(Ordering::Relaxed) + 10;
            server.signal("KILL");
            heard_until_the_end(&mut page, &mut heard);
            lives.lock().unwrap().push(heard);
            // Some are written while nobody is there.
            eventually("files are written", || written.load(Ordering::Relaxed) >= goal);
            server = server.crash_and_restart();
        }
        done.store(true, Ordering::Relaxed);
        server
    });
    let mut page = Page::open(&server, STRONG);
    let all = written.load(Ordering::Relaxed);
    spool.note(all + 1);
    eventually("everything is gone", || spool.is_empty());
    page.send(&json!({"type": "ping", "id": "all"}));
    let mut heard = Vec::new();
    loop {
        let frame = page.next();
        if frame["reply_to"] == "all" {
            break;
        }
        heard.push(frame);
    }
    let mut lives = lives.into_inner().unwrap();
    lives.push(heard);
    lives
}

#[test]
fn no_file_is_lost_over_a_kill_and_none_is_told_twice_in_one_life() {
    let spool = Spool::new();
    let lives = killed_again_and_again(&spool);
    let mut ids: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    for life in &lives {
        let mut told = BTreeSet::new();
        for frame in life {
            let n = frame["n"].as_u64().unwrap();
            assert!(told.insert(n), "{n} came twice in one life");
            ids.entry(n).or_default().insert(frame["id"].as_str().unwrap().to_owned());
        }
    }
    let last = *ids.keys().last().unwrap();
    let missing: Vec<u64> = (1..=last).filter(|n| !ids.contains_key(n)).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    // What a crash made come again came with the id that it had.
    let renamed: Vec<_> = ids.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(renamed.is_empty(), "{renamed:?}");
    let told: usize = lives.iter().map(Vec::len).sum();
    let again = told - ids.len();
    // Those that were out and not yet taken away when the crash came: a handful each time.
    assert!(again <= 16 * (lives.len() - 1), "{again} of {told} were told again");
}

#[test]
fn a_file_that_is_gone_has_been_sent_to_every_page() {
    let spool = Spool::new();
    let bounds = "limit.connections_per_address = 0\nlimit.connect_rate_per_address = 0\n";
    let mut server = server(&format!("{}{bounds}", spool.config()));
    // So much that it takes a while to hand it out.
    let much = "x".repeat(60_000);
    for round in 0..3 {
        let mut pages: Vec<Page> = (0..600).map(|_| Page::open(&server, STRONG)).collect();
        spool.leave(&Spool::name(round), &json!({"type": "note", "n": round, "much": much}).to_string());
        while !spool.is_empty() {}
        // SAFETY: the call takes two numbers, and the process is ours.
        assert_eq!(unsafe { libc::kill(server.pid() as i32, libc::SIGKILL) }, 0);
        for (nth, page) in pages.iter_mut().enumerate() {
            let mut heard = Vec::new();
            heard_until_the_end(page, &mut heard);
            assert_eq!(heard.iter().filter(|frame| frame["n"] == round).count(), 1, "page {nth}");
        }
        server = server.crash_and_restart();
    }
}

#[test]
fn on_a_durable_channel_a_file_that_comes_again_after_a_crash_is_not_told_again() {
    let spool = Spool::new();
    let durable = "[[channels]]\npattern = \"portico\"\ndurable = true\n";
    let server = server(&format!("{}{durable}", spool.config()));
    let mut page = Page::open(&server, STRONG);
    let message =
        json!({"type": "note", "n": 1, "id": "php_0123456789abcdef01234567", "timestamp": "x"}).to_string();
    spool.leave(&Spool::name(1), &message);
    assert_eq!(page.expect("note")["n"], 1);
    eventually("it is gone", || spool.is_empty());
    drop(page);
    server.signal("KILL");
    // As if the crash had come before the file was taken away.
    fs::write(spool.0.join(".taken").join(Spool::name(1)), &message).unwrap();
    let server = server.crash_and_restart();
    let mut page = Page::open(&server, STRONG);
    spool.note(2);
    assert_eq!(page.expect("note")["n"], 2);
    page.expect_nothing();
    eventually("it is gone again", || spool.is_empty());
}

#[test]
fn what_a_crash_left_half_way_is_told_by_the_next_start() {
    let spool = Spool::new();
    let server = server(&spool.config());
    server.signal("KILL");
    fs::write(spool.0.join(".taken").join(Spool::name(1)), r#"{"type":"note","n":1}"#).unwrap();
    let server = server.crash_and_restart();
    assert_eq!(Page::open(&server, STRONG).expect("note")["n"], 1);
    eventually("it is gone", || spool.is_empty());
}

#[test]
fn the_doctor_says_how_the_spool_is() {
    let (spool, data) = (Spool::new(), Spool::new());
    let doctor = |folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_deskbell"));
        command.args(["doctor", "--listen", "127.0.0.1:0", "--data"]).arg(&data.0).current_dir(&data.0);
        let said = command.env("DESKBELL_PORTICO_SPOOL", folder).output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        said.lines().find(|line| line.contains("the spool")).unwrap().to_owned()
    };
    assert!(doctor(&spool.0).starts_with("ok"));
    assert!(doctor(Path::new("/nowhere/spool")).starts_with("FAIL"));
    fs::set_permissions(&spool.0, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(doctor(&spool.0).starts_with("warn"));
}

/// The whole way of the site: its helper, without Redis and without HTTP.
#[test]
fn the_php_helper_reaches_a_page_by_a_file() {
    let spool = Spool::new();
    let server = server(&spool.config());
    let mut page = Page::open(&server, STRONG);
    let helper =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../integrations/portico/send_notification.php");
    let mut php = Command::new("php");
    php.arg(helper).args(["New booking", "notification", r#"{"id":123}"#]).env("DESKBELL_SPOOL", &spool.0);
    let done = php.output().expect("php is installed by the set-up");
    assert_eq!(String::from_utf8_lossy(&done.stdout), "Notification sent successfully\n");
    let heard = page.expect("notification");
    assert_eq!((&heard["message"], &heard["data"]["id"]), (&json!("New booking"), &json!(123)));
    assert!(heard["id"].as_str().unwrap().starts_with("php_"));
}

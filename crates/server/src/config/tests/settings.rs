//! The settings as the parts of the server see them.

use super::super::{AccessRuleText, ChannelClass, ChannelRule, Group, Listen, Settings, TlsSettings};
use super::from_file;

#[test]
fn the_defaults_are_those_of_the_design() {
    let settings = from_file("").unwrap();
    let root = deskbell_wire::plain::Plain::AppointEase;
    let addr = "127.0.0.1:8080".parse().unwrap();
    assert_eq!(settings.listen, [Listen { addr, tls: false, app: None, root }]);
    assert!(settings.shards >= 1);
    assert_eq!(settings.apps.len(), 1);
    assert_eq!((settings.apps[0].id, &settings.apps[0].key, &settings.apps[0].secret), (None, &None, &None));
    assert_eq!(
        (settings.limits.frame, settings.limits.body, settings.limits.backlog),
        (65_536, 1 << 20, 262_144)
    );
    assert_eq!(
        (settings.limits.rate, settings.limits.burst, settings.limits.subscriptions),
        (150, 1_000, 100)
    );
    assert_eq!((settings.limits.poll_wait_ms, settings.limits.sse_rotation_ms), (25_000, 480_000));
    assert_eq!(
        (settings.limits.header_time_ms, settings.heartbeat_ms, settings.drain_ms),
        (5_000, 25_000, 30_000)
    );
    assert_eq!((settings.session.resume_window_ms, settings.session.presence_grace_ms), (120_000, 15_000));
    assert_eq!(
        (settings.history.count, settings.history.bytes, settings.history.age_ms),
        (1_000, 1 << 20, 600_000)
    );
    assert_eq!(settings.history.durable_age_ms, 2_592_000_000);
    assert_eq!((settings.auth.leeway_ms, settings.auth.user_claim.as_str()), (30_000, "sub"));
    assert_eq!(settings.tls, TlsSettings::Off);
    assert!(
        !settings.dev
            && !settings.websocket.compression
            && !settings.websocket.echo
            && settings.warnings.is_empty()
    );
}

#[test]
fn listeners_are_one_address_several_or_tables() {
    let ports = |file: &str| -> Vec<u16> {
        from_file(file).unwrap().listen.iter().map(|listen| listen.addr.port()).collect()
    };
    assert_eq!(ports("listen = \"0.0.0.0:81\""), [81]);
    assert_eq!(ports("listen = [\"127.0.0.1:81\", { addr = \"[::1]:82\" }]"), [81, 82]);
    let file = "app.id = 7\n[[listen]]\naddr = \"127.0.0.1:1\"\napp = 7\n\
                [[listen]]\naddr = \"127.0.0.1:2\"\ntls = true\n[tls.acme]\ndomains = [\"A.example\"]\n";
    let settings = from_file(file).unwrap();
    let shown: Vec<_> = settings.listen.iter().map(|one| (one.tls, one.app)).collect();
    // Where TLS is set up, a listener speaks it unless it says otherwise.
    assert_eq!(shown, [(true, Some(7)), (true, None)]);
    let TlsSettings::Acme(acme) = settings.tls else { panic!("{:?}", settings.tls) };
    assert_eq!(acme.domains, ["a.example"]);
    assert_eq!(acme.cache.display().to_string(), "deskbell-data/acme");
    let plain =
        from_file("listen = [{ addr = \"127.0.0.1:1\", tls = false }]\ntls.acme.domains = [\"a.example\"]");
    assert!(!plain.unwrap().listen[0].tls);
}

#[test]
fn apps_are_the_one_the_listed_or_both() {
    let listed = "[[apps]]\nid = 8\nkey = \"k8\"\nsecret = \"a secret of good length\"\norigins = [\"https://A.example\"]\n";
    let ids = |file: String| -> Vec<Option<u64>> {
        from_file(&file).unwrap().apps.iter().map(|app| app.id).collect()
    };
    assert_eq!(ids(String::new()), [None]);
    assert_eq!(ids(listed.to_owned()), [Some(8)]);
    assert_eq!(ids(format!("app.id = 7\n{listed}")), [Some(7), Some(8)]);
    assert_eq!(ids(format!("app.key = \"k\"\n{listed}")), [None, Some(8)]);
    let app = &from_file(listed).unwrap().apps[0];
    assert_eq!((app.name.as_str(), app.origins[0].as_str()), ("8", "https://a.example"));
}

#[test]
fn a_channel_rule_takes_what_it_does_not_say_from_history() {
    let file = "history.count = 5\n\
                [[channels]]\npattern = \"typing-*\"\nclass = \"ephemeral\"\n\
                [[channels]]\npattern = \"orders.*\"\ndurable = true\nhistory_bytes = \"2MiB\"\npresence = true\n";
    let rules = from_file(file).unwrap().channels;
    let expected = ChannelRule {
        pattern: "orders.*".to_owned(),
        class: ChannelClass::Stream,
        durable: true,
        history_count: 5,
        history_bytes: 2 << 20,
        history_age_ms: 2_592_000_000,
        presence: true,
    };
    assert_eq!((rules[0].class, rules[0].history_age_ms), (ChannelClass::Ephemeral, 600_000));
    assert_eq!(rules[1], expected);
}

#[test]
fn an_access_rule_stays_text() {
    let file = "[[access]]\npattern = \"private-notifications.{user}\"\nallow = [\"subscribe\", \"presence\"]\nto = \"user\"\n\
                [[access]]\npattern = \"desk.*\"\nallow = [\"publish\"]\nto = \"everyone\"\n\
                [[access]]\npattern = \"staff-*\"\nallow = [\"subscribe\"]\nto = \"role:staff\"\n";
    let rules = from_file(file).unwrap().access;
    let expected = AccessRuleText {
        pattern: "private-notifications.{user}".to_owned(),
        allow: vec!["subscribe".to_owned(), "presence".to_owned()],
        to: "user".to_owned(),
    };
    assert_eq!(rules[0], expected);
    assert_eq!(
        rules.iter().map(|rule| rule.to.as_str()).collect::<Vec<_>>(),
        ["user", "everyone", "role:staff"]
    );
}

#[test]
fn development_mode_is_for_loopback_unless_forced() {
    for (listen, forced, starts) in [
        ("127.0.0.1:1", false, true),
        ("[::1]:1", false, true),
        ("0.0.0.0:1", false, false),
        ("0.0.0.0:1", true, true),
    ] {
        let loaded = from_file(&format!("listen = \"{listen}\"\ndev = true\ndev_force = {forced}"));
        assert_eq!(loaded.is_ok(), starts, "{listen} {forced}");
    }
}

#[test]
fn a_short_secret_or_one_on_the_command_line_is_warned_about() {
    let short = from_file("app.secret = \"short\"").unwrap();
    assert_eq!(
        short.warnings,
        ["app.secret is shorter than 16 characters and can be guessed; make it longer"]
    );
    let flag = Settings::of_pairs(&[("app.secret", "a secret of good length")]).unwrap();
    assert_eq!(flag.warnings.len(), 1);
    assert!(flag.warnings[0].contains("use DESKBELL_APP_SECRET"), "{:?}", flag.warnings);
}

#[test]
fn a_reload_says_which_parts_changed_and_what_needs_a_restart() {
    let difference = |old: &str, new: &str| {
        Settings::reload_difference(&from_file(old).unwrap(), &from_file(new).unwrap())
    };
    assert!(difference("data = \"a\"", "\n\n# moved\ndata = \"a\"").is_empty());
    let changed = difference(
        "data = \"a\"\n",
        "data = \"b\"\nshards = 3\nlimit.rate = 9\nlog.file = \"l\"\napp.secret = \"k\"\nchannels = [{ pattern = \"a\" }]",
    );
    assert_eq!(
        changed.groups.into_iter().collect::<Vec<_>>(),
        [Group::Keys, Group::Rules, Group::Limits, Group::Log]
    );
    assert_eq!(changed.restart, ["data", "shards"]);
    let row =
        difference("channels = [{ pattern = \"a\" }]", "channels = [{ pattern = \"a\", presence = true }]");
    assert_eq!((row.groups.into_iter().collect::<Vec<_>>(), row.restart.len()), (vec![Group::Rules], 0));
}

#[test]
fn settings_can_be_read_again_from_their_own_sources() {
    let scratch = super::Scratch::new();
    let file = scratch.write("deskbell.toml", "limit.rate = 7");
    let sources = super::Sources { file: Some(file), ..Default::default() };
    let settings = Settings::load(sources).unwrap();
    scratch.write("deskbell.toml", "limit.rate = 8");
    assert_eq!((settings.limits.rate, settings.reread().unwrap().limits.rate), (7, 8));
    scratch.write("deskbell.toml", "limit.rate = \"x\"");
    assert!(settings.reread().is_err());
}

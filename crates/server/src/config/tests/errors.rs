//! Every form of error names its file, its line and its key, and says what to write.

use super::{errors_of, from_file, load};

#[track_caller]
fn refused(file: &str, expected: &str) {
    assert_eq!(errors_of(file), expected);
}

#[test]
fn a_wrong_size_number_time_or_flag_is_named_with_its_line() {
    let cases = [
        (
            "[limit]\nframe = \"64 KB\"",
            "deskbell.toml:2: limit.frame: \"64 KB\" is no size; write 64KiB, 1MiB or a number of bytes",
        ),
        ("\n\nlimit.frame = 12", "deskbell.toml:3: limit.frame: 12 is out of bounds; write 1KiB to 16MiB"),
        (
            "[limit]\nframe = 64.5",
            "deskbell.toml:2: limit.frame: 64.5 is no size; write 64KiB, 1MiB or a number of bytes",
        ),
        ("drain = 30", "deskbell.toml:1: drain: 30 has no unit; write \"30s\" or \"30ms\""),
        ("drain = \"soon\"", "deskbell.toml:1: drain: \"soon\" is no time; write 250ms, 10s, 5m, 24h or 30d"),
        ("drain = \"1h\"", "deskbell.toml:1: drain: \"1h\" is out of bounds; write 0 to 10m"),
        (
            "drain = \"99999999999999999999d\"",
            "deskbell.toml:1: drain: \"99999999999999999999d\" is no time; write 250ms, 10s, 5m, 24h or 30d",
        ),
        (
            "shards = -1",
            "deskbell.toml:1: shards: -1 is no number; write a whole number 1 to 1024, or 0 for one for each core",
        ),
        ("shards = \"4\"", "deskbell.toml:1: shards: \"4\" is a text; write 4 without quotes"),
        (
            "shards = 5000",
            "deskbell.toml:1: shards: 5000 is out of bounds; write 1 to 1024, or 0 for one for each core",
        ),
        ("dev = \"yes\"", "deskbell.toml:1: dev: \"yes\" is neither yes nor no; write true or false"),
        ("dev = \"true\"", "deskbell.toml:1: dev: \"true\" is a text; write true without quotes"),
        ("dev = 1979-05-27", "deskbell.toml:1: dev: 1979-05-27 is neither yes nor no; write true or false"),
        ("data = 5", "deskbell.toml:1: data: 5 is no text; write it in quotes"),
        ("data = \"\"", "deskbell.toml:1: data: is empty; write a value or leave the line out"),
    ];
    for (file, expected) in cases {
        refused(file, expected);
    }
}

#[test]
fn a_text_of_the_wrong_form_is_named_with_its_line() {
    let cases = [
        ("log.level = \"loud\"", "log.level: \"loud\" is not known; write error, warn, info, debug or trace"),
        (
            "listen = \"localhost\"",
            "listen.addr: \"localhost\" is no address; write an IP address and a port, like 127.0.0.1:8080 or [::]:8080",
        ),
        (
            "trusted_proxies = [\"10.0.0.1/8\"]",
            "trusted_proxies: \"10.0.0.1/8\" has bits beyond its length; write 10.0.0.0/8",
        ),
        (
            "trusted_proxies = [\"proxy\"]",
            "trusted_proxies: \"proxy\" is no network; write one like 10.0.0.0/8, or a single address",
        ),
        (
            "cors.origins = [\"https://a.example/x\"]",
            "cors.origins: \"https://a.example/x\" is no origin; write one without a path, like https://www.example.org, or *",
        ),
        (
            "cors.origins = [\"a.example\"]",
            "cors.origins: \"a.example\" is no origin; write one without a path, like https://www.example.org, or *",
        ),
        (
            "auth.jwks_url = \"login.example\"",
            "auth.jwks_url: \"login.example\" is no web address; write one that begins with https:// or http://",
        ),
        (
            "tls.acme.domains = [\"https://a.example\"]",
            "tls.acme.domains: \"https://a.example\" is no host name; write one like bell.example.org, without scheme and port",
        ),
        (
            "tls.acme.contact = \"me\"",
            "tls.acme.contact: \"me\" is no e-mail address; write one like admin@example.org",
        ),
        (
            "auth.cookie = \"a b\"",
            "auth.cookie: \"a b\" is no cookie name; write letters, digits, - and _ only",
        ),
        (
            "auth.jwt_algorithms = [\"none\"]",
            "auth.jwt_algorithms: \"none\" is not known; write HS256, RS256, ES256 or EdDSA",
        ),
        (
            "channels = [{ pattern = \"a b\" }]",
            "channels.pattern: \"a b\" holds ' ', which no channel name has; write letters, digits, _-=@,.;:# and *",
        ),
    ];
    for (file, expected) in cases {
        refused(file, &format!("deskbell.toml:1: {expected}"));
    }
}

#[test]
fn an_access_rule_says_what_is_wrong_with_it() {
    let rule = |fields: &str| format!("\n[[access]]\n{fields}");
    let cases = [
        (
            "pattern = \"a.{User}\"\nallow = [\"subscribe\"]\nto = \"user\"",
            "deskbell.toml:3: access.pattern: \"a.{User}\" has the placeholder {User}; its name must be small letters",
        ),
        (
            "pattern = \"a.{user\"\nallow = [\"subscribe\"]\nto = \"user\"",
            "deskbell.toml:3: access.pattern: \"a.{user\" opens a { and never closes it; write {user}",
        ),
        (
            "pattern = \"a.{user}*\"\nallow = [\"subscribe\"]\nto = \"user\"",
            "deskbell.toml:3: access.pattern: \"a.{user}*\" has two open parts side by side; put a character between them",
        ),
        (
            "pattern = \"a\"\nallow = [\"read\"]\nto = \"user\"",
            "deskbell.toml:4: access.allow: \"read\" is not known; write subscribe, publish, presence, hold, confirm or manage",
        ),
        (
            "pattern = \"a\"\nallow = [\"publish\"]\nto = \"role:\"",
            "deskbell.toml:5: access.to: \"role:\" is nobody; write everyone, user or role:NAME",
        ),
        (
            "pattern = \"a\"\nallow = []\nto = \"user\"",
            "deskbell.toml:4: access.allow: allows nothing; write what is allowed, such as subscribe",
        ),
        (
            "pattern = \"a\"\nallow = [\"publish\"]\nto = \"owner\"",
            "deskbell.toml:5: access.to: \"owner\" is nobody; write everyone, user or role:NAME",
        ),
        (
            "pattern = \"a.{user}\"\nallow = [\"publish\"]\nto = \"everyone\"",
            "deskbell.toml:5: access.to: a pattern with {user} is for signed-in users; write to = \"user\", or * in the pattern",
        ),
        (
            "allow = [\"publish\"]\nto = \"user\"",
            "deskbell.toml:3: access: this table has no `pattern`; write pattern = \"private-notifications.{user}\"",
        ),
    ];
    for (fields, expected) in cases {
        refused(&rule(fields), expected);
    }
}

#[test]
fn an_unknown_key_is_an_error_that_suggests_the_nearest() {
    let cases = [
        (
            "[limit]\nfrmae = 1",
            "deskbell.toml:2: limit.frmae: there is no such key; did you mean `limit.frame`?",
        ),
        (
            "[limits]\nframe = 1",
            "deskbell.toml:2: limits.frame: there is no such key; did you mean `limit.frame`?",
        ),
        (
            "jwt_secret = \"x\"",
            "deskbell.toml:1: jwt_secret: there is no such key; did you mean `auth.jwt_secret`?",
        ),
        ("colour = 1", "deskbell.toml:1: colour: there is no such key; `deskbell config` lists them all"),
        ("[chanels]", "deskbell.toml:1: chanels: there is no such key; did you mean `channels`?"),
        ("log = 5", "deskbell.toml:1: log: is a table; write [log] and its keys below"),
        (
            "[[channels]]\npattern = \"a\"\n[[channels]]\npattern = \"b\"\nclas = \"latest\"",
            "deskbell.toml:5: channels.clas: there is no such key; did you mean `class`?",
        ),
        (
            "[[listen]]\naddr = \"127.0.0.1:1\"\nzzzzzzzz = 1",
            "deskbell.toml:3: listen.zzzzzzzz: there is no such key; this table has addr, tls, app or root",
        ),
        (
            "channels = [5]",
            "deskbell.toml:1: channels: 5 is no table; write [[channels]] and its fields below",
        ),
        (
            "\n[[apps]]\n",
            "deskbell.toml:2: apps: this table has no `id`; write id = 1002\n\
                          deskbell.toml:2: apps: this table has no `key`; write key = \"second-public-key\"\n\
                          deskbell.toml:2: apps: this table has no `secret`; write secret = \"...\" with a long random text",
        ),
    ];
    for (file, expected) in cases {
        refused(file, expected);
    }
}

#[test]
fn what_is_no_toml_or_no_file_is_said_with_its_place() {
    refused("listen = \"a\"\ndata = = 5", "deskbell.toml:2: is no TOML: extra `=`, expected nothing");
    let large = format!("# {}", "x".repeat(1 << 20));
    refused(&large, "deskbell.toml: is larger than 1MiB, so it is no configuration");
    let missing = super::Sources { file: Some("no-such.toml".into()), ..Default::default() };
    let error = super::Settings::load(missing).unwrap_err().to_string();
    assert!(error.starts_with("no-such.toml: cannot be read: "), "{error}");
}

#[test]
fn all_errors_are_shown_at_once_and_can_be_taken_apart() {
    let file = "shards = -1\n[limit]\nframe = \"x\"\n";
    let errors = load(file, &[("DESKBELL_DRAIN", "x")], &[("nothing", "1")]).unwrap_err().0;
    let keys: Vec<&str> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["shards", "limit.frame", "drain", "nothing"]);
    assert_eq!(errors[1].line(), Some(3));
    assert!(errors[1].file().is_some_and(|file| file.ends_with("deskbell.toml")));
    assert_eq!(
        errors[2].to_string(),
        "environment DESKBELL_DRAIN: drain: \"x\" is no time; write 250ms, 10s, 5m, 24h or 30d"
    );
    assert_eq!(
        errors[3].to_string(),
        "flag --set: nothing: there is no such key; `deskbell config` lists them all"
    );
    assert_eq!((errors[3].file(), errors[3].line()), (None, None));
}

#[test]
fn rules_between_options_are_checked() {
    let app = |id: u64, key: &str| {
        format!("[[apps]]\nid = {id}\nkey = \"{key}\"\nsecret = \"long enough to be a secret\"\n")
    };
    let cases = [
        ("listen = []".to_owned(), "1: listen: names no address; write one like 127.0.0.1:8080"),
        (
            "listen = [\"127.0.0.1:80\", \"127.0.0.1:80\"]".to_owned(),
            "1: listen.addr: 127.0.0.1:80 is listed twice; remove one",
        ),
        (
            "listen = \"0.0.0.0:80\"\ndev = true".to_owned(),
            "2: dev: development mode needs no secrets, and 0.0.0.0:80 can be reached by others; listen on 127.0.0.1, or set dev_force if that is meant",
        ),
        (
            "[[listen]]\naddr = \"127.0.0.1:1\"\ntls = true".to_owned(),
            "3: listen.tls: TLS needs a certificate; set tls.cert and tls.key, or tls.acme.domains",
        ),
        ("tls.key = \"/dev/null\"".to_owned(), "1: tls.key: needs its certificate; set tls.cert"),
        ("tls.cert = \"/dev/null\"".to_owned(), "1: tls.cert: needs its private key; set tls.key"),
        (
            "[tls]\ncert = \"/dev/null\"\nkey = \"/dev/null\"\nacme.domains = [\"a.example\"]".to_owned(),
            "4: tls.acme.domains: certificates come from own files or from an authority; remove tls.cert or this",
        ),
        (
            "auth.jwt_public_key = \"/nowhere/key.pem\"".to_owned(),
            "1: auth.jwt_public_key: \"/nowhere/key.pem\" cannot be read: No such file or directory (os error 2)",
        ),
        (format!("app.id = 7\n{}", app(7, "b")), "3: apps.id: another app has the same; each needs its own"),
        (app(7, "a") + &app(8, "a"), "7: apps.key: another app has the same; each needs its own"),
        (
            format!("listen = [{{ addr = \"127.0.0.1:1\", app = 9 }}]\n{}", app(8, "a")),
            "1: listen.app: no app has the id 9; set app.id or an [[apps]] with it",
        ),
        (
            "channels = [{ pattern = \"a\" }, { pattern = \"a\" }]".to_owned(),
            "1: channels.pattern: \"a\" stands above already, so this table would never count; remove one",
        ),
        (
            "[[channels]]\npattern = \"a\"\nclass = \"ephemeral\"\ndurable = true".to_owned(),
            "4: channels.durable: an ephemeral channel keeps nothing, so it cannot be durable; remove durable or the class",
        ),
        (
            "heartbeat = \"60s\"\nlimit.idle = \"90s\"".to_owned(),
            "2: limit.idle: must be at least 2m, 2 times heartbeat, or live connections would be closed; raise it or lower heartbeat",
        ),
        (
            "limit.frame = \"1MiB\"\nlimit.backlog = \"64KiB\"".to_owned(),
            "2: limit.backlog: must be at least 1MiB, limit.frame, or the largest event could not be sent; raise it or lower limit.frame",
        ),
    ];
    for (file, expected) in cases {
        refused(&file, &format!("deskbell.toml:{expected}"));
    }
}

#[test]
fn an_empty_secret_as_it_stands_in_the_example_is_refused() {
    for key in ["app.secret", "auth.jwt_secret"] {
        let expected =
            format!("deskbell.toml:1: {key}: is empty; write a long random text or leave the line out");
        refused(&format!("{key} = \"\""), &expected);
        refused(&format!("{key} = \"  \""), &expected);
    }
}

#[test]
fn no_error_quotes_a_secret() {
    let leak = "hunter2-hunter2-hunter2";
    assert_eq!(
        errors_of("app.secret = 4242"),
        "deskbell.toml:1: app.secret: is no text; write the secret in quotes"
    );
    let files = [
        format!("app.secret = [\"{leak}\"]"),
        format!("app.secret = {{ a = \"{leak}\" }}"),
        format!("app.secret = \"{leak}\\n\""),
        format!("[[apps]]\nsecret = \"{leak}\""),
        format!("[[apps]]\nid = 1\nkey = \"k\"\nsecret = [\"{leak}\"]"),
    ];
    for file in files {
        let shown = errors_of(&file);
        assert!(!shown.is_empty() && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_value_that_cannot_be_read_causes_no_second_error() {
    refused(
        "tls.cert = 5\ntls.key = \"/dev/null\"",
        "deskbell.toml:1: tls.cert: 5 is no text; write it in quotes",
    );
}

#[test]
fn a_zone_that_there_is_not_and_half_a_minute_are_no_sites() {
    assert!(errors_of("appointease.time_zone = \"Europe/Osl\"").contains("appointease.time_zone"));
    refused(
        "appointease.slot = \"330s\"",
        "deskbell.toml:1: appointease.slot: a slot has whole minutes; write one like 30m",
    );
}

#[test]
fn a_wrong_projection_is_named_with_its_line() {
    let row = |channel: &str, from: &str, data: &str| {
        format!(
            "[[projections]]\ndialect = \"pusher\"\nchannel = \"{channel}\"\nfrom = \"{from}\"\n\
             event = \"booking.*\"\nname = \"x\"\ndata = '{data}'"
        )
    };
    refused(
        &row("a.{id}", "user:{id}", "{id}"),
        "deskbell.toml:7: projections.data: is no JSON; write it as '{\"id\":\"$reservation.id\"}'",
    );
    refused(
        &row("a.{id}", "user:{user}", "{}"),
        "deskbell.toml:7: projections: `from` uses a `{part}` that `channel` does not have; write the same in both",
    );
    // Our own clients are shown events as they are, so such a row would show nothing.
    let native = row("a.{id}", "user:{id}", "{}").replace("pusher", "native");
    refused(
        &native,
        "deskbell.toml:2: projections.dialect: \"native\" is not known; write appointease, portico, pusher or socketio",
    );
    let good = row("a.{id}", "user:{id}", "{\"at\":\"$event.at\"}");
    let expected = deskbell_core::projection::Text {
        dialect: deskbell_core::projection::Dialect::Pusher,
        channel: "a.{id}".to_owned(),
        from: "user:{id}".to_owned(),
        event: "booking.*".to_owned(),
        name: "x".to_owned(),
        data: serde_json::json!({"at": "$event.at"}),
    };
    assert_eq!(from_file(&good).unwrap().projections, [expected]);
}

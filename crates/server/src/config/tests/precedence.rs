//! Flags go before the environment, that before the file, that before the defaults; aliases come last in theirs.

use super::super::{Settings, Source, all};
use super::{from_file, load};

const FILE: &str = "data = \"of-file\"\n";

#[test]
fn a_flag_goes_before_a_variable_before_the_file_before_the_default() {
    let variable = [("DESKBELL_DATA", "of-variable")];
    let flag = [("data", "of-flag")];
    let data = |settings: Settings| {
        let source = settings.values().held("data").source.clone();
        (settings.data_dir.display().to_string(), source)
    };
    let (all_set, source) = data(load(FILE, &variable, &flag).unwrap());
    assert_eq!((all_set.as_str(), source), ("of-flag", Source::Flag("--set".to_owned())));
    let (no_flag, source) = data(load(FILE, &variable, &[]).unwrap());
    assert_eq!((no_flag.as_str(), source), ("of-variable", Source::Environment("DESKBELL_DATA".to_owned())));
    let (file_alone, source) = data(load(FILE, &[], &[]).unwrap());
    assert_eq!(file_alone, "of-file");
    assert!(matches!(source, Source::File { line: 1, .. }), "{source}");
    let (nothing, source) = data(load("", &[], &[]).unwrap());
    assert_eq!((nothing.as_str(), source), ("deskbell-data", Source::Default));
}

#[test]
fn the_last_of_two_flags_counts() {
    let settings = load("", &[], &[("data", "a"), ("data", "b")]).unwrap();
    assert_eq!(settings.data_dir.display().to_string(), "b");
}

#[test]
fn an_empty_variable_counts_as_absent() {
    let settings = load(FILE, &[("DESKBELL_DATA", ""), ("DESKBELL_APP_SECRET", "")], &[]).unwrap();
    assert_eq!(settings.data_dir.display().to_string(), "of-file");
    assert_eq!(settings.apps[0].secret, None);
}

#[test]
fn the_old_names_of_variables_are_honoured_after_the_own_name() {
    let secrets = |environment: &[(&str, &str)]| {
        let auth = load("", environment, &[]).unwrap().auth;
        [auth.jwt_secret, auth.other_jwt_secret].map(|secret| secret.map(|one| one.expose().to_owned()))
    };
    let text = |text: &str| Some(text.to_owned());
    let (jwt, next) = (("JWT_SECRET", "of-jwt-secret"), ("NEXTAUTH_SECRET", "of-nextauth-secret"));
    let own = ("DESKBELL_AUTH_JWT_SECRET", "of-our-own-name");
    assert_eq!(secrets(&[jwt]), [None, text("of-jwt-secret")]);
    assert_eq!(secrets(&[jwt, next]), [text("of-nextauth-secret"), text("of-jwt-secret")], "both count");
    assert_eq!(secrets(&[jwt, next, own]), [text("of-our-own-name"), text("of-jwt-secret")]);
    for (word, on) in
        [("1", true), ("on", true), ("Yes", true), ("false", false), ("0", false), ("off", false)]
    {
        let settings = load("", &[("WSS_LOG_ENABLED", word), ("WSS_LOG_FILE", "w.log")], &[]).unwrap();
        assert_eq!(settings.log.enabled, on, "{word}");
        assert_eq!(settings.log.file.unwrap().display().to_string(), "w.log");
    }
}

#[test]
fn how_much_is_logged_follows_the_variables_of_the_site_then_the_level_then_the_mode() {
    use crate::config::Volume::{self, Debug, Quiet};
    let volume = |environment: &[(&str, &str)], file: &str| load(file, environment, &[]).unwrap().log.volume;
    let level = |level: &str| Volume::Level(level.to_owned());
    let (on, off) = (("WSS_DEBUG_LOG_ENABLED", "true"), ("WSS_DEBUG_LOG_ENABLED", "off"));
    assert_eq!(volume(&[], ""), level("info"));
    assert_eq!(volume(&[], "dev = true"), Debug);
    assert_eq!(volume(&[], "dev = true\nlog.level = \"warn\""), level("warn"));
    assert_eq!(volume(&[on], "log.level = \"warn\""), Debug);
    assert_eq!(volume(&[off], "dev = true"), Quiet);
    assert_eq!(volume(&[off, ("DESKBELL_LOG_DEBUG", "true")], ""), Debug);
    for (word, both) in [("1", true), ("Yes", true), ("false", false), ("off", false)] {
        assert_eq!(
            load("", &[("WSS_LOG_TO_DOCKER", word)], &[]).unwrap().log.warnings_to_stderr,
            both,
            "{word}"
        );
    }
    assert!(load("", &[], &[]).unwrap().log.warnings_to_stderr);
}

#[test]
fn every_alias_sets_its_option_and_belongs_to_one_alone() {
    let mut seen = Vec::new();
    for opt in all() {
        for alias in std::iter::once(opt.env()).chain(opt.aliases.iter().map(|&alias| alias.to_owned())) {
            assert!(!seen.contains(&alias), "{alias} sets two options");
            seen.push(alias);
        }
    }
    for expected in [
        "WSS_LOG_ENABLED",
        "WSS_DEBUG_LOG_ENABLED",
        "WSS_LOG_TO_DOCKER",
        "WSS_LOG_FILE",
        "JWT_SECRET",
        "NEXTAUTH_SECRET",
        "REDIS_HOST",
        "REDIS_PORT",
        "REDIS_PASSWORD",
        "REDIS_PREFIX",
    ] {
        assert!(seen.iter().any(|name| name == expected), "{expected} is honoured");
    }
    assert!(seen.iter().any(|name| name == "DESKBELL_LIMIT_CONNECTIONS_PER_ADDRESS"));
}

#[test]
fn a_variable_that_is_nearly_ours_is_warned_about_and_a_foreign_one_is_not() {
    let near = load("", &[("DESKBELL_LIMITS_FRAME", "1KiB")], &[]).unwrap();
    let expected = "the environment has DESKBELL_LIMITS_FRAME, which Deskbell does not know; \
                    did you mean DESKBELL_LIMIT_FRAME?";
    assert_eq!(near.warnings, [expected]);
    let platform = [("DESKBELL_PORT_8080_TCP_ADDR", "10.0.0.7"), ("DESKBELL_SERVICE_HOST", "10.0.0.7")];
    assert!(load("", &platform, &[]).unwrap().warnings.is_empty());
}

#[test]
fn a_list_can_be_written_in_a_variable_with_commas_or_as_toml() {
    let commas = [("DESKBELL_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8")];
    let toml = [("DESKBELL_TRUSTED_PROXIES", "[\"127.0.0.1\", '10.0.0.0/8']")];
    let nets = |environment: &[(&str, &str)]| load("", environment, &[]).unwrap().trusted_proxies;
    assert_eq!(nets(&commas), nets(&toml));
    assert_eq!(nets(&commas).len(), 2);
    let listen = load("", &[("DESKBELL_LISTEN", "127.0.0.1:81,[::1]:82")], &[]).unwrap().listen;
    assert_eq!(listen.iter().map(|listen| listen.addr.port()).collect::<Vec<_>>(), [81, 82]);
    let first_is_ipv6 = load("", &[("DESKBELL_LISTEN", "[::1]:81,127.0.0.1:82")], &[]).unwrap().listen;
    assert_eq!(first_is_ipv6.iter().map(|listen| listen.addr.port()).collect::<Vec<_>>(), [81, 82]);
    assert!(load("", &[("DESKBELL_TRUSTED_PROXIES", "[]")], &[]).unwrap().trusted_proxies.is_empty());
    let rows = [("DESKBELL_CHANNELS", "[{ pattern = \"typing-*\", class = \"ephemeral\" }]")];
    assert_eq!(load("", &rows, &[]).unwrap().channels[0].pattern, "typing-*");
    let broken = load("", &[("DESKBELL_CHANNELS", "[{ pattern ")], &[]).unwrap_err().to_string();
    assert!(broken.starts_with("environment DESKBELL_CHANNELS: channels: is no TOML list: "), "{broken}");
}

#[test]
fn a_default_rises_with_the_option_it_follows() {
    let settings = from_file("heartbeat = \"60s\"\nlimit.frame = \"2MiB\"").unwrap();
    assert_eq!(settings.limits.idle_ms, 120_000);
    assert_eq!(settings.limits.backlog, 2 << 20);
}

#[test]
fn the_prefix_of_a_site_stands_for_its_channels_unless_they_are_listed() {
    let patterns = |file: &str, environment: &[(&str, &str)]| -> Vec<String> {
        let redis = load(file, environment, &[]).unwrap().redis;
        redis.channels.into_iter().map(|channel| channel.pattern).collect()
    };
    let usual = ["laravel_database_*", "laravel-database-*"];
    assert_eq!(patterns("", &[]), usual);
    for nothing in ["", "null"] {
        assert_eq!(patterns("", &[("REDIS_PREFIX", nothing)]), usual, "{nothing}");
    }
    let clinic = [("REDIS_PREFIX", "clinic_database_")];
    assert_eq!(patterns("", &clinic), ["clinic_database_*"]);
    assert_eq!(patterns("redis.prefix = \"gym-\"", &clinic), ["clinic_database_*"], "as with every variable");
    assert_eq!(patterns("redis.prefix = \"gym-*\"", &[]), ["gym-*"]);
    assert_eq!(patterns("redis.channels = [\"shop_*\"]", &clinic), ["shop_*"]);
    assert!(load("", &[("REDIS_PREFIX", "a b")], &[]).is_err());
}

#[test]
fn nothing_in_a_variable_of_the_site_is_nothing() {
    let of_site = |host: &str, port: &str, password: &str| {
        let environment = [("REDIS_HOST", host), ("REDIS_PORT", port), ("REDIS_PASSWORD", password)];
        let redis = load("", &environment, &[]).unwrap().redis;
        (redis.host, redis.port, redis.password.map(|password| password.expose().to_owned()))
    };
    let host = Some("cache".to_owned());
    assert_eq!(
        of_site("cache", "6380", "a-long-secret"),
        (host.clone(), 6380, Some("a-long-secret".to_owned()))
    );
    for nothing in ["", "null", "(null)"] {
        assert_eq!(of_site("cache", nothing, nothing), (host.clone(), 6379, None), "{nothing}");
        assert_eq!(of_site(nothing, "6379", nothing), (None, 6379, None), "{nothing}");
    }
    // What Kubernetes sets beside a service called redis is no number, and not meant for us.
    assert_eq!(of_site("cache", "tcp://10.0.0.7:6379", "null"), (host, 6379, None));
    // In a variable of our own the word is what it says.
    let own = load("", &[("DESKBELL_REDIS_PASSWORD", "null")], &[]).unwrap();
    assert_eq!(own.redis.password.unwrap().expose(), "null");
    assert!(load("", &[("REDIS_PORT", "six")], &[]).unwrap_err().to_string().contains("REDIS_PORT"));
}

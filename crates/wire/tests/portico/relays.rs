//! The table of relays cell by cell, and what stays closed in every mode.

use deskbell_wire::portico::SessionId;
use deskbell_wire::portico::relays::{Mode, Verdict, Wish, judge};

#[test]
fn the_table_is_as_written() {
    use Verdict::{Label, No, Proof, Rules, Yes};
    let row = |wish| Mode::ALL.map(|mode| judge(mode, wish));
    for (wish, expected) in [
        (Wish::TellEverybody, [No, Yes, Yes]),
        (Wish::EnterEntity, [Rules, Yes, Yes]),
        (Wish::TellOwnRoom, [Rules, Yes, Yes]),
        (Wish::TellForeignRoom, [No, No, Yes]),
        (Wish::TellTabs, [Yes, Yes, Yes]),
        (Wish::BeUser, [Proof, Label, Label]),
        (Wish::OpenSession, [Yes, Yes, Yes]),
        (Wish::OpenWeakSession, [No, No, Yes]),
    ] {
        assert_eq!(row(wish), expected, "{wish:?} in normal mode, with the switch, with --dev");
    }
}

#[test]
fn an_id_that_could_be_guessed_opens_nothing_but_on_a_developers_machine() {
    let open = |length: usize| Wish::open(&SessionId::parse(&"a".repeat(length)).unwrap());
    assert_eq!(
        [open(15), open(16), open(192)],
        [Wish::OpenWeakSession, Wish::OpenSession, Wish::OpenSession]
    );
    assert!(SessionId::parse(&"a".repeat(193)).is_err());
    let (short, long) = (SessionId::parse("abc").unwrap(), SessionId::parse("abcdefghijklmnopq").unwrap());
    assert_eq!(
        (short.short().as_str(), long.short().as_str()),
        ("...", "abcdefgh..."),
        "none of a short one shows"
    );
    assert!(!format!("{long:?}").contains("abc"), "nor any in a log");
}

#[test]
fn each_mode_allows_what_the_one_before_it_allows() {
    let openness = |verdict| match verdict {
        Verdict::No => 0,
        Verdict::Rules | Verdict::Proof => 1,
        Verdict::Label | Verdict::Yes => 2,
    };
    for wish in Wish::ALL {
        let [normal, relays, dev] = Mode::ALL.map(|mode| openness(judge(mode, wish)));
        assert!(normal <= relays && relays <= dev, "{wish:?}");
    }
}

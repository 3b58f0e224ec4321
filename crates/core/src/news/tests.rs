//! What is kept, what is told, and when it is given up.

use super::*;

fn channel(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

const ALL: [Kind; 7] =
    [Kind::Occupied, Kind::Vacated, Kind::Came, Kind::Went, Kind::Said, Kind::Missed, Kind::Count];

fn desk() -> Desk {
    Desk::open(ALL.into_iter().collect(), Kept::default(), 0)
}

/// What is told now, noted and taken.
fn due(desk: &mut Desk, now: Millis) -> Vec<News> {
    desk.settle(now);
    let changes = desk.changes();
    desk.noted(&changes);
    let told = desk.next(usize::MAX);
    desk.told(told.len());
    told
}

/// What the store has of a desk whose process was killed.
fn kept(desk: &mut Desk) -> Kept {
    let Changes { new, moved, told } = desk.changes();
    let here = moved.into_iter().filter(|(_, stands)| *stands == Stands::Here).map(|(subject, _)| subject);
    Kept { here: here.collect(), waiting: new.into_iter().filter(|(number, _)| *number > told).collect() }
}

#[test]
fn whoever_comes_back_in_time_was_never_away() {
    let mut desk = desk();
    let user: Arc<str> = "7".into();
    desk.take(News::Occupied(channel("a")), 0);
    desk.take(News::Came(channel("a"), user.clone()), 0);
    assert_eq!(due(&mut desk, 0).len(), 2);
    desk.take(News::Went(channel("a"), user.clone()), 10);
    desk.take(News::Vacated(channel("a")), 10);
    desk.take(News::Occupied(channel("a")), 11);
    assert_eq!(desk.wake(), Some(10 + limits::NEWS_GRACE));
    assert!(due(&mut desk, 9 + limits::NEWS_GRACE).is_empty());
    assert_eq!(due(&mut desk, 10 + limits::NEWS_GRACE), [News::Went(channel("a"), user)]);
    assert_eq!(desk.wake(), None);
}

#[test]
fn a_second_leaving_waits_its_own_time() {
    let mut desk = desk();
    desk.take(News::Vacated(channel("a")), 0);
    desk.take(News::Occupied(channel("a")), 1);
    desk.take(News::Vacated(channel("a")), 2);
    assert!(due(&mut desk, limits::NEWS_GRACE + 1).is_empty());
    assert_eq!(due(&mut desk, limits::NEWS_GRACE + 2), [News::Vacated(channel("a"))]);
}

#[test]
fn a_miss_is_told_once_in_a_while_and_what_waits_is_bounded() {
    let mut desk = desk();
    desk.take(News::Missed(channel("cache-a")), 0);
    desk.take(News::Missed(channel("cache-a")), 1);
    desk.take(News::Missed(channel("cache-a")), limits::NEWS_MISSED_GAP);
    assert_eq!(due(&mut desk, 0).len(), 2);
    for n in 0..limits::NEWS_WAITING + 5 {
        desk.take(News::Count(channel("a"), n), 0);
    }
    assert_eq!(desk.lost(), 5);
    let mut told = 0;
    while let more @ 1.. = due(&mut desk, 0).len() {
        assert!(more <= limits::NEWS_NOTED, "a note is bounded, and nothing is told before it is noted");
        told += more;
    }
    assert_eq!(told, limits::NEWS_WAITING);
}

#[test]
fn nothing_is_told_before_it_is_noted_and_what_was_not_noted_is_noted_the_next_time() {
    let mut desk = desk();
    desk.take(News::Occupied(channel("a")), 0);
    assert!(desk.next(10).is_empty());
    let changes = desk.changes();
    assert_eq!(changes.new, [(1, News::Occupied(channel("a")))]);
    // The store refuses it, and meanwhile everybody has gone.
    desk.take(News::Vacated(channel("a")), 1);
    desk.settle(1 + limits::NEWS_GRACE);
    desk.take_back(changes);
    assert!(desk.next(10).is_empty() && desk.is_new());
    let changes = desk.changes();
    assert_eq!(changes.new.len(), 2);
    assert_eq!(changes.moved.into_values().collect::<Vec<_>>(), [Stands::Gone], "the later one counts");
}

#[test]
fn who_was_here_at_a_crash_may_come_back_and_is_gone_otherwise() {
    let mut desk = desk();
    for name in ["back", "away"] {
        desk.take(News::Occupied(channel(name)), 0);
    }
    let mut after = Desk::open(desk.kinds, kept(&mut desk), 30_000);
    assert_eq!(after.next(10).len(), 2, "what was not told before the crash is told behind it");
    after.take(News::Occupied(channel("back")), 100);
    // Who leaves later than the start and has a shorter time comes first.
    after.take(News::Occupied(channel("new")), 100);
    after.take(News::Vacated(channel("new")), 200);
    after.told(2);
    assert_eq!(due(&mut after, 29_999), [News::Occupied(channel("new")), News::Vacated(channel("new"))]);
    assert_eq!(due(&mut after, 30_000), [News::Vacated(channel("away"))]);
    // Numbers go on behind what was kept.
    assert_eq!(after.last, 5);
}

#[test]
fn whom_a_stop_sends_away_is_expected_back() {
    let mut desk = desk();
    desk.take(News::Occupied(channel("a")), 0);
    desk.take(News::Vacated(channel("a")), 1);
    desk.close();
    desk.take(News::Vacated(channel("b")), 2);
    desk.settle(limits::NEWS_GRACE * 2);
    assert_eq!((desk.next(10).len(), desk.wake()), (0, None));
    assert_eq!(kept(&mut desk).here, [(channel("a"), None)]);
}

#[test]
fn an_endpoint_that_wants_ends_alone_hears_of_no_end_that_a_return_undoes() {
    let kinds: Kinds = [Kind::Vacated].into_iter().collect();
    let mut desk = Desk::open(kinds, Kept::default(), 0);
    desk.take(News::Occupied(channel("a")), 0);
    desk.take(News::Vacated(channel("a")), 1);
    desk.take(News::Occupied(channel("a")), 2);
    assert!(due(&mut desk, 2 * limits::NEWS_GRACE).is_empty());
    let mut desk = Desk::open(kinds, Kept { here: vec![(channel("a"), None)], waiting: vec![] }, 10);
    assert_eq!(due(&mut desk, 10), [News::Vacated(channel("a"))]);
}

/// When something is told that nobody takes, if each attempt lasts so long.
fn attempts(patience: Millis, each: Millis) -> Vec<Millis> {
    let (mut at, mut now) = (vec![0], each);
    while let Some(wait) = again(at.len() as u32, now, patience) {
        at.push(now + wait);
        now += wait + each;
    }
    at
}

#[test]
fn what_is_not_taken_is_told_again_ever_more_rarely_and_given_up_after_five_minutes() {
    let seconds = |at: Vec<Millis>| at.into_iter().map(|at| at / 1_000).collect::<Vec<_>>();
    assert_eq!(seconds(attempts(limits::NEWS_PATIENCE, 0)), [0, 1, 3, 7, 15, 31, 63, 127, 255]);
    // Whoever answers late is asked less often, and given up no later.
    assert_eq!(seconds(attempts(limits::NEWS_PATIENCE, 10_000)), [0, 11, 23, 37, 55, 81, 123, 197]);
    // The last moment counts, and none behind it.
    assert_eq!((again(9, 44_000, 300_000), again(9, 44_001, 300_000)), (Some(256_000), None));
    assert_eq!(attempts(0, 0), [0]);
    assert_eq!(again(100, 0, limits::DAY), None);
}

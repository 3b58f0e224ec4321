//! Inboxes and conversations in a real file: one suite for whatever stores there are.

mod expiry;
mod histories;

use std::sync::Arc;

use deskbell_core::access::{Identity, Rules};
use deskbell_core::ids::{ConversationId, EventId, Topic, UserId};
use deskbell_core::limits::{DAY, HOUR, Millis};
use deskbell_core::log::{Once, Row};
use deskbell_core::post::{Act, Beginning, Command, Content, Tone, Ways};
use deskbell_core::refusal::Code;
use deskbell_core::reservation::Actor;

use super::{APP, NOW, Scratch, is_over_postgres, seeds};
use crate::store::{Asked, Done, Errand, Ledger, Look, NotificationPage, PostLook, PostSeen, Seen, Settled};

/// A ledger, where it lies, and what time it is.
struct Stand {
    scratch: Scratch,
    ledger: Option<Ledger>,
    now: Millis,
    rows: Vec<Row>,
}

impl Stand {
    fn new() -> Self {
        let mut stand = Self { scratch: Scratch::new(), ledger: None, now: NOW, rows: Vec::new() };
        stand.restart();
        stand
    }

    /// The process ends without a word and a new one starts.
    fn restart(&mut self) {
        self.ledger = None;
        let opened = self.scratch.open();
        self.scratch.set_time(self.now);
        self.ledger = Some(opened.ledger(self.now, seeds()).unwrap());
    }

    fn ledger(&mut self) -> &mut Ledger {
        self.ledger.as_mut().unwrap()
    }

    fn batch(&mut self, errands: &[Errand]) -> Done {
        let now = self.now;
        self.scratch.set_time(now);
        let done = self.ledger().batch_of(now, &Asked { errands, ..Asked::default() });
        self.rows.extend(done.rows.iter().map(|(_, row)| row.clone()));
        done
    }

    fn together(&mut self, acts: Vec<Act>) -> Vec<Result<Settled, Code>> {
        let errands: Vec<Errand> = acts.into_iter().map(|act| errand(Actor::backend(), act)).collect();
        self.batch(&errands).settled.into_iter().map(|settled| settled.map_err(|no| no.code)).collect()
    }

    fn ask(&mut self, act: Act) -> Result<Settled, Code> {
        self.together(vec![act]).pop().unwrap()
    }

    fn see(&mut self, look: PostLook) -> PostSeen {
        match self.ledger().look(APP, &Look::Post(look)).unwrap().seen {
            Seen::Post(seen) => seen,
            other => panic!("{other:?}"),
        }
    }

    /// How much is unread, and the numbers of a page.
    fn page(
        &mut self,
        name: &str,
        before: Option<u64>,
        limit: usize,
        unread: bool,
    ) -> (u64, Vec<u64>, NotificationPage) {
        let look = PostLook::Notifications { user: user(name), before, limit, unread, topic: None };
        let PostSeen::Notifications(inbox, page) = self.see(look) else { panic!() };
        (inbox.unread, page.notifications.iter().map(|one| one.number).collect(), page)
    }

    /// Names of the events of all rows on a channel.
    fn told(&self, channel: &str) -> Vec<String> {
        let events = self.rows.iter().flat_map(|row| &row.drafts).map(|draft| &draft.event);
        events.filter(|event| event.channel.as_str() == channel).map(|event| event.name.to_string()).collect()
    }

    fn sound(&mut self) {
        assert_eq!(self.ledger().verify().unwrap().problems, Vec::<String>::new());
    }

    fn sql(&mut self, statements: &str) {
        for statement in statements.split_terminator(";;") {
            self.ledger().tables.db.execute(statement, &[]).unwrap();
        }
    }

    fn count(&mut self, question: &str) -> i64 {
        self.ledger().tables.db.number(question, &[]).unwrap()
    }
}

fn errand(actor: Actor, act: Act) -> Errand {
    Errand { app: APP, command: Command { actor, act }, once: None }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn of(name: &str) -> Actor {
    Actor { identity: Arc::new(Identity::user(user(name))), rules: Rules::default(), connected: false }
}

fn conversation(name: &str) -> ConversationId {
    ConversationId::parse(name).unwrap()
}

fn notify(names: &[&str]) -> Act {
    let content = Content {
        id: EventId::parse("n").unwrap(),
        topic: Topic::parse("t").unwrap(),
        title: "Title".into(),
        body: None,
        data: None,
    };
    let users = names.iter().map(|name| user(name)).collect();
    Act::Notify {
        users,
        content: Arc::new(content),
        ways: Ways { in_app: true, webhook: false },
        tone: Tone::Rings,
    }
}

fn create(name: &str, members: &[&str]) -> Act {
    let members = members.iter().map(|name| user(name)).collect();
    Act::Create { id: Some(conversation(name)), title: None, data: None, members }
}

fn say(name: &str, who: &str) -> Act {
    let data = serde_json::from_str("\"words\"").unwrap();
    Act::Send { id: conversation(name), of: Some(user(who)), message: None, data }
}

#[test]
fn commands_of_one_commit_see_each_other_and_survive_the_end_of_the_process() {
    let mut stand = Stand::new();
    let read = |numbers: &[u64]| Act::Read { of: Some(user("ann")), numbers: numbers.to_vec() };
    let answers = stand.together(vec![
        notify(&["ann"]),
        notify(&["ann", "bob"]),
        read(&[1, 7]),
        Act::Delete { of: Some(user("ann")), numbers: vec![2] },
        notify(&["ann"]),
    ]);
    let unread: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().reply.unread).collect();
    assert_eq!(unread, [None, None, Some(1), Some(0), None]);
    stand.sound();
    stand.restart();
    assert_eq!(stand.page("ann", None, 9, false).1, [3, 1]);
    assert_eq!(stand.page("ann", None, 9, true).1, [3]);
    assert_eq!((stand.page("ann", None, 9, false).0, stand.page("bob", None, 9, false).0), (1, 1));
    let names = [
        "notification.created",
        "notification.created",
        "notification.read",
        "notification.deleted",
        "notification.created",
    ];
    assert_eq!(stand.told("user:ann"), names);
    stand.sound();
}

#[test]
fn a_key_finds_the_first_answer_for_a_day_also_after_a_restart() {
    let mut stand = Stand::new();
    let keyed =
        |body| Errand { once: Some(Once { key: 7, body }), ..errand(Actor::backend(), notify(&["ann"])) };
    let first = stand.batch(&[keyed(1)]).settled.pop().unwrap().unwrap();
    stand.restart();
    let again = stand.batch(&[keyed(1)]).settled.pop().unwrap().unwrap();
    assert!((again.repeated, again.row, again.reply.notified) == (true, first.row, Some(1)), "{again:?}");
    assert_eq!(stand.batch(&[keyed(2)]).settled.pop().unwrap().unwrap_err().code, Code::KeyReused);
    stand.now += DAY;
    assert!(!stand.batch(&[keyed(2)]).settled.pop().unwrap().unwrap().repeated);
    assert_eq!(stand.page("ann", None, 9, false).1, [2, 1]);
}

#[test]
fn one_that_cannot_be_written_takes_no_other_with_it() {
    let mut stand = Stand::new();
    stand.ask(create("c", &["ann"])).unwrap();
    let planted = stand.scratch.in_words_of_the_store(
        "CREATE TEMP TRIGGER planted BEFORE INSERT ON main.notifications WHEN NEW.owner = 'bob'
         BEGIN SELECT RAISE(FAIL, 'planted by the test'); END",
        "ALTER TABLE notifications ADD CONSTRAINT planted CHECK (owner <> 'bob')",
    );
    stand.sql(planted);
    let answers =
        stand.together(vec![notify(&["ann"]), notify(&["ann", "bob"]), say("c", "ann"), notify(&["ann"])]);
    let kinds: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().copied()).collect();
    assert_eq!(kinds, [None, Some(Code::Unavailable), None, None]);
    assert_eq!(stand.page("ann", None, 9, false).1, [2, 1], "as if nobody had asked for the second");
    stand.sound();
}

#[test]
fn memberships_are_told_in_the_order_of_the_rows_and_known_after_a_restart() {
    let mut stand = Stand::new();
    stand.ask(notify(&["ann"])).unwrap();
    let add = |from| Act::Add { id: conversation("c"), user: user("bob"), from };
    let remove = || Act::Remove { id: conversation("c"), user: Some(user("bob")) };
    let done = stand.batch(
        &[
            create("c", &["ann"]),
            add(Beginning::Start),
            say("c", "bob"),
            remove(),
            say("c", "ann"),
            add(Beginning::Now),
        ]
        .map(|act| errand(Actor::backend(), act)),
    );
    let rows: Vec<_> = done.moved.iter().map(|(_, one)| (one.user.to_string(), one.from_row)).collect();
    let expected = [("ann", Some(1)), ("bob", Some(0)), ("bob", None), ("bob", Some(6))];
    assert_eq!(rows, expected.map(|(name, row)| (name.to_owned(), row)));
    stand.sound();
    let known = |stand: &Stand| {
        let opened = crate::store::Members::load(&stand.scratch.connect());
        opened.unwrap().with(APP, |all| ["ann", "bob"].map(|name| all.of_channel("conversation:c", name)))
    };
    assert_eq!(known(&stand), [Some(1), Some(6)]);
    let look = |who: Option<&str>| PostLook::Messages {
        id: conversation("c"),
        user: who.map(user),
        before: None,
        limit: 9,
    };
    let mut seen = |who| match stand.see(look(who)) {
        PostSeen::Messages(Some((_, page))) => page.messages.iter().map(|one| one.number).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!((seen(Some("ann")), seen(Some("bob")), seen(None)), (vec![2, 1], vec![], vec![2, 1]));
    assert_eq!(seen(Some("eve")), [0; 0], "a stranger's eyes see nothing");
}

#[test]
fn an_inbox_of_a_hundred_thousand_is_read_counted_and_marked_in_some_milliseconds() {
    let mut stand = Stand::new();
    stand.ask(notify(&["ann"])).unwrap();
    let count = stand.scratch.in_words_of_the_store(
        "UPDATE inboxes SET body = json_set(body, '$.newest', 100000, '$.unread', 100000)",
        "UPDATE inboxes SET body = (body::jsonb || '{\"newest\": 100000, \"unread\": 100000}')::text",
    );
    stand.sql(&format!(
        "INSERT INTO notifications
         SELECT app, owner, n, at, CASE WHEN n % 50000 = 0 THEN 'rare' ELSE topic END, 0, body
         FROM notifications, (WITH RECURSIVE r(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM r WHERE n < 100000)
                              SELECT n FROM r) AS numbers;;
         {count}"
    ));
    stand.restart();
    stand.sound();
    let mut least = |what: &str, act: &mut dyn FnMut(&mut Stand)| {
        let mut once = || {
            if what == "reading all" {
                stand.ask(notify(&["ann"])).unwrap();
            }
            let begun = crate::clock::monotonic_us();
            act(&mut stand);
            crate::clock::monotonic_us() - begun
        };
        let time = (0..5).map(|_| once()).min().unwrap();
        // A database is another program, which has to come to its turn on a busy machine.
        let bound = if is_over_postgres() { 50_000 } else { 10_000 };
        assert!(time < bound, "{what}: {time} µs");
    };
    least("a page", &mut |stand| assert_eq!(stand.page("ann", None, 50, false).1.len(), 50));
    least("a page far back", &mut |stand| assert_eq!(stand.page("ann", Some(60), 50, false).1[0], 59));
    let rare = |before| PostLook::Notifications {
        user: user("ann"),
        before,
        limit: 50,
        unread: false,
        topic: Some(Topic::parse("rare").unwrap()),
    };
    least("a page of what there is hardly any of", &mut |stand| {
        let PostSeen::Notifications(_, page) = stand.see(rare(Some(90_000))) else { panic!() };
        assert_eq!((page.notifications.len(), page.next), (0, Some(88_000)), "it goes on from here");
    });
    least("the count", &mut |stand| {
        let PostSeen::Inbox(inbox) = stand.see(PostLook::Inbox(user("ann"))) else { panic!() };
        assert_eq!(inbox.unread, 100_000);
    });
    // With an fsync: that is the disk's.
    least("reading all", &mut |stand| {
        stand.ask(Act::ReadAll { of: Some(user("ann")), up_to: None }).unwrap();
    });
    least("a page of what is unread", &mut |stand| assert_eq!(stand.page("ann", None, 50, true).1, [0; 0]));
    stand.sound();
    assert_eq!(stand.count("SELECT count(*) FROM notifications"), 100_000, "the oldest fell off");
}

#[test]
fn a_user_leaves_by_itself_and_its_file_keeps_nothing_of_it() {
    let mut stand = Stand::new();
    stand.ask(create("c", &["ann", "bob"])).unwrap();
    let leave = Act::Remove { id: conversation("c"), user: None };
    let done = stand.batch(&[errand(of("bob"), leave.clone()), errand(of("bob"), leave)]);
    let codes: Vec<_> = done.settled.iter().map(|one| one.as_ref().err().map(|no| no.code)).collect();
    assert_eq!(codes, [None, Some(Code::NotFound)]);
    assert_eq!(stand.count("SELECT count(*) FROM members"), 1);
    stand.now += HOUR;
    stand.sound();
}

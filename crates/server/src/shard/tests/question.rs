//! A question comes behind everything that was published before it, also where the shard has not looked yet.

use bytes::Bytes;
use deskbell_wire::engineio::Sid;
use tokio::sync::oneshot;

use super::*;
use crate::shard::{Opening, Request};
use crate::socketio::Question;

/// A Socket.IO client that polls.
struct Poller {
    sid: Sid,
}

impl Poller {
    fn arrive(stage: &mut Stage) -> Self {
        let sid = Sid::from_random([7; 16]);
        let opening = Opening { sid, takes: [false; 2], upgrades: false, cookie: None, hail: None };
        let (answer, mut told) = oneshot::channel();
        stage.arrive(Way::Polling { answer, opening });
        stage.turn();
        told.try_recv().unwrap();
        Self { sid }
    }

    fn post(&self, stage: &mut Stage, body: &'static str) {
        let (answer, mut told) = oneshot::channel();
        let request = Request::Post(Bytes::from(body), answer);
        stage.hub.mailboxes[0].post(Letter::Engine { session: self.sid, request }).unwrap();
        stage.turn();
        assert_eq!(told.try_recv().unwrap().body, &b"ok"[..], "{body}");
    }

    fn ask(&self, stage: &mut Stage) -> oneshot::Receiver<deskbell_wire::engineio::answer::Answer> {
        let (answer, told) = oneshot::channel();
        let request = Request::Get(1, answer);
        stage.hub.mailboxes[0].post(Letter::Engine { session: self.sid, request }).unwrap();
        stage.turn();
        told
    }
}

fn text(told: &mut oneshot::Receiver<deskbell_wire::engineio::answer::Answer>) -> String {
    String::from_utf8(told.try_recv().unwrap().body.into_owned()).unwrap()
}

#[test]
fn what_was_published_before_comes_before_a_question() {
    let mut stage = Stage::new("question", "");
    let poller = Poller::arrive(&mut stage);
    poller.post(&mut stage, "40");
    poller.post(&mut stage, "42[\"join_room\",\"lobby\"]");
    assert!(text(&mut poller.ask(&mut stage)).starts_with("40{"));
    let mut waiting = poller.ask(&mut stage);
    stage.publish("lobby", 1, 0);
    let what =
        (ChannelName::parse("lobby").unwrap(), EventName::parse("q").unwrap(), Data::json("null".to_owned()));
    let question = Arc::new(Question::new(0, 0, what, None));
    let (done, _asked) = oneshot::channel();
    stage.hub.mailboxes[0].post(Letter::Question { question, done }).unwrap();
    stage.publish("lobby", 2, 0);
    stage.turn();
    let said = text(&mut waiting);
    let packets: Vec<&str> = said.split('\u{1e}').collect();
    assert_eq!(packets, ["42[\"e\",[1,\"\"]]", "42[\"e\",[2,\"\"]]", "420[\"q\",null]"], "{said}");
}

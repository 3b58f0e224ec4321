//! What the data file shows of inboxes and conversations, against the lists.

use deskbell_server::store::{Look, MessagePage, NotificationPage, PostLook, PostSeen, Seen};

use super::naive::{Inbox, Naive, One, Talk};
use super::program::{PEOPLE, TALKS, talk, user};
use crate::check::Checked;
use crate::world::{APP, Process};

/// Pages are short, so that there are several.
const PAGE: usize = 3;

/// Everything that anybody can see is what the lists say, and the store finds nothing wrong with itself.
pub fn look(process: &mut Process, naive: &Naive) -> Checked {
    let verdict = process.ledger.verify().map_err(|failure| format!("the file cannot be read: {failure}"))?;
    if !verdict.problems.is_empty() {
        return Err(format!("the store finds wrong with its file: {:?}", verdict.problems));
    }
    PEOPLE.iter().try_for_each(|name| inbox(process, naive, name))?;
    TALKS.iter().try_for_each(|name| conversation(process, naive.talks.get(*name), name))
}

fn see(process: &mut Process, look: PostLook) -> Checked<PostSeen> {
    match process.ledger.look(APP, &Look::Post(look)) {
        Ok(sighting) => match sighting.seen {
            Seen::Post(seen) => Ok(seen),
            other => Err(format!("a look shows {other:?}")),
        },
        Err(failure) => Err(format!("a look fails: {failure}")),
    }
}

fn inbox(process: &mut Process, naive: &Naive, name: &str) -> Checked {
    let nothing = Inbox::default();
    let expected = naive.inboxes.get(name).unwrap_or(&nothing);
    for unread in [false, true] {
        let (mut shown, mut before) = (Vec::new(), None);
        loop {
            let look = PostLook::Notifications { user: user(name), before, limit: PAGE, unread, topic: None };
            let PostSeen::Notifications(inbox, page) = see(process, look)? else {
                return Err("a page is none".to_owned());
            };
            if (inbox.unread, inbox.newest) != (expected.unread(), expected.newest) {
                return Err(format!("{name} has {inbox:?} for {expected:?}"));
            }
            let NotificationPage { notifications, next } = page;
            shown.extend(notifications.into_iter().map(|one| One {
                number: one.number,
                at: one.at,
                title: one.content.title.to_string(),
                read: one.read,
            }));
            let Some(next) = next else { break };
            before = Some(next);
        }
        shown.reverse();
        let mut list = expected.list.clone();
        list.retain(|one| !unread || !one.read);
        if shown != list {
            return Err(format!("{name} is shown {shown:?} for {list:?}"));
        }
    }
    Ok(())
}

fn conversation(process: &mut Process, expected: Option<&Talk>, name: &str) -> Checked {
    let PostSeen::Conversation(found) = see(process, PostLook::Conversation(talk(name)))? else {
        return Err("a conversation is none".to_owned());
    };
    let (Some(found), Some(expected)) = (&found, expected) else {
        let same = found.is_some() == expected.is_some();
        return if same { Ok(()) } else { Err(format!("{name} is {found:?} for {expected:?}")) };
    };
    let shown = found.members.iter().map(|(user, member)| (user.to_string(), member.from, member.read));
    let wanted = expected.members.iter().map(|(user, member)| (user.clone(), member.from, member.read));
    if !shown.eq(wanted) {
        return Err(format!("{name} has {:?} for {:?}", found.members, expected.members));
    }
    // As nobody in particular, and with the eyes of each member.
    let eyes = expected.members.iter().map(|(user, member)| (Some(user.as_str()), member.from));
    for (who, from) in eyes.chain([(None, 0)]) {
        let said = messages(process, name, who)?;
        let heard: Vec<(u64, String, String)> = (1_u64..)
            .zip(&expected.messages)
            .filter(|(number, _)| *number > from)
            .map(|(number, (from, text))| (number, from.clone(), text.clone()))
            .collect();
        if said != heard {
            return Err(format!("{who:?} reads {said:?} in {name} for {heard:?}"));
        }
    }
    Ok(())
}

fn messages(process: &mut Process, name: &str, who: Option<&str>) -> Checked<Vec<(u64, String, String)>> {
    let (mut said, mut before) = (Vec::new(), None);
    loop {
        let look = PostLook::Messages { id: talk(name), user: who.map(user), before, limit: PAGE };
        let PostSeen::Messages(Some((_, page))) = see(process, look)? else {
            return Err(format!("{name} has no messages"));
        };
        let MessagePage { messages, next } = page;
        said.extend(messages.into_iter().map(|one| {
            let from = one.from.map(|from| from.to_string()).unwrap_or_default();
            (one.number, from, one.data.get().to_owned())
        }));
        let Some(next) = next else { break };
        before = Some(next);
    }
    said.reverse();
    Ok(said)
}

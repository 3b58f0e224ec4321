//! Notifications: they come, are read, and go.

use std::sync::Arc;

use super::{Done, Stop, Work, refuse};
use crate::ids::UserId;
use crate::limits;
use crate::post::command::Tone;
use crate::post::model::{Content, Inbox, Notification};
use crate::post::outcome::{Reply, Told};
use crate::post::preference::{Preferences, Ways};
use crate::post::slice::Key;
use crate::refusal::Code;

impl Work<'_> {
    /// Puts a notification into inboxes, on the ways that each user allows.
    pub(super) fn notify(
        &mut self,
        users: &[UserId],
        content: &Arc<Content>,
        ways: Ways,
        tone: Tone,
    ) -> Result<Done, Stop> {
        if !self.actor.is_backend() {
            return refuse(
                Code::Denied,
                "only a backend notifies; send the app's secret in place of a token",
            );
        }
        let unknown: Vec<Key> = users
            .iter()
            .filter(|user| self.slice.inbox(user).is_none())
            .map(|user| Key::Inbox(user.clone()))
            .collect();
        if !unknown.is_empty() {
            return Err(Stop::NeedMore(unknown));
        }
        let mut missing = Vec::new();
        let mut notified = 0;
        for user in users {
            match self.notify_one(user, content, ways, tone) {
                Ok(reached) => notified += u64::from(reached),
                // All of them are asked for at once: each question costs a look at every user.
                Err(Stop::NeedMore(keys)) => missing.extend(keys),
                Err(refused) => return Err(refused),
            }
        }
        if !missing.is_empty() {
            return Err(Stop::NeedMore(missing));
        }
        let reply = Reply { notified: Some(notified), ..Reply::default() };
        Ok(if notified == 0 { Done::Same(reply) } else { Done::Changed(reply) })
    }

    fn notify_one(
        &mut self,
        user: &UserId,
        content: &Arc<Content>,
        ways: Ways,
        tone: Tone,
    ) -> Result<bool, Stop> {
        let mut inbox = self.inbox(user)?;
        let ways = inbox.preferences.allow(&content.topic, ways);
        let not_before = inbox.preferences.quiet_until(self.moment.now);
        let mut number = None;
        if ways.in_app {
            number = Some(self.put_in(user, &mut inbox, content)?);
            let told = Told::Notified {
                user: user.clone(),
                number: inbox.newest,
                unread: inbox.unread,
                content: content.clone(),
                quiet: not_before.is_some() || tone == Tone::Silent,
            };
            self.change.told.push(told);
            self.change.inboxes.push((user.clone(), inbox));
        }
        if ways.webhook {
            let (user, content) = (user.clone(), content.clone());
            self.change.told.push(Told::Webhook { user, number, content, not_before });
        }
        Ok(ways.in_app || ways.webhook)
    }

    /// The newest comes in, and from a full inbox the oldest falls off.
    fn put_in(&mut self, user: &UserId, inbox: &mut Inbox, content: &Arc<Content>) -> Result<u64, Stop> {
        let number = inbox.newest + 1;
        let fallen = number.saturating_sub(limits::INBOX);
        if fallen > inbox.gone_up_to {
            let mark = self.known_mark(user, fallen)?;
            if let Some(marked) = mark {
                if !inbox.is_read(fallen, marked) {
                    inbox.unread = inbox.unread.saturating_sub(1);
                }
                self.change.gone.push((user.clone(), fallen));
            }
            inbox.gone_up_to = fallen;
        }
        inbox.newest = number;
        inbox.unread += 1;
        inbox.oldest.get_or_insert(self.moment.now);
        let notification = Notification { number, at: self.moment.now, content: content.clone() };
        self.change.notifications.push((user.clone(), notification));
        Ok(number)
    }

    fn known_mark(&self, user: &UserId, number: u64) -> Result<Option<bool>, Stop> {
        self.slice.mark(user, number).ok_or_else(|| Stop::NeedMore(vec![Key::Mark(user.clone(), number)]))
    }

    /// The named ones that are there, with whether each was read by itself.
    fn named(&self, user: &UserId, inbox: &Inbox, numbers: &[u64]) -> Result<Vec<(u64, bool)>, Stop> {
        let mut numbers: Vec<u64> =
            numbers.iter().copied().filter(|number| inbox.may_have(*number)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let unknown: Vec<Key> = numbers
            .iter()
            .filter(|number| self.slice.mark(user, **number).is_none())
            .map(|number| Key::Mark(user.clone(), *number))
            .collect();
        if !unknown.is_empty() {
            return Err(Stop::NeedMore(unknown));
        }
        let there = |number: u64| Some((number, self.slice.mark(user, number)??));
        Ok(numbers.into_iter().filter_map(there).collect())
    }

    /// Marks some as read.
    pub(super) fn read(&mut self, user: &UserId, numbers: &[u64]) -> Result<Done, Stop> {
        let mut inbox = self.inbox(user)?;
        let found = self.named(user, &inbox, numbers)?;
        let news: Vec<u64> = found
            .into_iter()
            .filter(|(number, marked)| !inbox.is_read(*number, *marked))
            .map(|(number, _)| number)
            .collect();
        inbox.unread = inbox.unread.saturating_sub(news.len() as u64);
        let unread = inbox.unread;
        if news.is_empty() {
            return Ok(Done::Same(Reply { unread: Some(unread), ..Reply::default() }));
        }
        self.change.read.extend(news.iter().map(|number| (user.clone(), *number)));
        let told = Told::Read { user: user.clone(), numbers: news, unread };
        Ok(self.changed(user, inbox, told))
    }

    /// Marks all as read, or all up to one: a mark moves, whatever there is.
    pub(super) fn read_all(&mut self, user: &UserId, up_to: Option<u64>) -> Result<Done, Stop> {
        let mut inbox = self.inbox(user)?;
        let up_to = up_to.map_or(inbox.newest, |up_to| up_to.min(inbox.newest));
        let mut unread = 0;
        if up_to < inbox.newest {
            if inbox.newest - up_to > limits::READ_BEHIND {
                let sentence = "`up_to` is one of the newest 1,000; read older ones by their `numbers`";
                return refuse(Code::LimitReached, sentence);
            }
            let Some(newer) = self.slice.marks_behind(user, up_to) else {
                return Err(Stop::NeedMore(vec![Key::MarksBehind(user.clone(), up_to)]));
            };
            let there = newer.iter().filter(|(number, _)| inbox.may_have(*number));
            unread = there.filter(|(number, marked)| !inbox.is_read(*number, *marked)).count() as u64;
        }
        if unread >= inbox.unread {
            return Ok(Done::Same(Reply { unread: Some(inbox.unread), ..Reply::default() }));
        }
        inbox.read_up_to = inbox.read_up_to.max(up_to);
        inbox.unread = unread;
        let told = Told::ReadAll { user: user.clone(), up_to, unread };
        Ok(self.changed(user, inbox, told))
    }

    /// Deletes some.
    pub(super) fn delete(&mut self, user: &UserId, numbers: &[u64]) -> Result<Done, Stop> {
        let mut inbox = self.inbox(user)?;
        let found = self.named(user, &inbox, numbers)?;
        if found.is_empty() {
            return Ok(Done::Same(Reply { unread: Some(inbox.unread), ..Reply::default() }));
        }
        let unread = found.iter().filter(|(number, marked)| !inbox.is_read(*number, *marked)).count() as u64;
        inbox.unread = inbox.unread.saturating_sub(unread);
        let numbers: Vec<u64> = found.into_iter().map(|(number, _)| number).collect();
        self.change.gone.extend(numbers.iter().map(|number| (user.clone(), *number)));
        let told = Told::Deleted { user: user.clone(), numbers, unread: inbox.unread };
        Ok(self.changed(user, inbox, told))
    }

    /// Deletes all. The rows of a store go later; nobody sees them from now on.
    pub(super) fn clear(&mut self, user: &UserId) -> Result<Done, Stop> {
        let mut inbox = self.inbox(user)?;
        if inbox.gone_up_to == inbox.newest {
            return Ok(Done::Same(Reply { unread: Some(0), ..Reply::default() }));
        }
        (inbox.gone_up_to, inbox.read_up_to, inbox.unread) = (inbox.newest, inbox.newest, 0);
        inbox.oldest = Some(0);
        let told = Told::Cleared { user: user.clone(), up_to: inbox.newest };
        Ok(self.changed(user, inbox, told))
    }

    /// Wants something else.
    pub(super) fn prefer(&mut self, user: &UserId, preferences: &Preferences) -> Result<Done, Stop> {
        let mut inbox = self.inbox(user)?;
        let preferences = Box::new(preferences.clone());
        let reply = Reply { preferences: Some(preferences.clone()), ..Reply::default() };
        if inbox.preferences == *preferences {
            return Ok(Done::Same(reply));
        }
        inbox.preferences = (*preferences).clone();
        self.change.told.push(Told::Preferred { user: user.clone(), preferences });
        self.change.inboxes.push((user.clone(), inbox));
        Ok(Done::Changed(reply))
    }

    fn changed(&mut self, user: &UserId, inbox: Inbox, told: Told) -> Done {
        let reply = Reply { unread: Some(inbox.unread), ..Reply::default() };
        self.change.told.push(told);
        self.change.inboxes.push((user.clone(), inbox));
        Done::Changed(reply)
    }
}

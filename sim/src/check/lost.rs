//! Rows of which nobody heard, because the process died between the commit and the answers: whatever was not
//! answered is wholly there or wholly absent, and its key says which.

use deskbell_core::limits::Millis;
use deskbell_core::log::Once;

use super::batch::{by_time, is_owed};
use super::{Checked, Checker, Remembered, RowSeen};
use crate::world::{Call, NEWS, Notice};

/// What was under way when the process died.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Requests.
    pub calls: Vec<Call>,
    /// Publishes.
    pub notices: Vec<Notice>,
}

impl Checker {
    /// Nobody was answered: what was asked may have happened.
    pub fn unanswered(&mut self, now: Millis, asked: Candidates) {
        self.is_now(now);
        self.unknown.extend(asked.calls);
        self.unknown_notices.extend(asked.notices);
    }

    /// A new process found these rows behind those that were known, each with its key.
    pub fn found(&mut self, rows: Vec<(RowSeen, Option<Once>)>) -> Checked {
        self.unsure = None;
        for (row, key) in rows {
            self.lost(&row, key).map_err(|why| format!("after a crash: {why}"))?;
        }
        self.unknown.clear();
        self.unknown_notices.clear();
        Ok(())
    }

    /// A new process begins at this time: never before the last row, whatever the wall clock says.
    pub fn started(&mut self, now: Millis) -> Checked {
        if now < self.last_at {
            return Err(format!("time goes back over a restart, from {} to {now}", self.last_at));
        }
        (self.time, self.started, self.failed_at) = (now, Some((now, self.head)), None);
        self.opened = (now, self.head);
        self.is_now(now);
        Ok(())
    }

    fn lost(&mut self, row: &RowSeen, key: Option<Once>) -> Checked {
        let at = row.events.first().map_or(self.time, |event| event.at);
        if row.events.iter().any(|event| event.channel.as_str() == NEWS) {
            let same = |notice: &Notice| match key {
                Some(_) => notice.once == key,
                None => row.events.iter().map(|event| event.id.as_str()).eq(notice.ids.iter()),
            };
            let notice = take(&mut self.unknown_notices, same);
            let notice = notice.ok_or_else(|| format!("nobody published row {}", row.row))?;
            return self.noticed(&notice, row);
        }
        if key.is_none()
            && let Some(command) = by_time(row)
            && self.explains(&command, row)
        {
            return self.due(row);
        }
        let place = match key {
            Some(_) => self.unknown.iter().position(|call| call.once == key),
            None => {
                let keyless = |call: &Call| call.once.is_none() && self.explains(&call.command, row);
                self.unknown.iter().position(keyless)
            }
        };
        match place {
            Some(place) => {
                let call = self.unknown.remove(place);
                let answer = self.apply(row, &call.command)?;
                self.keep(call.once, row, at, Remembered::Answer(Box::new(answer)));
                Ok(())
            }
            None if key.is_none() && is_owed(row) => self.owed(row),
            None => Err(format!("nobody asked for {row:?}")),
        }
    }
}

fn take<T>(all: &mut Vec<T>, same: impl Fn(&T) -> bool) -> Option<T> {
    let place = all.iter().position(same)?;
    Some(all.remove(place))
}

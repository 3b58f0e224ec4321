//! What one batch answered.

use std::collections::BTreeSet;
use std::collections::VecDeque;

use deskbell_core::ids::ReservationId;
use deskbell_core::limits::Millis;
use deskbell_core::log::Once;
use deskbell_core::refusal::Code;
use deskbell_core::reservation::{Command, Due, Moment, Refused};
use deskbell_server::store::{Decided, Done, Outcome};

use super::answers::{same_refusal, same_reply, same_told, told};
use super::properties::refusal_has_a_reason;
use super::{Checked, Checker, Remembered, RowSeen};
use crate::world::{Call, Notice};

impl Checker {
    /// Checks everything that a batch answered and told.
    pub fn batch(&mut self, now: Millis, calls: &[Call], notices: &[Notice], done: &Done) -> Checked {
        self.is_now(now);
        if done.rulings.len() != calls.len() || done.outcomes.len() != notices.len() {
            return Err("not everybody was answered".to_owned());
        }
        let mut rows: VecDeque<RowSeen> = done.rows.iter().map(|(_, row)| RowSeen::from(row)).collect();
        self.by_itself(calls, done, &mut rows)?;
        for (call, ruling) in calls.iter().zip(&done.rulings) {
            self.compared += 1;
            self.ruling(call, ruling, &mut rows).map_err(|why| format!("{why}\n{}", call.short()))?;
        }
        for (notice, outcome) in notices.iter().zip(&done.outcomes) {
            self.outcome(notice, outcome, &mut rows).map_err(|why| format!("{notice:?}: {why}"))?;
        }
        for row in rows {
            self.owed(&row)?;
        }
        self.nothing_is_late(now)
    }

    /// What the clock wanted comes first.
    fn by_itself(&mut self, calls: &[Call], done: &Done, rows: &mut VecDeque<RowSeen>) -> Checked {
        let published: BTreeSet<u64> = done.outcomes.iter().filter_map(new_row).collect();
        self.unsure = None;
        let first = done.rulings.iter().enumerate().find_map(|(nth, ruling)| {
            let decided = ruling.as_ref().ok().filter(|decided| !decided.repeated)?;
            Some((nth, decided.row))
        });
        while let Some(row) = rows.front() {
            if published.contains(&row.row) || is_owed(row) {
                break;
            }
            if let Some((nth, at)) = first
                && (row.row > at || (row.row == at && self.is_of(calls, nth, row)))
            {
                break;
            }
            let Some(row) = rows.pop_front() else { break };
            self.due(&row)?;
        }
        Ok(())
    }

    /// Is it the row of the first command that was answered with it, or did the clock want it, and the command
    /// found it done? Letting go of a hold that is over tells the same as its timer.
    ///
    /// Every command takes random bytes, and at the end so does what is owed to watchers, where something is.
    /// Whatever took its own earlier than that is no command. Whether something was owed cannot always be seen, and
    /// where a disk failed, some took theirs twice.
    fn is_of(&mut self, calls: &[Call], nth: usize, row: &RowSeen) -> bool {
        if !self.explains(&calls[nth].command, row) {
            return false;
        }
        let own = self.moment(row).map_or(0, |moment| u64::from_le_bytes(count_of(moment.seed)));
        let (since, commands) = (self.learned - own, (calls.len() - nth) as u64);
        let is_sure = match self.failed_at {
            Some(_) => false,
            None if since > commands + 1 => return false,
            // What came right before the first command was the clock's.
            None => since <= commands || nth > 0,
        };
        if !is_sure && by_time(row).is_some_and(|command| self.explains(&command, row)) {
            self.unsure = Some(row.row);
        }
        true
    }

    /// Would the reference tell this row of this command?
    pub(super) fn explains(&self, command: &Command, row: &RowSeen) -> bool {
        let Ok(moment) = self.moment(row) else { return false };
        let mut naive = self.naive.clone();
        let answer = naive.run(moment, command);
        answer.is_ok_and(|answer| answer.changed && same_told(row, &answer, &naive).is_ok())
    }

    /// A row that nobody asked for.
    pub(super) fn due(&mut self, row: &RowSeen) -> Checked {
        let Some(command) = by_time(row) else { return Err(format!("nobody asked for {row:?}")) };
        if matches!(command, Command::Due(Due::Restarted(_))) && self.started.is_none() {
            return Err(format!("a hold is extended, and nothing was restarted: {row:?}"));
        }
        self.has_its_grace(&command, row)?;
        self.apply(row, &command).map(|_| ())
    }

    /// What those are owed who watch slots; it changes nothing.
    pub(super) fn owed(&mut self, row: &RowSeen) -> Checked {
        if !is_owed(row) {
            return Err(format!("nobody asked for row {}: {:?}", row.row, told(row)));
        }
        self.moment(row)?;
        self.follow(row)
    }

    fn ruling(
        &mut self,
        call: &Call,
        ruling: &Result<Decided, Box<Refused>>,
        rows: &mut VecDeque<RowSeen>,
    ) -> Checked {
        match ruling {
            Err(refused) if refused.refusal.code == Code::Unavailable => self.unavailable(call),
            Err(refused) if refused.refusal.code == Code::KeyReused => self.reused(call.once),
            Ok(decided) if decided.repeated => self.repeated(call, decided),
            _ if !self.may_be_forgotten(call.once) => {
                Err(format!("it was answered before, and comes to {ruling:?}"))
            }
            Ok(decided) => self.decided(call, decided, rows),
            Err(refused) => {
                let mut naive = self.naive.clone();
                let Err(no) = naive.run(self.nothing_new(), &call.command) else {
                    return Err(format!("it is refused with {refused:?}, and the reference does it"));
                };
                refusal_has_a_reason(call, refused)?;
                same_refusal(refused, &no)
            }
        }
    }

    /// The moment of something that changes nothing.
    fn nothing_new(&self) -> Moment {
        Moment { now: self.time, position: self.head + 1, seed: [0; 16] }
    }

    fn decided(&mut self, call: &Call, decided: &Decided, rows: &mut VecDeque<RowSeen>) -> Checked {
        if let Some(row) = rows.pop_front_if(|row| row.row == decided.row) {
            let answer = self.apply(&row, &call.command)?;
            same_reply(&decided.reply, &answer, row.row, self.time)?;
            self.keep(call.once, &row, self.time, Remembered::Answer(Box::new(answer)));
            return Ok(());
        }
        let mut naive = self.naive.clone();
        match naive.run(self.nothing_new(), &call.command) {
            Ok(answer) if !answer.changed => same_reply(&decided.reply, &answer, self.head, self.time),
            other => Err(format!("it changes nothing, and the reference says {other:?}")),
        }
    }

    /// P8: the same key and body have the same answer and no second effect.
    fn repeated(&self, call: &Call, decided: &Decided) -> Checked {
        let Some(kept) = self.earlier(call.once) else {
            return Err("it is answered as a repetition of what never was".to_owned());
        };
        match &kept.what {
            Remembered::Answer(answer) if call.once.is_some_and(|once| once.body == kept.body) => {
                same_reply(&decided.reply, answer, kept.row, kept.at)
            }
            _ => Err("another request's answer is repeated".to_owned()),
        }
    }

    fn reused(&self, once: Option<Once>) -> Checked {
        let other = self.earlier(once).zip(once).is_some_and(|(kept, once)| kept.body != once.body);
        if other { Ok(()) } else { Err("its key was never used before for something else".to_owned()) }
    }

    fn unavailable(&mut self, call: &Call) -> Checked {
        self.unknown.push(call.clone());
        self.may_fail()
    }

    fn may_fail(&self) -> Checked {
        match self.failed_at {
            Some(_) => Ok(()),
            None => Err("the store is unavailable, and its disk works".to_owned()),
        }
    }

    fn outcome(&mut self, notice: &Notice, outcome: &Outcome, rows: &mut VecDeque<RowSeen>) -> Checked {
        let earlier = self.earlier(notice.once).cloned();
        match (outcome, earlier) {
            (Outcome::Refused(refusal), _) if refusal.code == Code::Unavailable => {
                self.unknown_notices.push(notice.clone());
                self.may_fail()
            }
            (Outcome::Repeated { row, ids, .. }, Some(kept)) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                let same = matches!(&kept.what, Remembered::Notice(first) if *first == ids);
                if same && kept.row == *row {
                    Ok(())
                } else {
                    Err("another publish's answer is repeated".to_owned())
                }
            }
            (Outcome::New { row, .. }, _) if self.may_be_forgotten(notice.once) => {
                let seen = rows.pop_front_if(|seen| seen.row == *row);
                let Some(seen) = seen else { return Err(format!("its row {row} was not handed on")) };
                self.noticed(notice, &seen)
            }
            (outcome, earlier) => Err(format!("it comes to {outcome:?}, and its key to {earlier:?}")),
        }
    }

    /// A publish is a row with exactly its events.
    pub(super) fn noticed(&mut self, notice: &Notice, row: &RowSeen) -> Checked {
        let ids: Vec<String> = row.events.iter().map(|event| event.id.to_string()).collect();
        if ids != notice.ids {
            return Err(format!("row {} has the events {ids:?}", row.row));
        }
        self.follow(row)?;
        let at = row.events.first().map_or(self.time, |event| event.at);
        self.keep(notice.once, row, at, Remembered::Notice(ids));
        Ok(())
    }
}

/// The count that random bytes begin with.
fn count_of(seed: [u8; 16]) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&seed[..8]);
    first
}

fn new_row(outcome: &Outcome) -> Option<u64> {
    if let Outcome::New { row, .. } = outcome { Some(*row) } else { None }
}

/// Does it only tell of slots?
pub(super) fn is_owed(row: &RowSeen) -> bool {
    row.events.iter().all(|event| event.channel.as_str().starts_with("slots:"))
}

/// What the clock must have wanted, where a row was not asked for.
pub(super) fn by_time(row: &RowSeen) -> Option<Command> {
    let told = told(row);
    let (name, id, data) = told.first()?;
    let id = ReservationId::parse(id).ok()?;
    match name.as_str() {
        "hold.extended" if data["why"] == "restart" => Some(Command::Due(Due::Restarted(id))),
        "hold.expired" | "hold.expiring" | "booking.declined" | "reminder.due" | "booking.unlinked" => {
            Some(Command::Due(Due::Reservation(id)))
        }
        _ => None,
    }
}

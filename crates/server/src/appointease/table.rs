//! The site's own table of appointments, read again and again: for sites whose plugin tells nobody.
//!
//! A row is told to the ledger as the site's backend would tell it. What could not be read or taken is said once, and
//! tried again for as long as the server runs.

use std::sync::Arc;
use std::time::Duration;

use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::slotted::Grid;
use deskbell_wire::appointease::broadcast::{self, What};
use deskbell_wire::appointease::table::{Change, Followed, Row};
use deskbell_wire::mysql::Address;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use super::notices;
use crate::hub::Hub;
use crate::mariadb;

/// Which table, and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The app whose bookings its rows are.
    pub app: usize,
    /// Where it is, and who reads it.
    pub address: Address,
    /// The time from one reading to the next.
    pub every: Duration,
}

/// Follows a table until the process ends.
pub fn start(hub: &Arc<Hub>, plan: Plan) {
    let reader = Reader { hub: hub.clone(), plan, followed: Followed::default(), trouble: None };
    hub.runtime.spawn(reader.run());
}

struct Reader {
    hub: Arc<Hub>,
    plan: Plan,
    followed: Followed,
    /// What was said last of what does not work.
    trouble: Option<String>,
}

impl Reader {
    async fn run(mut self) {
        let mut turns = interval(self.plan.every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            let Some(terms) = self.hub.apps[self.plan.app].appointease.terms.load_full() else { continue };
            let told = match rows(self.plan.address.clone()).await {
                Ok(rows) => self.tell(&rows, &terms.grid).await,
                Err(sentence) => Err(sentence),
            };
            self.say(told.err());
        }
    }

    /// Says what does not work when it is new, and that it works again.
    fn say(&mut self, trouble: Option<String>) {
        if trouble == self.trouble {
            return;
        }
        match &trouble {
            Some(why) => {
                tracing::warn!(%why, "the site's table of appointments is behind; it is tried again");
            }
            None => tracing::info!("the site's table of appointments is read again"),
        }
        self.trouble = trouble;
    }

    /// Tells the ledger what is new in the table. It ends early where the ledger takes nothing at the moment.
    async fn tell(&mut self, rows: &[Row], grid: &Grid) -> Result<(), String> {
        for change in self.followed.changes(rows) {
            match self.settle(&change, grid).await {
                Err(refusal) if is_for_a_moment(refusal.code) => return Err(refusal.message.into_owned()),
                Err(refusal) => {
                    let (row, why) = (change.name(), &refusal.message);
                    tracing::warn!(row, %why, "an appointment of the site's table makes no booking");
                }
                Ok(()) => {}
            }
            // A row that makes no sense is not said again before it has changed.
            self.followed.heard(&change);
        }
        Ok(())
    }

    async fn settle(&self, change: &Change, grid: &Grid) -> Result<(), Refusal> {
        match broadcast::read(&change.body, grid)?.what {
            What::Appointment(notice) => {
                notices::settle(&self.hub, &self.hub.apps[self.plan.app], &notice).await
            }
            What::SlotTaken(_) | What::Told => Ok(()),
        }
    }
}

/// Will the same be taken a little later?
const fn is_for_a_moment(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Draining | Code::RateLimited)
}

/// All rows. A thread of its own waits for the database, which nobody else waits for: also a stop does not.
async fn rows(address: Address) -> Result<Vec<Row>, String> {
    let (tell, told) = oneshot::channel();
    let read = move || drop(tell.send(mariadb::rows(&address)));
    let started = std::thread::Builder::new().name("table".to_owned()).spawn(read);
    started.map_err(|error| format!("no thread could be started: {error}"))?;
    told.await.unwrap_or_else(|_| Err("the reading broke off".to_owned()))
}

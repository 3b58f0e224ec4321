//! Where committed rows of the ledger go: into the log of their app, if it is here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use deskbell_core::ids::AppId;
use deskbell_core::log::Row;
use deskbell_core::position::Position;
use tokio::sync::watch;

use crate::clock;
use crate::log::AppLog;

/// A log that rows go into, and the number of the newest of them.
#[derive(Debug, Clone)]
pub struct Fed {
    /// The log.
    pub log: Arc<AppLog>,
    /// The last row.
    pub rows: Arc<watch::Sender<u64>>,
}

/// Where an app's rows go.
#[derive(Debug)]
enum Way {
    /// Into its log.
    Into(Fed),
    /// Nowhere: another server has the app. The last row that went there.
    Past(u64),
}

/// The logs of all apps.
#[derive(Debug, Default)]
pub struct Logs(Mutex<HashMap<AppId, Way>>);

impl Logs {
    fn lock(&self) -> MutexGuard<'_, HashMap<AppId, Way>> {
        // Each change of it is one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log of an app that is or was here.
    pub fn of(&self, app: AppId) -> Option<Fed> {
        match self.lock().get(&app) {
            Some(Way::Into(fed)) => Some(fed.clone()),
            _ => None,
        }
    }

    /// Rows go into this log from now on, which has them up to one. False if later ones have gone past meanwhile:
    /// then the log has to begin further on.
    pub fn begin(&self, app: AppId, fed: Fed, has: u64) -> bool {
        let mut ways = self.lock();
        if matches!(ways.get(&app), Some(Way::Past(row)) if *row > has) {
            return false;
        }
        ways.insert(app, Way::Into(fed));
        true
    }

    /// Takes committed rows in, and says where each of them stands.
    pub fn take(&self, app: AppId, rows: Vec<Row>) -> Vec<Position> {
        let Some(last) = rows.last().map(|row| row.row) else { return Vec::new() };
        let fed = {
            let mut ways = self.lock();
            match ways.entry(app).or_insert(Way::Past(0)) {
                Way::Into(fed) => fed.clone(),
                Way::Past(row) => {
                    *row = last;
                    return Vec::new();
                }
            }
        };
        rows.into_iter().map(|row| take_one(&fed, row)).collect()
    }
}

fn take_one(Fed { log, rows }: &Fed, row: Row) -> Position {
    let number = row.row;
    let taken = log.with(|log| log.append_if(vec![row], clock::now_ms()).map(|()| log.head()));
    // Whoever hears of it finds it in the log.
    rows.send_if_modified(|newest| number > std::mem::replace(newest, number.max(*newest)));
    taken.unwrap_or_else(|elsewhere| {
        // A log that began while rows were on their way has some of them already. Nobody else takes rows in.
        if elsewhere.taken < number {
            tracing::error!(row = number, taken = elsewhere.taken, "a ledger row came out of order");
        }
        log.with(|log| log.head())
    })
}

#[cfg(test)]
mod tests {
    use deskbell_core::class::Classes;
    use deskbell_core::log::Log;
    use deskbell_core::position::Epoch;

    use super::*;
    use crate::bell::Bells;

    const APP: AppId = AppId(7);

    fn fed(has: u64) -> Fed {
        let log = Log::new(Epoch(1), has, 0, Classes::default());
        Fed {
            log: Arc::new(AppLog::new(log, Bells::new(Vec::new()))),
            rows: Arc::new(watch::Sender::new(has)),
        }
    }

    fn row(row: u64) -> Row {
        Row { row, check: 1, drafts: Vec::new() }
    }

    #[test]
    fn a_log_begins_where_no_row_has_gone_past_it() {
        let logs = Logs::default();
        assert!(logs.take(APP, vec![row(1), row(2)]).is_empty(), "nobody here wants them");
        assert!(!logs.begin(APP, fed(1), 1), "the second row has gone past");
        assert!(logs.of(APP).is_none());
        let begun = fed(2);
        assert!(logs.begin(APP, begun.clone(), 2));
        assert_eq!(logs.take(APP, vec![row(3)]).len(), 1);
        assert_eq!((*begun.rows.borrow(), logs.of(APP).is_some()), (3, true));
    }
}

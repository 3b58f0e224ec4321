//! Who is in which conversation: a view in memory that follows the committed rows, so that whoever decides about
//! access never waits for the disk.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use deskbell_core::ids::AppId;
use deskbell_core::post::Memberships;

use super::database::Database;
use super::failure::Failure;
use super::post::{Moved, load};
use super::tables;

/// The memberships of every app. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Members(Arc<RwLock<HashMap<AppId, Memberships>>>);

impl Members {
    /// Reads all of them, of which there is a bounded number.
    pub(super) fn load(db: &Database) -> Result<Self, Failure> {
        let members = Self::default();
        members.reload(db)?;
        Ok(members)
    }

    /// Reads all of them anew, for everybody who has a clone.
    pub(super) fn reload(&self, db: &Database) -> Result<(), Failure> {
        let mut all: HashMap<AppId, Memberships> = HashMap::new();
        for app in tables::apps(db)? {
            let memberships = all.entry(app).or_default();
            load::memberships(db, app)?.into_iter().for_each(|one| memberships.take(one));
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    /// Takes in what a commit has changed, in its order.
    pub(super) fn take(&self, moved: Vec<Moved>) {
        if moved.is_empty() {
            return;
        }
        // It is whole between any two of its steps, so what a panic left behind is sound.
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (app, membership) in moved {
            all.entry(app).or_default().take(membership);
        }
    }

    /// Looks at the memberships of an app as they are now.
    pub fn with<T>(&self, app: AppId, look: impl FnOnce(&Memberships) -> T) -> T {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match all.get(&app) {
            Some(memberships) => look(memberships),
            None => look(&Memberships::default()),
        }
    }
}

//! Apps that were added while the server ran, as they are kept.

use deskbell_core::ids::AppId;

use super::database::Database;
use super::failure::Failure;
use super::verify::Verdict;

/// An app as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its number.
    pub id: AppId,
    /// Its public key.
    pub key: String,
    /// Its secret and what it agrees to, as JSON.
    pub body: String,
}

// The body holds the secret.
impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).field("key", &self.key).finish_non_exhaustive()
    }
}

/// What becomes of an app.
#[derive(Debug)]
pub enum TenantNote {
    /// It is there from now on.
    Added(Tenant),
    /// It is another one than before; its key stays.
    Changed(Tenant),
    /// It is there no more.
    Taken(AppId),
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filed {
    /// It is written.
    Done,
    /// Another app has the key.
    KeyTaken,
    /// An app with this number is there already.
    IdTaken,
    /// There is no such app.
    Missing,
}

impl Filed {
    /// As the answer to a note says it.
    pub fn of(number: u64) -> Self {
        let all = [Self::Done, Self::KeyTaken, Self::IdTaken];
        all.into_iter().find(|filed| *filed as u64 == number).unwrap_or(Self::Missing)
    }
}

/// Writes down what became of an app, within the transaction of whoever calls.
pub(super) fn write(db: &Database, note: &TenantNote) -> Result<u64, Failure> {
    let filed = match note {
        TenantNote::Added(Tenant { id, key, body }) => {
            if db.exists("SELECT 1 FROM tenants WHERE app = ?1", &[(*id).into()])? {
                Filed::IdTaken
            } else if db.exists("SELECT 1 FROM tenants WHERE key = ?1", &[key.into()])? {
                Filed::KeyTaken
            } else {
                let added = "INSERT INTO tenants (app, key, body) VALUES (?1, ?2, ?3)";
                db.execute(added, &[(*id).into(), key.into(), body.into()])?;
                Filed::Done
            }
        }
        TenantNote::Changed(Tenant { id, key, body }) => {
            let changed = "UPDATE tenants SET body = ?3 WHERE app = ?1 AND key = ?2";
            found(db.execute(changed, &[(*id).into(), key.into(), body.into()])?)
        }
        TenantNote::Taken(id) => found(db.execute("DELETE FROM tenants WHERE app = ?1", &[(*id).into()])?),
    };
    Ok(filed as u64)
}

fn found(rows: usize) -> Filed {
    if rows == 0 { Filed::Missing } else { Filed::Done }
}

/// All of them, by number.
pub(super) fn all(db: &Database) -> Result<Vec<Tenant>, Failure> {
    db.all("SELECT app, key, body FROM tenants ORDER BY app", &[], |row| {
        Ok(Tenant {
            id: AppId(row.unsigned(0)?),
            key: row.text(1)?.to_owned(),
            body: row.text(2)?.to_owned(),
        })
    })
}

/// Looks whether each of them can be read.
pub(super) fn verify(db: &Database, verdict: &mut Verdict) -> Result<(), Failure> {
    for Tenant { id, key, body } in all(db)? {
        let read = serde_json::from_str::<serde_json::Value>(&body).ok();
        let secret = read.as_ref().and_then(|body| body["secret"].as_str()).unwrap_or_default();
        if key.is_empty() || secret.is_empty() {
            verdict.problem(|| format!("the stored app {id} has no key or no secret that can be read"));
        }
    }
    Ok(())
}

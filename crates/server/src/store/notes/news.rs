//! What webhooks of Pusher's kinds keep: what waits for an endpoint, and who was here as it knows.
//!
//! Connections are of one server, and so is what is told of them: each server has rows of its own, and sends them
//! itself, also after it was killed.

use deskbell_core::ids::AppId;

use super::super::database::Database;
use super::super::failure::Failure;

/// Whose rows are meant: an endpoint of an app, as one server tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The app.
    pub app: AppId,
    /// The endpoint's address.
    pub endpoint: String,
    /// The server, where several share a ledger.
    pub server: String,
}

/// A channel, and a user in it or an empty text.
pub type Who = (String, String);

/// What has changed since the last note.
#[derive(Debug, Default)]
pub struct NewsNote {
    /// What waits from now on, by its number.
    pub new: Vec<(u64, String)>,
    /// Who is here from now on.
    pub here: Vec<Who>,
    /// Who is not.
    pub gone: Vec<Who>,
    /// What has this number, and all before it, waits no more.
    pub told: u64,
}

/// What a start finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct KeptNews {
    /// Who was here.
    pub here: Vec<Who>,
    /// What waits, in its order.
    pub waiting: Vec<(u64, String)>,
}

/// Writes a note, within the transaction of whoever calls.
pub(super) fn write(db: &Database, owner: &Owner, note: &NewsNote) -> Result<(), Failure> {
    let Owner { app, endpoint, server } = owner;
    for (number, body) in &note.new {
        db.execute(
            "INSERT INTO news (app, endpoint, server, number, body) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (app, endpoint, server, number) DO UPDATE SET body = excluded.body",
            &[(*app).into(), endpoint.into(), server.into(), (*number).into(), body.into()],
        )?;
    }
    for (question, whom) in [
        (
            "INSERT INTO news_here (app, endpoint, server, channel, member) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO NOTHING",
            &note.here,
        ),
        (
            "DELETE FROM news_here
             WHERE app = ?1 AND endpoint = ?2 AND server = ?3 AND channel = ?4 AND member = ?5",
            &note.gone,
        ),
    ] {
        for (channel, member) in whom {
            let values = [(*app).into(), endpoint.into(), server.into(), channel.into(), member.into()];
            db.execute(question, &values)?;
        }
    }
    db.execute(
        "DELETE FROM news WHERE app = ?1 AND endpoint = ?2 AND server = ?3 AND number <= ?4",
        &[(*app).into(), endpoint.into(), server.into(), note.told.into()],
    )?;
    Ok(())
}

/// Reads what the last run left.
pub(in crate::store) fn read(db: &Database, owner: &Owner) -> Result<KeptNews, Failure> {
    let values = [owner.app.into(), (&owner.endpoint).into(), (&owner.server).into()];
    let here = db.all(
        "SELECT channel, member FROM news_here WHERE app = ?1 AND endpoint = ?2 AND server = ?3
         ORDER BY channel, member",
        &values,
        |row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned())),
    )?;
    let waiting = db.all(
        "SELECT number, body FROM news WHERE app = ?1 AND endpoint = ?2 AND server = ?3 ORDER BY number",
        &values,
        |row| Ok((row.unsigned(0)?, row.text(1)?.to_owned())),
    )?;
    Ok(KeptNews { here, waiting })
}

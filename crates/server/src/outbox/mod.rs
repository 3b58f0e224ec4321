//! Takes events out of an application's own database: what its transactions wrote with `deskbell.publish`
//! becomes events, once, in the order of the rows that are there.
//!
//! There is no position that could run ahead of a transaction which commits late: rows are taken as they are
//! seen, published under ids that make a second time the same as the first, and deleted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deskbell_core::event::Data;
use deskbell_core::ids::{ChannelName, EventId, EventName, ExternalRef, ReservationId};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_core::reservation::{Act, Actor, Command};
use deskbell_core::vocabulary::Publish;
use tokio::sync::oneshot;
use tokio_postgres::{Client, Row};

use crate::clock;
use crate::hub::Hub;
use crate::store::{Failure, Petition, Shared, connect};

/// What an application's database needs, for `psql`.
pub const SQL: &str = include_str!("outbox.sql");

/// Rows that are taken at once.
const ROWS: i64 = 256;
/// Time between two looks while nothing is there: what a person does not notice.
const LOOK: Duration = Duration::from_millis(50);
/// The first pause after something went wrong, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// One process takes at a time, because the order of the rows is the order of the events. The lock ends with
/// the transaction, and the server ends that where the process hangs. Any number does that nobody else uses.
const LOCK: &str = "SELECT pg_try_advisory_xact_lock(7235423464832622963)";
const TAKE: &str = "SELECT number, channel, name, data, id, reservation, external_ref FROM deskbell.outbox
    ORDER BY number LIMIT $1";

/// Takes for ever.
pub async fn run(hub: Arc<Hub>, place: Shared) {
    let mut pause = PAUSES.0;
    let mut failing = false;
    loop {
        let mut worked = false;
        let ended = async {
            let mut client = connect(&place).await?;
            loop {
                let taken = take(&hub, &mut client).await?;
                if std::mem::take(&mut failing) {
                    tracing::info!("the outbox is read again");
                }
                worked = true;
                if hub.draining.load(Ordering::Relaxed) {
                    return Ok::<(), Failure>(());
                }
                if taken < ROWS as usize {
                    tokio::time::sleep(LOOK).await;
                }
            }
        };
        match ended.await {
            Ok(()) => return,
            Err(failure) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!(
                    "the outbox cannot be read, and is tried again for ever: {failure}; where its tables are \
                     missing, run `deskbell outbox sql` and give it to psql"
                );
            }
            Err(_) => {}
        }
        pause = if worked { PAUSES.0 } else { (pause * 2).min(PAUSES.1) };
        tokio::time::sleep(pause).await;
    }
}

fn failed(error: tokio_postgres::Error) -> Failure {
    let text = error.as_db_error().map_or_else(|| error.to_string(), |db| db.message().to_owned());
    Failure::Shared(text)
}

/// Takes what is there, and deletes what has become an event. A process that dies in between leaves the rows,
/// and whoever takes them again publishes what was published already, which is no second event.
async fn take(hub: &Arc<Hub>, client: &mut Client) -> Result<usize, Failure> {
    let transaction = client.transaction().await.map_err(failed)?;
    let locked = transaction.query_one(LOCK, &[]).await.map_err(failed)?;
    if !locked.get::<_, bool>(0) {
        return Ok(0);
    }
    let rows = transaction.query(TAKE, &[&ROWS]).await.map_err(failed)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut settling = Vec::with_capacity(rows.len());
    for row in &rows {
        settling.push((row.get::<_, i64>(0), begin(hub, row)));
    }
    let (mut done, mut refused) = (Vec::new(), (Vec::new(), Vec::new()));
    for (number, settled) in settling {
        let outcome = match settled {
            Settled::Now(outcome) => outcome,
            Settled::Later(told) => told.await.unwrap_or_else(|_| Err(unavailable())),
        };
        match outcome {
            Ok(()) => done.push(number),
            Err(no) if matches!(no.code, Code::Unavailable | Code::Draining) => {
                // It stays, and with it what lies behind it.
                break;
            }
            Err(no) => {
                tracing::warn!(number, refusal = %no, "a row of the outbox can become no event; see outbox_refused");
                refused.0.push(number);
                refused.1.push(no.to_string());
            }
        }
    }
    if !refused.0.is_empty() {
        let keep = "INSERT INTO deskbell.outbox_refused SELECT outbox.*, clock_timestamp(), no.reason
             FROM deskbell.outbox JOIN unnest($1::bigint[], $2::text[]) AS no (number, reason) USING (number)";
        transaction.execute(keep, &[&refused.0, &refused.1]).await.map_err(failed)?;
        done.extend(refused.0);
    }
    let delete = "DELETE FROM deskbell.outbox WHERE number = ANY($1)";
    transaction.execute(delete, &[&done]).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)?;
    Ok(if done.is_empty() { 0 } else { rows.len() })
}

fn unavailable() -> Refusal {
    Refusal::new(Code::Unavailable, "the store stopped before it answered")
}

/// What became of a row, or where it will be told.
enum Settled {
    Now(Result<(), Refusal>),
    Later(oneshot::Receiver<Result<(), Refusal>>),
}

/// Begins to publish a row, in the order in which this is called.
fn begin(hub: &Arc<Hub>, row: &Row) -> Settled {
    let text = |column: usize| row.get::<_, Option<&str>>(column).unwrap_or_default();
    let begun = if row.get::<_, Option<&str>>(1).is_some() {
        event(text(1), text(2), text(3), text(4)).map(|event| publish(hub, event))
    } else {
        link(text(5), text(6)).map(|act| rule(hub, act))
    };
    begun.unwrap_or_else(|no| Settled::Now(Err(no)))
}

fn event(channel: &str, name: &str, data: &str, id: &str) -> Result<Publish, Refusal> {
    Ok(Publish {
        channel: ChannelName::parse(channel)?,
        name: EventName::parse(name)?,
        data: Data::json(data.to_owned()),
        id: Some(EventId::parse(id)?),
        key: None,
        except: None,
    })
}

fn publish(hub: &Arc<Hub>, event: Publish) -> Settled {
    let Some(app) = hub.app(None) else { return Settled::Now(Err(unavailable())) };
    let who = Actor::backend().identity;
    let (tell_later, told_later) = oneshot::channel();
    // Nobody may be waiting any more; the event is published all the same.
    let later = move |outcome: crate::hub::Outcome| drop(tell_later.send(outcome.map(drop)));
    hub.metrics.published.inc();
    match hub.publish(app, &who, event, clock::now_ms(), later) {
        Some(outcome) => Settled::Now(outcome.map(drop)),
        None => Settled::Later(told_later),
    }
}

fn link(reservation: &str, external_ref: &str) -> Result<Act, Refusal> {
    let id = ReservationId::parse(reservation)?;
    Ok(Act::Link { id, external_ref: ExternalRef::parse(external_ref)? })
}

/// A second link to the same reference changes nothing, so it needs no key.
fn rule(hub: &Arc<Hub>, act: Act) -> Settled {
    let Some(app) = hub.app(None) else { return Settled::Now(Err(unavailable())) };
    let (tell, told) = oneshot::channel();
    let command = Command::Ask { actor: Actor::backend(), act };
    let heard = move |ruling: crate::store::Ruling| {
        drop(tell.send(ruling.map(drop).map_err(|refused| refused.refusal)));
    };
    hub.store.rule(Petition { app: app.id, command, once: None }, Box::new(heard));
    Settled::Later(told)
}

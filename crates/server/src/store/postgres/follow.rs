//! What other processes wrote is looked for when the database tells of it, and every now and then in case
//! that it did not: what counts is the position in the app's row, never the notification.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio_postgres::{AsyncMessage, Client};

use super::session::{Place, told};
use super::tls::Tls;
use crate::store::failure::Failure;
use crate::store::lane::{Lane, Side};
use crate::store::writer::Task;

/// Time after which it is looked although nothing was told.
const LOOK: Duration = Duration::from_millis(500);
/// The first pause after a connection that did not come about, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The thread that listens.
pub(in crate::store) struct Follower {
    stop: Arc<Notify>,
    thread: JoinHandle<()>,
}

/// Whether the writer was asked to look and has not begun to. One asking is enough.
pub(in crate::store) type Woken = Arc<AtomicBool>;

impl Follower {
    /// Begins to listen. `process` is the name under which this process tells of its own commits.
    pub(in crate::store) fn begin(
        place: Place,
        process: String,
        writer: Arc<Lane<Task>>,
        woken: Woken,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::Thread)?;
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("deskbell-follower".to_owned()).spawn(move || {
            let ask = || {
                // A full lane means a busy writer, and a busy writer looks anyway.
                if !woken.swap(true, Ordering::Relaxed) && writer.offer(Side::First, Task::Follow, 0).is_err()
                {
                    woken.store(false, Ordering::Relaxed);
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.notified() => {}
                    () = listen(&place, &process, ask) => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { stop, thread: thread.map_err(Failure::Thread)? })
    }

    /// Ends the thread.
    pub(in crate::store) fn end(self) {
        self.stop.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the thread that listens to the database ended by a panic");
        }
    }
}

/// Listens for ever, on one connection after the other.
async fn listen(place: &Place, process: &str, ask: impl Fn()) {
    let mut pause = PAUSES.0;
    loop {
        match connect(place, process).await {
            Ok((client, mut heard)) => {
                pause = PAUSES.0;
                while !client.is_closed() {
                    ask();
                    // Timed out or told: there may be something.
                    let _ = tokio::time::timeout(LOOK, heard.recv()).await;
                }
            }
            Err(failure) => tracing::debug!(%failure, "nobody can be listened to"),
        }
        ask();
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// A connection that listens, and a queue of one: how often something was told does not matter.
async fn connect(place: &Place, process: &str) -> Result<(Client, mpsc::Receiver<()>), Failure> {
    let connected = place.config().connect(Tls::new()?).await;
    let (client, mut connection) = connected.map_err(|error| Failure::Unreachable(told(&error)))?;
    let (tell, heard) = mpsc::channel(1);
    let own = process.to_owned();
    tokio::spawn(std::future::poll_fn(move |cx| {
        loop {
            match connection.poll_message(cx) {
                Poll::Ready(Some(Ok(AsyncMessage::Notification(told)))) => {
                    if told.payload() != own {
                        let _ = tell.try_send(());
                    }
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None | Some(Err(_))) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }));
    client.batch_execute("LISTEN deskbell").await.map_err(|error| Failure::Unreachable(told(&error)))?;
    Ok((client, heard))
}

//! The one task that reads the spool: what is picked up is told, and goes when it was.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use deskbell_core::ids::EventId;
use deskbell_core::limits::{self, Millis};
use deskbell_core::refusal::{Code, Refusal};
use deskbell_wire::portico::spool::File as Named;
use tokio::sync::{oneshot, watch};

use super::Plan;
use super::folder::{Fate, Folder, Picked};
use super::news::{Look, News};
use crate::clock;
use crate::hub::{Hub, Outcome};
use crate::portico::tell;

/// Reads one folder, for ever.
pub(super) struct Reader {
    hub: Arc<Hub>,
    plan: Plan,
    /// What stands in the way, as it was told last.
    trouble: Option<String>,
    /// Reasons that the log has named already.
    named: BTreeSet<String>,
}

/// A file on its way: told, and the answer is out.
struct Going {
    name: String,
    answer: oneshot::Receiver<Outcome>,
}

impl Reader {
    pub(super) fn new(hub: Arc<Hub>, plan: Plan) -> Self {
        Self { hub, plan, trouble: None, named: BTreeSet::new() }
    }

    /// Comes back again and again, until the stop.
    pub(super) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            let ended = self.follow(&mut stopped).await;
            let Err(error) = ended else { return };
            let trouble = error.to_string();
            if self.trouble.as_ref() != Some(&trouble) {
                let folder = self.plan.folder.display();
                tracing::warn!(
                    "the spool {folder} cannot be read: {trouble}; make it a folder that the server's user may read and write"
                );
                self.trouble = Some(trouble);
            }
            tokio::select! {
                () = tokio::time::sleep(self.plan.scan) => {}
                _ = stopped.changed() => return,
            }
        }
    }

    /// Follows the folder until the stop, or until it cannot be read.
    async fn follow(&mut self, stopped: &mut watch::Receiver<bool>) -> io::Result<()> {
        let plan = self.plan.clone();
        let folder = Arc::new(off_thread(move || Folder::open(&plan)).await?);
        // Watched before the first look, so that nothing falls between the two.
        let news = News::of(&self.plan.folder);
        tracing::info!("files in {} are told", self.plan.folder.display());
        self.trouble = None;
        let (mut look, mut scan) = (Look::Everything, 0);
        loop {
            match look {
                Look::At(names) => self.take(&folder, sorted(names), Folder::pick_up).await?,
                Look::Everything => scan = self.take_everything(&folder).await?,
            }
            let until = Duration::from_millis(scan.saturating_sub(clock::now_ms()));
            look = tokio::select! {
                _ = stopped.changed() => return Ok(()),
                news = news.next() => news?,
                () = tokio::time::sleep(until) => Look::Everything,
            };
        }
    }

    /// What a crash or a full store has left, and then what is in the folder. Says when to look again.
    async fn take_everything(&mut self, folder: &Arc<Folder>) -> io::Result<Millis> {
        let from = folder.clone();
        let left = off_thread(move || from.left_over()).await?;
        self.take(folder, left, Folder::read).await?;
        let from = folder.clone();
        let (found, young) = off_thread(move || from.found(clock::now_ms())).await?;
        self.take(folder, found, Folder::pick_up).await?;
        let scan = self.plan.scan.as_millis() as Millis;
        Ok(clock::now_ms() + if young { limits::PORTICO_SPOOL_SETTLE.min(scan) } else { scan })
    }

    /// Tells files, some at a time, and takes those away that were told.
    async fn take(
        &mut self,
        folder: &Arc<Folder>,
        names: Vec<String>,
        get: fn(&Folder, &str) -> io::Result<Fate>,
    ) -> io::Result<()> {
        for some in names.chunks(limits::PORTICO_SPOOL_BATCH) {
            let (from, some) = (folder.clone(), some.to_vec());
            let fates = off_thread(move || {
                Ok(some.into_iter().map(|name| (get(&from, &name), name)).collect::<Vec<_>>())
            });
            let mut going = Vec::new();
            let mut bad = Vec::new();
            for (fate, name) in fates.await? {
                match fate {
                    Ok(Fate::Picked(picked)) => match self.tell(picked) {
                        Ok(one) => going.push(one),
                        Err(refusal) => bad.push((name, refusal)),
                    },
                    Ok(Fate::Left) => {}
                    Ok(Fate::Foreign) => {
                        self.explain(
                            &name,
                            "it is not of a trusted owner, or everybody may change it; it stays",
                        );
                    }
                    Ok(Fate::Rejected(why)) => self.rejected(&name, why),
                    Err(error) => self.explain(&name, &error.to_string()),
                }
            }
            self.settle(folder, going, bad).await?;
        }
        Ok(())
    }

    /// Publishes what a file says.
    fn tell(&self, picked: Picked) -> Result<Going, Refusal> {
        let app = &self.hub.apps[self.plan.app];
        let read = picked.named.read(&picked.text, app.portico.load().stamp(clock::now_ms()));
        let nothing = || Refusal::new(Code::BadMessage, "there is nothing in it; write one JSON object");
        let published = read.ok_or_else(nothing)??;
        let (done, answer) = oneshot::channel();
        let later = move |outcome| drop(done.send(outcome));
        let id = EventId::from_random(picked.id);
        let going = |answer| Going { name: picked.name, answer };
        match tell(&self.hub, self.plan.app, published, id, later) {
            None => Ok(going(answer)),
            Some(outcome) => {
                let (known, answer) = oneshot::channel();
                // The other end is in the same hands.
                let _ = known.send(outcome);
                Ok(going(answer))
            }
        }
    }

    /// Waits for what became of files, and takes away or sets aside what is settled. The others stay for the next look.
    async fn settle(
        &mut self,
        folder: &Arc<Folder>,
        going: Vec<Going>,
        mut bad: Vec<(String, Refusal)>,
    ) -> io::Result<()> {
        let mut told = Vec::new();
        for Going { name, answer } in going {
            match answer.await {
                Ok(Ok(_)) => told.push(name),
                Ok(Err(no)) if matches!(no.code, Code::Unavailable | Code::Draining) => {}
                Ok(Err(no)) => bad.push((name, no)),
                // Whoever would have answered is gone: the server stops.
                Err(_) => {}
            }
        }
        if !told.is_empty() {
            self.hub.metrics.spooled.inc_by(told.len() as u64);
            // What is in memory alone is lost with a crash until it is in the sockets.
            if !self.hub.handed_out().await {
                return Ok(());
            }
        }
        for (name, refusal) in &bad {
            self.rejected(name, &refusal.message);
        }
        let from = folder.clone();
        off_thread(move || {
            for name in told {
                from.remove(&name)?;
            }
            for (name, _) in bad {
                from.reject(&name, "no message")?;
            }
            Ok(())
        })
        .await
    }

    fn rejected(&mut self, name: &str, why: &str) {
        self.hub.metrics.spool_rejected.inc();
        self.explain(name, &format!("{why}; it lies in the folder rejected"));
    }

    /// Tells the first of each kind.
    fn explain(&mut self, name: &str, why: &str) {
        if self.named.len() < limits::PORTICO_SPOOL_REASONS && self.named.insert(why.to_owned()) {
            let name = shown(name);
            tracing::warn!(
                "the file {name} in the spool was not told: {why}; further ones of this kind are only counted"
            );
        }
    }
}

/// A file's name without the session's id that is in it.
fn shown(name: &str) -> String {
    match name.strip_prefix("websocket_session_").and_then(|rest| rest.rsplit_once('_')) {
        Some((id, written)) => {
            let start: String = id.chars().take(8).collect();
            format!("websocket_session_{start}..._{written}")
        }
        None => Path::new(name).display().to_string(),
    }
}

/// Files of ours among these, oldest first, each once.
fn sorted(names: Vec<String>) -> Vec<String> {
    let named = names.into_iter().filter_map(|name| Some((Named::parse(&name)?, name)));
    let mut named: Vec<_> = named.collect();
    named.sort_by(|(one, a), (other, b)| one.order().cmp(&other.order()).then_with(|| a.cmp(b)));
    named.dedup_by(|(_, one), (_, other)| one == other);
    named.into_iter().map(|(_, name)| name).collect()
}

/// Files are waited for on a thread that may wait.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_id_is_not_written_into_the_log() {
        let name = "websocket_session_7h3s3ss10n0f4nn41234_1.5.json";
        assert_eq!(shown(name), "websocket_session_7h3s3ss1..._1.5.json");
        assert_eq!(shown("websocket_notification_1.5.json"), "websocket_notification_1.5.json");
    }

    #[test]
    fn news_of_a_file_that_came_twice_are_one_and_of_others_none() {
        let names = [
            "websocket_notification_2.json",
            "x",
            "websocket_notification_1.json",
            "websocket_notification_2.json",
        ];
        let expected = ["websocket_notification_1.json", "websocket_notification_2.json"];
        assert_eq!(sorted(names.map(str::to_owned).to_vec()), expected);
    }
}

//! What is handed to the writer, and what comes back.

use deskbell_core::event::Draft;
use deskbell_core::ids::{AppId, EventId};
use deskbell_core::limits::Millis;
use deskbell_core::log::Once;
use deskbell_core::position::Position;
use deskbell_core::refusal::{Code, Refusal};

use super::failure::Failure;

/// One durable publish: its events become one row, all or none.
#[derive(Debug)]
pub struct Publish {
    /// The app.
    pub app: AppId,
    /// The events, 1 to 4,095.
    pub drafts: Vec<Draft>,
    /// Lets a retry find its first answer for 24 hours.
    pub once: Option<Once>,
    /// The time.
    pub now: Millis,
}

impl Publish {
    /// Bytes that it is charged with while it waits.
    pub(super) fn weight(&self) -> usize {
        self.drafts.iter().map(|draft| 256 + draft.event.data.bytes.len()).sum()
    }
}

/// The publish is safe on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The ids of its events.
    pub ids: Vec<EventId>,
    /// Where a reader stands who has these events and all before them.
    ///
    /// Of a publish that an earlier commit took, only the ledger half is known any more. The rest
    /// is then epoch 0, which no log has: a cursor made from it serves durable channels exactly
    /// and resets memory channels, instead of skipping what came between in silence.
    pub at: Position,
    /// The same publish was taken before; this is its first answer again.
    pub repeated: bool,
}

/// Who waits for an answer. It runs on a thread of the store, so it hands the answer on and
/// returns.
pub type Answered<T> = Box<dyn FnOnce(Result<T, Refusal>) + Send>;

/// An answer that is owed: given exactly once, also when its bearer is dropped by a panic.
pub(super) struct Answer<T>(Option<Answered<T>>);

impl<T> Answer<T> {
    pub(super) fn new(answered: Answered<T>) -> Self {
        Self(Some(answered))
    }

    pub(super) fn give(mut self, answer: Result<T, Refusal>) {
        if let Some(answered) = self.0.take() {
            answered(answer);
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(answered) = self.0.take() {
            answered(Err(broken()));
        }
    }
}

/// The refusal of who came to a full lane.
pub(super) fn busy() -> Refusal {
    Refusal::new(Code::Unavailable, "the store has too much to do at the moment; try again shortly")
}

/// The refusal of who came while the disk did not take anything.
pub(super) fn broken() -> Refusal {
    Refusal::new(
        Code::Unavailable,
        "the store cannot read or write its file now; try again with the same id, and tell the operator",
    )
}

/// The refusal of who came while the shared database did not answer.
pub(super) fn unreachable() -> Refusal {
    Refusal::new(
        Code::Unavailable,
        "the ledger's database does not answer now; try again shortly with the same id, and tell the operator \
         if it lasts",
    )
}

/// The refusal that fits a failure.
pub(super) fn refusal_of(failure: &Failure) -> Refusal {
    if failure.is_outage() { unreachable() } else { broken() }
}

/// The refusal of who came during the shutdown.
pub(super) fn ending() -> Refusal {
    Refusal::new(Code::Draining, "the server is shutting down; connect again and repeat with the same id")
}

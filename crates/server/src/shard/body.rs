//! The body of an HTTP response as a sink: a bounded pipe between a shard and hyper.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::mailbox::{Handle, Letter, Mailbox};
use deskbell_core::limits;

/// The pipe. The shard writes without waiting; the HTTP task reads and tells when there is room.
#[derive(Debug, Default)]
pub struct Pipe {
    state: Mutex<State>,
    // Set once, when the shard has taken the client in.
    owner: OnceLock<(Arc<Mailbox>, Handle)>,
}

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    reader: Option<Waker>,
    blocked: bool,
    /// The body ends as soon as it has given what there is.
    once: bool,
    given: bool,
    ended: bool,
    gone: bool,
    /// Its reader went with something unread.
    lost: bool,
}

/// What a pipe did with the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piped {
    /// It took them.
    Taken,
    /// It is full, or over; the owner will be told.
    Full,
    /// Nobody reads any more.
    Gone,
}

/// Whether a body goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It does.
    Open,
    /// It is over, and everything was read.
    Over,
    /// It is over, and something was not read.
    Lost,
}

impl Pipe {
    /// A pipe whose body ends as soon as it has given what there is: the answer of one poll.
    pub fn for_one_answer() -> Self {
        let state = State { once: true, ..State::default() };
        Self { state: Mutex::new(state), ..Self::default() }
    }

    /// Whether its body goes on.
    pub fn ending(&self) -> Ending {
        let state = self.lock();
        match (state.lost, state.ended || state.gone) {
            (true, _) => Ending::Lost,
            (false, true) => Ending::Over,
            (false, false) => Ending::Open,
        }
    }

    /// Ends the body and gives what nobody has read.
    pub fn retire(&self) -> VecDeque<Bytes> {
        let mut state = self.lock();
        state.ended = true;
        state.bytes = 0;
        let rest = std::mem::take(&mut state.chunks);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        rest
    }

    /// Names the client to tell about room and about the reader's end.
    pub fn belongs_to(&self, mailbox: Arc<Mailbox>, client: Handle) {
        // A pipe is handed to one shard only, so the first owner is the only one.
        let _ = self.owner.set((mailbox, client));
        if self.lock().gone {
            self.tell_owner();
        }
    }

    /// Takes bytes, all or none.
    pub fn push(&self, bytes: Bytes) -> Piped {
        let mut state = self.lock();
        if state.gone {
            return Piped::Gone;
        }
        if state.ended {
            return Piped::Full;
        }
        // A single chunk may be larger than the bound; it is taken when nothing else waits.
        if !state.chunks.is_empty() && state.bytes + bytes.len() > limits::READ_PER_TURN {
            state.blocked = true;
            return Piped::Full;
        }
        state.bytes += bytes.len();
        state.chunks.push_back(bytes);
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Piped::Taken
    }

    /// Ends the body after what was taken.
    pub fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    fn tell_owner(&self) {
        if let Some((mailbox, client)) = self.owner.get() {
            mailbox.answer(Letter::Pipe { client: *client });
        }
    }

    /// Does nobody read any more?
    pub fn is_gone(&self) -> bool {
        self.lock().gone
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reading end, given to hyper.
#[derive(Debug)]
pub struct PipeBody(pub Arc<Pipe>);

impl Body for PipeBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut state = self.0.lock();
        let Some(chunk) = state.chunks.pop_front() else {
            if state.ended {
                return Poll::Ready(None);
            }
            if state.once && state.given {
                state.ended = true;
                drop(state);
                self.0.tell_owner();
                return Poll::Ready(None);
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.bytes -= chunk.len();
        state.given = true;
        let room = std::mem::take(&mut state.blocked);
        drop(state);
        if room {
            self.0.tell_owner();
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }
}

impl Drop for PipeBody {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.gone = true;
        state.lost = !state.chunks.is_empty();
        state.chunks.clear();
        let ended = state.ended;
        drop(state);
        if !ended {
            self.0.tell_owner();
        }
    }
}

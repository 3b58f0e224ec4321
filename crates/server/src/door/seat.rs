//! Counts a connection for as long as it lives: as a visit while it is in the front door, and as a
//! client's seat from there on.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

use crate::clock;
use crate::hub::Hub;
use crate::limiter::Purpose;
use deskbell_core::rate::Rate;

/// A socket in the front door: its request is not read yet, or it speaks HTTP.
#[derive(Debug)]
pub struct Visit {
    hub: Arc<Hub>,
    address: Option<IpAddr>,
}

/// One connection's place in the counts of its address and of the process.
#[derive(Debug)]
pub struct Seat {
    hub: Arc<Hub>,
    address: IpAddr,
    /// The app whose own bound it counts for.
    app: Option<u16>,
    /// Its client has not said yet what it came for.
    idle: bool,
}

impl Seat {
    /// Counts the connection as one whose client has still to say what it came for, until it
    /// [has](Self::is_used). An address has few of them at once, however many of the others.
    pub fn not_used_yet(mut self) -> Result<Self, Refusal> {
        let all = self.hub.front.load().connections_per_address;
        let most = if all == 0 { 0 } else { limits::UNUSED_PER_ADDRESS };
        if !self.hub.limiter.connect(Purpose::Unused, self.address, most) {
            let sentence =
                "this address has opened too many connections without using them; use or close some";
            return Err(Refusal::new(Code::LimitReached, sentence));
        }
        self.idle = true;
        Ok(self)
    }

    /// The client has said what it came for.
    pub fn is_used(&mut self) {
        if std::mem::take(&mut self.idle) {
            self.hub.limiter.disconnect(Purpose::Unused, self.address);
        }
    }

    /// The connection goes on with another's client, which may not have said it either.
    pub fn instead_of(mut self, mut other: Self) -> Self {
        // Both are connections of one client; where their addresses differ, the older one's counts.
        std::mem::swap(&mut self.idle, &mut other.idle);
        std::mem::swap(&mut self.address, &mut other.address);
        self
    }

    /// Counts the connection for an app as well, which may have so many (0 is no limit).
    pub fn of_app(mut self, app: usize, most: usize) -> Result<Self, Refusal> {
        let connected = &self.hub.apps[app].connected;
        let before = connected.fetch_add(1, Ordering::Relaxed);
        self.app = Some(app as u16);
        if most != 0 && before >= most {
            let sentence =
                "this app has all the connections that it may have; close some, or raise its limit";
            return Err(Refusal::new(Code::Quota, sentence));
        }
        Ok(self)
    }
}

/// Sockets of an address in the front door, for so many clients (0 is no limit).
fn visits(clients: usize) -> usize {
    if clients == 0 { 0 } else { clients.saturating_add(limits::VISITS) }
}

impl Hub {
    /// Lets a socket into the front door, as many of an address and in all as there may be clients.
    /// Without this, sockets that say nothing would use up the process's files. A proxy is not one
    /// address: it brings everybody. There is room for some more than may become clients, so that
    /// who is one too many hears why.
    pub fn visit(self: &Arc<Self>, socket: IpAddr) -> Option<Visit> {
        let front = self.front.load();
        if is_full(self.metrics.visits.get(), front.connections) {
            return None;
        }
        let own = socket.to_canonical();
        let address = (!front.trusts(own)).then_some(own);
        if let Some(address) = address
            && !self.limiter.connect(Purpose::Visit, address, visits(front.connections_per_address))
        {
            return None;
        }
        self.metrics.visits.inc();
        Some(Visit { hub: self.clone(), address })
    }

    /// Gives a new connection its place, or says why there is none.
    pub fn seat(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Refusal> {
        let front = self.front.load();
        let rate = Rate { per_second: front.connect_rate, burst: front.connect_rate.saturating_mul(2) };
        if let Err(wait) = self.limiter.take(Purpose::Connect, address, rate, clock::now_ms()) {
            return Err(Refusal::new(
                Code::RateLimited,
                format!("this address connects too fast; wait {wait} ms and come back"),
            ));
        }
        let open = self.metrics.connections.get();
        if is_full(open, front.connections) {
            return Err(Refusal::new(
                Code::LimitReached,
                "the server has all the connections it may have (limit.connections); come back later",
            ));
        }
        if !self.limiter.connect(Purpose::Connect, address, front.connections_per_address) {
            return Err(Refusal::new(
                Code::LimitReached,
                "this address has all the connections it may have (limit.connections_per_address); close some first",
            ));
        }
        self.metrics.connections.inc();
        Ok(Seat { hub: self.clone(), address, app: None, idle: false })
    }
}

/// 0 means no limit.
fn is_full(open: i64, most: usize) -> bool {
    most != 0 && usize::try_from(open).is_ok_and(|open| open >= most)
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.is_used();
        self.hub.limiter.disconnect(Purpose::Connect, self.address);
        self.hub.metrics.connections.dec();
        if let Some(app) = self.app {
            self.hub.apps[usize::from(app)].connected.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.hub.limiter.disconnect(Purpose::Visit, address);
        }
        self.hub.metrics.visits.dec();
    }
}

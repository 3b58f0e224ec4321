//! Counts a connection for as long as it lives.

use std::net::IpAddr;
use std::sync::Arc;

use deskbell_core::refusal::{Code, Refusal};

use crate::clock;
use crate::hub::Hub;
use crate::limiter::Purpose;
use deskbell_core::rate::Rate;

/// One connection's place in the counts of its address and of the process.
#[derive(Debug)]
pub struct Seat {
    hub: Arc<Hub>,
    address: IpAddr,
}

impl Hub {
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
        if front.connections != 0 && open >= front.connections as i64 {
            return Err(Refusal::new(
                Code::LimitReached,
                "the server has all the connections it may have (limit.connections); come back later",
            ));
        }
        if !self.limiter.connect(address, front.connections_per_address) {
            return Err(Refusal::new(
                Code::LimitReached,
                "this address has all the connections it may have (limit.connections_per_address); close some first",
            ));
        }
        self.metrics.connections.inc();
        self.metrics.connected.inc();
        Ok(Seat { hub: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.limiter.disconnect(self.address);
        self.hub.metrics.connections.dec();
    }
}

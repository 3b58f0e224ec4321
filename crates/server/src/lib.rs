//! Everything of Deskbell that waits, fails or reads the clock.

pub mod identity;
pub mod tls;

//! stub

pub mod route;
pub mod signature;

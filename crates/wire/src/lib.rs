//! stub

pub mod native;
pub mod route;
pub mod signature;

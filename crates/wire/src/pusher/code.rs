//! Error and close codes. A client acts on the code alone: whether it comes back, when, and how.
//!
//! From 4000 to 4099 it does not come back, from 4100 to 4199 after a second, from 4200 to 4299 at once. A
//! close above that is final for pusher-js, so 43xx only ever stands in an error frame.

use deskbell_core::refusal::Code;

/// No app has this key.
pub const NO_APP: u16 = 4001;
/// The app takes no connections.
pub const DISABLED: u16 = 4003;
/// The app has all the connections it may have.
pub const APP_FULL: u16 = 4004;
/// Not allowed: a signature, an origin, or somebody whose connections were ended.
pub const UNAUTHORIZED: u16 = 4009;
/// Too much at the moment: come back in a second.
pub const BUSY: u16 = 4100;
/// Come back at once.
pub const AGAIN: u16 = 4200;
/// There was no sign of life.
pub const SILENT: u16 = 4201;
/// A message was refused; the connection stays.
pub const REFUSED: u16 = 4301;
/// More users are watched than may be; the first ones are.
pub const WATCHES_TOO_MANY: u16 = 4302;

/// The code of the error frame for a refusal on an open connection.
pub const fn of_refusal(code: Code) -> u16 {
    match code {
        Code::Unauthorized | Code::TokenExpired | Code::Denied | Code::BadOrigin | Code::NotSubscribed => {
            UNAUTHORIZED
        }
        Code::Unavailable | Code::Draining => AGAIN,
        _ => REFUSED,
    }
}

/// The code with which a connection that may not be is closed before it began.
pub const fn of_door(code: Code) -> u16 {
    match code {
        Code::NotFound => NO_APP,
        Code::Unauthorized | Code::TokenExpired | Code::Denied | Code::BadOrigin => UNAUTHORIZED,
        Code::Quota => APP_FULL,
        _ => BUSY,
    }
}

/// The status of the HTTP answer that a refused subscription stands for.
pub const fn status_of(code: Code) -> u16 {
    match code {
        // Clients take 401 and 403 for "not allowed", and everything else for "broken".
        Code::Unauthorized | Code::TokenExpired => 401,
        Code::Denied | Code::BadOrigin => 403,
        other => other.http_status(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_close_code_is_final_by_accident() {
        for code in Code::ALL {
            let close = of_door(code);
            assert!((4000..4300).contains(&close), "{code:?} closes with {close}");
        }
        assert_eq!(of_door(Code::NotFound), 4001);
        assert_eq!(of_door(Code::LimitReached), 4100);
        assert_eq!(of_refusal(Code::RateLimited), 4301);
        assert_eq!(of_refusal(Code::Unauthorized), 4009);
    }
}

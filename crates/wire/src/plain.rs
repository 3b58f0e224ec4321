//! Which of the two dialects of plain JSON a WebSocket belongs to: AppointEase's or Portico's.
//!
//! Both were servers of their own at the root of their own port. Behind a proxy that takes `/wss` off, Portico's
//! clients ask for `/` like the other's; then their cookies tell them apart, and where there are none the listener
//! says whose its root is.

use crate::http_head::query_pairs;
use crate::portico::session::{Trust, is_ours};
use crate::route::Asked;

/// One of the two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Plain {
    /// AppointEase's.
    #[default]
    AppointEase,
    /// Portico's.
    Portico,
}

/// Whose a request is; nobody's, where it asks for a place of neither. `root` says whose `/` is where nothing else
/// does.
///
/// ```
/// use deskbell_wire::plain::{Plain, plain};
/// use deskbell_wire::route::Asked;
/// let asked = Asked { method: "GET", path: "/wss", ..Asked::default() };
/// assert_eq!(plain(&asked, Plain::AppointEase), Some(Plain::Portico));
/// ```
pub fn plain(asked: &Asked<'_>, root: Plain) -> Option<Plain> {
    if asked.method != "GET" {
        return None;
    }
    // A cookie that every PHP site sets says nothing where several dialects share a listener.
    let trust = if root == Plain::Portico { Trust::AlsoPhp } else { Trust::Own };
    match asked.path {
        "/wss" | "/wss/" => Some(Plain::Portico),
        "/appointease" => Some(Plain::AppointEase),
        path if path.starts_with("/appointease/") => Some(Plain::AppointEase),
        // An address is said on purpose, a cookie comes by itself.
        "/" if query_pairs(asked.query).any(|(name, _)| name == "email") => Some(Plain::AppointEase),
        "/" if is_ours(asked.cookies, trust) => Some(Plain::Portico),
        "/" => Some(root),
        _ => None,
    }
}

/// Is a session of Engine.IO one of Portico's pages? Its present clients ask for `socket.io` below the place at which
/// the older ones ask for a WebSocket, so what decides about the one decides about the other.
///
/// ```
/// use deskbell_wire::plain::{Plain, is_portico_engine};
/// use deskbell_wire::route::Asked;
/// let asked = Asked { path: "/wss/socket.io/", ..Asked::default() };
/// assert!(is_portico_engine(&asked, Plain::AppointEase));
/// ```
pub fn is_portico_engine(asked: &Asked<'_>, root: Plain) -> bool {
    let bare = asked.path.strip_suffix('/').unwrap_or(asked.path);
    let place = bare.strip_suffix("socket.io").unwrap_or_default();
    plain(&Asked { method: "GET", path: place, ..*asked }, root) == Some(Plain::Portico)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_engineio_belongs_to_whom_a_websocket_beside_it_would() {
        use Plain::{AppointEase, Portico};
        let own = Some("bookingfrontendsession=abc");
        for (path, cookies, root, expected) in [
            ("/wss/socket.io", None, AppointEase, true),
            ("/wss/socket.io/", None, AppointEase, true),
            ("/socket.io/", None, AppointEase, false),
            ("/socket.io/", own, AppointEase, true),
            ("/socket.io", Some("PHPSESSID=abc"), AppointEase, false),
            ("/socket.io", Some("PHPSESSID=abc"), Portico, true),
            ("/socket.io/", None, Portico, true),
            ("/api/socket/", own, Portico, false),
            ("/wss", own, Portico, false),
            ("/wss/", own, Portico, false),
            ("/wsssocket.io", own, Portico, false),
            ("socket.io", own, Portico, false),
            ("", own, Portico, false),
        ] {
            let asked = Asked { method: "PUT", path, query: "EIO=4", cookies };
            assert_eq!(is_portico_engine(&asked, root), expected, "{path} {cookies:?} {root:?}");
        }
    }

    #[test]
    fn the_path_says_it_then_the_address_then_the_cookies_then_the_listener() {
        use Plain::{AppointEase, Portico};
        let own = Some("a=b; bookingfrontendsession=abc");
        let php = Some("PHPSESSID=abc");
        for (path, query, cookies, root, expected) in [
            ("/", "", None, AppointEase, Some(AppointEase)),
            ("/", "", None, Portico, Some(Portico)),
            ("/", "", own, AppointEase, Some(Portico)),
            ("/", "", php, AppointEase, Some(AppointEase)),
            ("/", "", php, Portico, Some(Portico)),
            ("/", "email=a%40b.c", own, AppointEase, Some(AppointEase)),
            ("/", "email=", None, Portico, Some(AppointEase)),
            ("/wss", "email=a", None, AppointEase, Some(Portico)),
            ("/wss/", "", None, AppointEase, Some(Portico)),
            ("/appointease", "", own, Portico, Some(AppointEase)),
            ("/appointease/s/abc", "", None, Portico, Some(AppointEase)),
            ("/appointease/v1/realtime/ws", "", None, Portico, Some(AppointEase)),
            ("/appointeasement", "", own, AppointEase, None),
            ("/wss/socket.io/", "", None, AppointEase, None),
            ("/v1/ws", "", own, Portico, None),
            ("", "", own, Portico, None),
        ] {
            let asked = Asked { method: "GET", path, query, cookies };
            assert_eq!(plain(&asked, root), expected, "{path}?{query} {cookies:?} {root:?}");
        }
        assert_eq!(plain(&Asked { method: "POST", path: "/", ..Asked::default() }, AppointEase), None);
    }
}

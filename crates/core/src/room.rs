//! Rooms of Socket.IO clients that belong to somebody by their names: `user_7`, `role_admin`.
//!
//! A room is a channel. Whoever is known is in the own rooms without asking; nobody is let in to a room of
//! somebody else, whatever a rule says of names that look like it. Of all other rooms the rules decide.
//! What a connection is called publicly is a room of that connection alone.

use crate::access::Identity;
use crate::ids::{PublicId, UserId};
use crate::session::PublicIds;

/// What a room of one user begins with.
const USER: &str = "user_";
/// What a room of everybody with one role begins with.
const ROLE: &str = "role_";

/// The room of everybody whom the application's server reaches when it names nobody. A client is in it without asking.
pub const EVERYONE: &str = "#everybody";

/// The room of one user. An id is that of exactly one user.
///
/// ```
/// use deskbell_core::ids::UserId;
/// assert_eq!(deskbell_core::room::of_user(&UserId::parse("7").unwrap()), "user_7");
/// ```
pub fn of_user(id: &UserId) -> String {
    format!("{USER}{id}")
}

/// The room in which everybody is who has this role, however its name is spelled.
///
/// ```
/// assert_eq!(deskbell_core::room::of_role("PROVIDER"), "role_provider");
/// ```
pub fn of_role(role: &str) -> String {
    format!("{ROLE}{}", role.to_ascii_lowercase())
}

/// Whose a room is, seen by an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// Its own.
    Own,
    /// Somebody else's.
    Foreign,
    /// Nobody's by its name: the rules decide.
    Rules,
}

/// The connection whose own room this is by its name, spelled as its client is told it.
///
/// ```
/// use deskbell_core::ids::PublicId;
/// use deskbell_core::room::of_connection;
/// assert_eq!(of_connection("7.9"), Some(PublicId(0x0000_0007_0000_0009)));
/// assert_eq!((of_connection("07.9"), of_connection("7.9.1"), of_connection("lobby")), (None, None, None));
/// ```
pub fn of_connection(room: &str) -> Option<PublicId> {
    // It is asked about every event, so what is none is mostly known by its last letter.
    let may = room.ends_with(|last: char| last.is_ascii_digit()) && room.contains('.');
    may.then(|| PublicId::parse(room).ok())?.filter(|id| id.to_string() == room)
}

/// Whose is this room, seen by an identity on a connection that had these public ids?
///
/// ```
/// use deskbell_core::access::Identity;
/// use deskbell_core::ids::UserId;
/// use deskbell_core::room::{Belongs, belongs};
/// use deskbell_core::session::PublicIds;
/// let (ann, ids) = (Identity::user(UserId::parse("7").unwrap()), PublicIds::default());
/// assert_eq!(belongs("user_7", &ann, &ids), Belongs::Own);
/// assert_eq!(belongs("user_8", &ann, &ids), Belongs::Foreign);
/// assert_eq!(belongs("booking_8", &ann, &ids), Belongs::Rules);
/// ```
pub fn belongs(room: &str, identity: &Identity, ids: &PublicIds) -> Belongs {
    if let Some(id) = of_connection(room) {
        return if ids.contains(id) { Belongs::Own } else { Belongs::Foreign };
    }
    let own = match (room.strip_prefix(USER), room.strip_prefix(ROLE)) {
        // Ids are compared as they are: another spelling is another user.
        (Some(id), _) => identity.user_id() == Some(id),
        // Applications write the same role in capitals here and in small letters there.
        (None, Some(role)) => identity.roles.iter().any(|own| own.eq_ignore_ascii_case(role)),
        (None, None) => return Belongs::Rules,
    };
    if own { Belongs::Own } else { Belongs::Foreign }
}

/// Is this by its name for somebody in particular in any dialect? Then it is not among the channels that whoever
/// has an app's public key may read.
///
/// ```
/// use deskbell_core::room::is_somebodys;
/// for name in ["user_7", "role_admin", "session_abc", "applications_session_abc", "entity_building_10", "a@b.c", "7.9"] {
///     assert!(is_somebodys(name), "{name}");
/// }
/// for name in ["news", "users", "booking_8", "@home", "orders@"] {
///     assert!(!is_somebodys(name), "{name}");
/// }
/// ```
pub fn is_somebodys(name: &str) -> bool {
    const KINDS: [&str; 5] = [USER, ROLE, "session_", "applications_session_", "entity_"];
    let is_address = || name.split_once('@').is_some_and(|(who, at)| !who.is_empty() && !at.is_empty());
    KINDS.iter().any(|kind| name.starts_with(kind)) || is_address() || of_connection(name).is_some()
}

/// The rooms that somebody is in by being who it is; a role under both of its usual spellings.
pub fn of(identity: &Identity) -> Vec<String> {
    let mut rooms: Vec<String> = identity.user_id().map(|id| format!("{USER}{id}")).into_iter().collect();
    for role in &identity.roles {
        for spelled in [role.clone(), role.to_ascii_lowercase()] {
            let room = format!("{ROLE}{spelled}");
            if !rooms.contains(&room) {
                rooms.push(room);
            }
        }
    }
    rooms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Identity {
        let roles = vec!["CLIENT".to_owned(), "admin".to_owned()];
        Identity { roles, ..Identity::user(UserId::parse("ann").unwrap()) }
    }

    #[test]
    fn rooms_belong_to_whom_they_name() {
        for (room, expected) in [
            ("user_ann", Belongs::Own),
            ("user_Ann", Belongs::Foreign),
            ("user_ann2", Belongs::Foreign),
            ("user_", Belongs::Foreign),
            ("role_CLIENT", Belongs::Own),
            ("role_client", Belongs::Own),
            ("role_ADMIN", Belongs::Own),
            ("role_provider", Belongs::Foreign),
            ("role_", Belongs::Foreign),
            ("booking_ann", Belongs::Rules),
            ("User_ann", Belongs::Rules),
            ("users", Belongs::Rules),
        ] {
            assert_eq!(belongs(room, &ann(), &PublicIds::default()), expected, "{room}");
        }
    }

    #[test]
    fn whoever_has_a_role_is_in_the_room_that_it_is_told_in() {
        for role in ["client", "CLIENT", "Admin"] {
            assert!(of(&ann()).contains(&of_role(role)), "{role}");
        }
        assert!(of(&ann()).contains(&of_user(&UserId::parse("ann").unwrap())));
        assert!(!of(&ann()).contains(&of_role("provider")));
    }

    #[test]
    fn a_visitor_has_no_room_of_its_own() {
        let visitor = Identity::visitor(7);
        assert!(of(&visitor).is_empty());
        for room in ["user_7", "user_", "role_client", "role_"] {
            assert_eq!(belongs(room, &visitor, &PublicIds::default()), Belongs::Foreign, "{room}");
        }
    }

    #[test]
    fn a_connection_s_name_is_its_own_room_whoever_is_on_it() {
        let mut ids = PublicIds::default();
        ids.push(PublicId(7 << 32 | 9));
        for who in [ann(), Identity::visitor(7)] {
            assert_eq!(belongs("7.9", &who, &ids), Belongs::Own);
            assert_eq!(belongs("9.7", &who, &ids), Belongs::Foreign);
            for room in ["7.09", "7.", ".9", "7.9 ", "7-9", "4294967296.9", "v7.9"] {
                assert_eq!(belongs(room, &who, &ids), Belongs::Rules, "{room}");
            }
        }
    }

    #[test]
    fn everybody_is_in_the_own_rooms_and_in_no_other() {
        assert_eq!(of(&ann()), ["user_ann", "role_CLIENT", "role_client", "role_admin"]);
        assert!(of(&ann()).iter().all(|room| belongs(room, &ann(), &PublicIds::default()) == Belongs::Own));
    }
}

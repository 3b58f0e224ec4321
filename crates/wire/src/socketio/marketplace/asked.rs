//! Events by which a client says who it is and which rooms it wants.

use std::borrow::Cow;

use serde::Serialize;

use super::super::packet::Args;
use crate::native::fields::bad_field;
use deskbell_core::limits;
use deskbell_core::refusal::{Code, Refusal};

/// What a client asks with an event of this application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<'a> {
    /// To be known.
    Authenticate {
        /// The proof. Without one, the proof that came with the connection counts.
        token: Option<Cow<'a, str>>,
        /// Who it says it is; the proof must say the same.
        user: Option<Cow<'a, str>>,
        /// Which role it says it has; the proof must say the same.
        role: Option<Cow<'a, str>>,
    },
    /// To hear what is said in a room.
    Join(Cow<'a, str>),
    /// To hear it no more.
    Leave(Cow<'a, str>),
}

/// Reads an event; `None` where it is one of the application's own. The name alone decides, so that what is
/// wrong with the arguments is refused and not passed on.
///
/// ```
/// use deskbell_wire::socketio::marketplace::asked::{Asked, read};
/// use deskbell_wire::socketio::{Said, read as packet};
/// let Said::Event { name, args, .. } = packet(r#"2["join_room","booking_7"]"#).unwrap().said else { panic!() };
/// assert_eq!(read(&name, args), Some(Ok(Asked::Join("booking_7".into()))));
/// ```
pub fn read<'a>(name: &str, args: Args<'a>) -> Option<Result<Asked<'a>, Refusal>> {
    match name {
        "authenticate" => Some(authenticate(args)),
        "join_room" => Some(room(args).map(Asked::Join)),
        "leave_room" => Some(room(args).map(Asked::Leave)),
        _ => None,
    }
}

fn authenticate(args: Args<'_>) -> Result<Asked<'_>, Refusal> {
    let Some(one) = args.one() else {
        return Err(bad_field("authenticate", "has one argument: an object with `token`, or the token"));
    };
    if let Ok(Text(token)) = serde_json::from_str(one) {
        return Ok(Asked::Authenticate { token: Some(bounded(token)?), user: None, role: None });
    }
    // A list of the same values would be read as well, and is none of this application's forms.
    let Some(Ok(fields)) = one.starts_with('{').then(|| serde_json::from_str::<Fields<'_>>(one)) else {
        return Err(bad_field("authenticate", "has an object with the texts `token`, `userId` and `role`"));
    };
    let token = fields.token.map(|Text(token)| bounded(token)).transpose()?;
    Ok(Asked::Authenticate { token, user: fields.user.map(Name::text), role: fields.role.map(|text| text.0) })
}

fn bounded(token: Cow<'_, str>) -> Result<Cow<'_, str>, Refusal> {
    if token.len() > limits::TOKEN {
        return Err(Refusal::new(Code::TooLarge, "a token has at most 8 KiB; issue a smaller one"));
    }
    Ok(token)
}

fn room(args: Args<'_>) -> Result<Cow<'_, str>, Refusal> {
    let name = args.one().and_then(|one| serde_json::from_str::<Text<'_>>(one).ok());
    name.map(|Text(name)| name).ok_or_else(|| bad_field("room", "is one argument: the room's name as a text"))
}

/// A string, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// An id as applications have it: text or a number.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Name<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Number(u64),
}

impl<'a> Name<'a> {
    fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string().into(),
        }
    }
}

/// Other fields are the application's.
#[derive(serde::Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    token: Option<Text<'a>>,
    #[serde(borrow, default, rename = "userId")]
    user: Option<Name<'a>>,
    #[serde(borrow, default)]
    role: Option<Text<'a>>,
}

/// The data of `authenticated`: who the client is now.
pub fn authenticated(user: &str, role: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Known<'a> {
        success: bool,
        #[serde(rename = "userId")]
        user: &'a str,
        role: Option<&'a str>,
    }
    written(&Known { success: true, user, role })
}

/// The names under which a failed proof is told: clients of one generation listen to the one, of the next to the
/// other.
pub const AUTH_ERRORS: [&str; 2] = ["auth_error", "authentication_error"];

/// The data of both.
pub fn auth_error(refusal: &Refusal) -> String {
    #[derive(Serialize)]
    struct Failed<'a> {
        error: &'static str,
        message: &'a str,
        code: &'static str,
    }
    written(&Failed {
        error: "Authentication failed",
        message: &refusal.message,
        code: refusal.code.as_str(),
    })
}

/// The name under which it is told that a client gets no room. It says nothing about who the client is.
pub const ROOM_ERROR: &str = "room_error";

/// The data of that.
pub fn room_error(room: Option<&str>, refusal: &Refusal) -> String {
    #[derive(Serialize)]
    struct Refused<'a> {
        room: Option<&'a str>,
        code: &'static str,
        message: &'a str,
    }
    written(&Refused { room, code: refusal.code.as_str(), message: &refusal.message })
}

/// What an event that waits for an answer gets: that it was done, or why it was not.
pub fn outcome(outcome: Result<(), &Refusal>) -> String {
    match outcome {
        Ok(()) => r#"{"success":true}"#.to_owned(),
        Err(refusal) => {
            let code = refusal.code.as_str();
            let message = written(&*refusal.message);
            format!(r#"{{"success":false,"code":"{code}","message":{message}}}"#)
        }
    }
}

fn written<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and truths always serialise")
}

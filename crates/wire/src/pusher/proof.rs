//! Signatures that an app's backend makes for its clients.
//!
//! The token is `key:signature`. Its text is `socket:channel`, and `:data` behind it where a client shows
//! data of its own, on any channel; for a user it is `socket::user::data`. The data is signed as it was
//! sent: PHP escapes slashes, Python puts blanks behind colons, Go sorts keys.

use deskbell_core::mac;
use deskbell_core::refusal::{Code, Refusal};

use crate::signature::{from_hex, hex};

/// The app of a connection, as its signatures know it.
#[derive(Debug, Clone, Copy)]
pub struct App<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its secret.
    pub secret: &'a [u8],
}

impl App<'_> {
    /// May the holder of this token subscribe?
    pub fn channel(
        &self,
        auth: &str,
        socket: &str,
        channel: &str,
        data: Option<&str>,
    ) -> Result<(), Refusal> {
        self.verify(auth, &channel_text(socket, channel, data))
    }

    /// Is the holder of this token that user?
    pub fn user(&self, auth: &str, socket: &str, data: &str) -> Result<(), Refusal> {
        self.verify(auth, &user_text(socket, data))
    }

    /// Is this bare signature, without a key, one for the channel alone? A telemedicine app signs so, and
    /// sends data that its signature does not cover.
    pub fn bare(&self, auth: &str, socket: &str, channel: &str) -> Result<(), Refusal> {
        self.signature(auth, &channel_text(socket, channel, None))
    }

    /// Makes a token for a channel.
    pub fn sign_channel(&self, socket: &str, channel: &str, data: Option<&str>) -> String {
        self.sign(&channel_text(socket, channel, data))
    }

    /// Makes a token for a user.
    pub fn sign_user(&self, socket: &str, data: &str) -> String {
        self.sign(&user_text(socket, data))
    }

    fn verify(&self, auth: &str, text: &str) -> Result<(), Refusal> {
        let Some((key, signature)) = auth.split_once(':') else {
            return Err(no("`auth` must be key:signature, as the backend's library makes it"));
        };
        if key != self.key {
            return Err(no("`auth` names the key of another app; sign with this app's key and secret"));
        }
        self.signature(signature, text)
    }

    fn signature(&self, signature: &str, text: &str) -> Result<(), Refusal> {
        let tag = from_hex(signature.as_bytes());
        if tag.is_some_and(|tag| mac::verify(self.secret, &[text.as_bytes()], &tag)) {
            return Ok(());
        }
        Err(no(
            "`auth` does not fit this socket, channel and data; sign exactly what is sent, with the app's secret",
        ))
    }

    fn sign(&self, text: &str) -> String {
        format!("{}:{}", self.key, hex(&mac::tag(self.secret, &[text.as_bytes()])))
    }
}

fn channel_text(socket: &str, channel: &str, data: Option<&str>) -> String {
    match data {
        Some(data) => format!("{socket}:{channel}:{data}"),
        None => format!("{socket}:{channel}"),
    }
}

fn user_text(socket: &str, data: &str) -> String {
    format!("{socket}::user::{data}")
}

fn no(sentence: &'static str) -> Refusal {
    Refusal::new(Code::Unauthorized, sentence)
}

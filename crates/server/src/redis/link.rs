//! One connection to a Redis: the handshake, and one answer after the other.

use std::fmt;
use std::io;
use std::time::Duration;

use deskbell_core::limits;
use deskbell_wire::redis::Reply;
use deskbell_wire::redis::resp::{Decoder, command};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Place, Plan, Secure};

/// Bytes that one reading takes.
const READ: usize = 64 * 1024;

/// Why there is no connection, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// Nobody listens there, or the name has no address.
    NoConnection(String),
    /// The certificate is not trusted, or there is no TLS.
    NoTrust(String),
    /// It did not answer in time.
    TimedOut,
    /// It closed the connection, or the network did.
    BrokeOff(String),
    /// It refused a command, in its own words.
    Refused(String),
    /// Whoever is there is no Redis.
    NoRedis(String),
}

impl Broken {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NoConnection(_) => "look whether Redis runs there, and set redis.host and redis.port",
            Self::NoTrust(_) => {
                "set redis.tls only for a port of Redis that speaks TLS, and redis.ca_file for an authority of your own"
            }
            Self::TimedOut => {
                "look whether Redis is overloaded or a firewall drops what is sent to it; redis.tls must be set for a port that speaks TLS"
            }
            Self::BrokeOff(_) => {
                "look into the log of Redis; redis.tls must be set for a port that speaks TLS"
            }
            Self::Refused(sentence) if sentence.starts_with("NOPERM") => {
                "let the user redis.user run psubscribe, punsubscribe and ping, and hear the patterns of redis.channels (ACL SETUSER)"
            }
            Self::Refused(_) => {
                "set redis.password (and redis.user, if Redis has users) as Redis expects them"
            }
            Self::NoRedis(_) => "something else listens there; set redis.host and redis.port",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection(why) => write!(f, "no connection: {why}"),
            Self::NoTrust(why) => write!(f, "no trusted connection: {why}"),
            Self::TimedOut => f.write_str("it does not answer"),
            Self::BrokeOff(why) => write!(f, "the connection broke: {why}"),
            Self::Refused(sentence) => write!(f, "it says {sentence}"),
            Self::NoRedis(why) => write!(f, "it is no Redis: {why}"),
        }
    }
}

impl std::error::Error for Broken {}

/// A connection over a socket or over TLS.
pub(super) struct Link<S> {
    stream: S,
    decoder: Decoder,
    /// Bytes that one message may have.
    most: usize,
    chunk: Box<[u8]>,
}

/// Opens a socket to a Redis.
pub(super) async fn reach(place: &Place) -> Result<TcpStream, Broken> {
    let connected = TcpStream::connect((place.host.as_str(), place.port)).await;
    let stream = connected.map_err(|error| Broken::NoConnection(error.to_string()))?;
    // Only asking whether it is there is written later on, and must not wait.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Speaks TLS on it.
pub(super) async fn secured(secure: &Secure, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Broken> {
    let tls = secure.connector.connect(secure.name.clone(), tcp).await;
    tls.map_err(|error| Broken::NoTrust(error.to_string()))
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Logs in, and asks for every subscription. Their confirmations are still to come.
    ///
    /// Messages of more than `most` bytes are not kept.
    pub(super) async fn open(stream: S, plan: &Plan, most: usize) -> Result<Self, Broken> {
        // The names around a message are parts of the same value.
        let decoder = Decoder::new(most + 2 * limits::RESP_LINE);
        let mut link = Self { stream, decoder, most, chunk: vec![0; READ].into_boxed_slice() };
        let Place { user, password, .. } = &plan.place;
        let password = password.as_ref().map(|password| password.0.as_bytes());
        match (user, password) {
            (None, None) => {}
            (None, Some(password)) => link.log_in(&[b"AUTH", password]).await?,
            (Some(user), password) => {
                link.log_in(&[b"AUTH", user.as_bytes(), password.unwrap_or_default()]).await?;
            }
        }
        // Redis refuses a command as a whole.
        let globs = plan.table.globs();
        let (named, unnamed) = globs.split_at(globs.len() - plan.unnamed);
        link.subscribe("PSUBSCRIBE", named).await?;
        link.subscribe("PSUBSCRIBE", unnamed).await?;
        Ok(link)
    }

    async fn log_in(&mut self, words: &[&[u8]]) -> Result<(), Broken> {
        self.send(&command(words)).await?;
        match self.next().await? {
            Reply::Done => Ok(()),
            Reply::Refused(sentence) => Err(Broken::Refused(sentence)),
            _ => Err(Broken::NoRedis("it answers AUTH with something else".to_owned())),
        }
    }

    /// Begins or ends subscriptions.
    pub(super) async fn subscribe(&mut self, verb: &str, globs: &[Vec<u8>]) -> Result<(), Broken> {
        if globs.is_empty() {
            return Ok(());
        }
        let words: Vec<&[u8]> =
            std::iter::once(verb.as_bytes()).chain(globs.iter().map(Vec::as_slice)).collect();
        self.send(&command(&words)).await
    }

    /// Asks whether it is still there.
    pub(super) async fn ping(&mut self) -> Result<(), Broken> {
        self.send(&command(&[b"PING"])).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let time = Duration::from_millis(limits::REDIS_ANSWER);
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        tokio::time::timeout(time, written).await.map_err(|_| Broken::TimedOut)?.map_err(broke)
    }

    /// The next answer among the bytes that were read.
    pub(super) fn at_hand(&mut self) -> Result<Option<Reply>, Broken> {
        let value = self.decoder.next().map_err(|broken| Broken::NoRedis(broken.to_string()))?;
        Ok(value.map(|value| match Reply::of(value) {
            Reply::Message(mut message) => {
                message.payload = message.payload.filter(|payload| payload.len() <= self.most);
                Reply::Message(message)
            }
            reply => reply,
        }))
    }

    /// Reads once. Nothing is lost when it is given up.
    pub(super) async fn read(&mut self) -> Result<(), Broken> {
        match self.stream.read(&mut self.chunk).await.map_err(broke)? {
            0 => Err(Broken::BrokeOff("Redis closed it".to_owned())),
            count => {
                self.decoder.feed(&self.chunk[..count]);
                Ok(())
            }
        }
    }

    async fn next(&mut self) -> Result<Reply, Broken> {
        loop {
            if let Some(reply) = self.at_hand()? {
                return Ok(reply);
            }
            self.read().await?;
        }
    }

    async fn confirmed(&mut self, plan: &Plan) -> Result<(), Broken> {
        let mut owed = Owed::of(plan);
        while owed.subscriptions > 0 {
            match self.next().await? {
                Reply::Subscribed => owed.confirm(),
                Reply::Refused(sentence) => owed.refuse(sentence).map(drop)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Subscriptions that Redis has not confirmed.
#[derive(Debug)]
pub(super) struct Owed {
    /// How many.
    pub subscriptions: usize,
    /// How many of them are the last ones, which nobody has named, behind others.
    unnamed: usize,
}

impl Owed {
    /// Those of a new connection.
    pub(super) fn of(plan: &Plan) -> Self {
        let subscriptions = plan.table.globs().len();
        Self { subscriptions, unnamed: if subscriptions > plan.unnamed { plan.unnamed } else { 0 } }
    }

    /// One more was confirmed.
    pub(super) fn confirm(&mut self) {
        self.subscriptions = self.subscriptions.saturating_sub(1);
        self.unnamed = self.unnamed.min(self.subscriptions);
    }

    /// A command was refused. Gives why, where what nobody has named is simply not heard.
    pub(super) fn refuse(&mut self, why: String) -> Result<String, Broken> {
        // Answers come in order: all the others are confirmed.
        if self.unnamed == 0 || self.unnamed != self.subscriptions || !why.starts_with("NOPERM") {
            return Err(Broken::Refused(why));
        }
        (self.subscriptions, self.unnamed) = (0, 0);
        Ok(why)
    }
}

fn broke(error: io::Error) -> Broken {
    Broken::BrokeOff(error.to_string())
}

/// Connects and waits until every subscription is confirmed.
pub(super) async fn probe(plan: &Plan) -> Result<(), Broken> {
    let tcp = reach(&plan.place).await?;
    match &plan.place.secure {
        None => Link::open(tcp, plan, limits::BODY).await?.confirmed(plan).await,
        Some(secure) => {
            let tls = secured(secure, tcp).await?;
            Link::open(tls, plan, limits::BODY).await?.confirmed(plan).await
        }
    }
}

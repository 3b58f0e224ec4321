//! What can be asked of the load generator.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use super::{sequence, stamp};

/// How `deskbell bench` is called.
#[derive(Debug, Clone, clap::Args, serde::Serialize)]
pub struct Options {
    /// The server: `native://HOST:PORT` for Deskbell, `pusher://HOST:PORT` for any server of the Pusher protocol,
    /// `socketio://HOST:PORT` for one of Socket.IO that lets clients `join_room` and takes Deskbell's publishes,
    /// `appointease://HOST:PORT` and `portico://HOST:PORT` for pages of these two at Deskbell, `limit://HOST:PORT`
    /// for the yardstick
    #[arg(long, default_value = "native://127.0.0.1:8080")]
    pub target: Target,
    /// Subscribers
    #[arg(long, default_value_t = 1000)]
    pub connections: usize,
    /// Channels in all
    #[arg(long, default_value_t = 1)]
    pub channels: usize,
    /// Channels that each connection subscribes to
    #[arg(long, default_value_t = 1)]
    pub channels_per_connection: usize,
    /// Publish to all channels of a connection at once, or to one of them in turn
    #[arg(long, value_enum, default_value_t = Dirty::One)]
    pub dirty: Dirty,
    /// Events in one publish request; 0: one, or with `--dirty all` the channels of one connection
    #[arg(long, default_value_t = 0)]
    pub batch: usize,
    /// Bytes of each event's data
    #[arg(long, default_value_t = 64)]
    pub size: usize,
    /// Publish requests on their way at once
    #[arg(long, default_value_t = 1)]
    pub outstanding: usize,
    /// Events per second; 0: the next requests go out when everything from the ones before has arrived
    #[arg(long, default_value_t = 0.0)]
    pub rate: f64,
    /// Seconds that are measured; 0: connect, subscribe and stay idle
    #[arg(long, default_value_t = 5.0)]
    pub duration: f64,
    /// Seconds of publishing before them
    #[arg(long, default_value_t = 1.0)]
    pub warmup: f64,
    /// Seconds of silence between the last subscription and the reading of the memory
    #[arg(long, default_value_t = 1.0)]
    pub settle: f64,
    /// Seconds that late deliveries are waited for at the end
    #[arg(long, default_value_t = 10.0)]
    pub drain: f64,
    /// Connections being opened at once
    #[arg(long, default_value_t = 64)]
    pub opening: usize,
    /// Processes whose CPU time is counted; the memory is that of the first
    #[arg(long = "server-pid", value_name = "PID")]
    pub server_pids: Vec<u32>,
    /// The app's key
    #[arg(long)]
    pub app: Option<String>,
    /// The app's id, which the Pusher protocol has in its paths
    #[arg(long, default_value_t = 1001)]
    pub app_id: u64,
    /// The app's secret, for publishing; without it `DESKBELL_APP_SECRET` is used
    #[arg(long)]
    #[serde(skip)]
    pub secret: Option<String>,
    /// Beginning of every channel's name
    #[arg(long, default_value = "public-bench-")]
    pub prefix: String,
    /// Spread connections over so many loopback addresses (127.0.0.2 and up): one has ports for about 28,000
    #[arg(long, default_value_t = 0)]
    pub source_addresses: u8,
    /// Use TLS; the certificate is not checked
    #[arg(long)]
    pub tls: bool,
    /// Never sleep, so that waking the generator costs the server nothing; wants a core of its own
    #[arg(long)]
    pub spin: bool,
    /// Restart test: say `ready`, reconnect and resume all at each line `go` on standard input, go on counting
    #[arg(long)]
    pub resume: bool,
    /// Give each page of PorticoEstate a session of its own, and so a room and its applications to listen to
    #[arg(long)]
    pub sessions: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which channels of a connection get events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Dirty {
    /// All of them together.
    All,
    /// One of them in turn.
    One,
}

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Deskbell's own frames, and its HTTP API for publishing.
    Native,
    /// The Pusher protocol, for clients and for backends.
    Pusher,
    /// Socket.IO for clients; publishes are those of Deskbell's HTTP API.
    SocketIo,
    /// Pages of AppointEase; what is published is for all of them.
    AppointEase,
    /// Pages of PorticoEstate; what is published is for all of them.
    Portico,
    /// The yardstick's mini protocol.
    Limit,
}

impl Protocol {
    /// All of them.
    const ALL: [Self; 6] =
        [Self::Native, Self::Pusher, Self::SocketIo, Self::AppointEase, Self::Portico, Self::Limit];

    /// What stands in front of a server's address.
    const fn scheme(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Pusher => "pusher",
            Self::SocketIo => "socketio",
            Self::AppointEase => "appointease",
            Self::Portico => "portico",
            Self::Limit => "limit",
        }
    }

    /// The one channel whose events are for everybody, where a page does not choose what it hears.
    pub const fn only_channel(self) -> Option<&'static str> {
        match self {
            Self::AppointEase => Some("appointease"),
            Self::Portico => Some("portico"),
            Self::Native | Self::Pusher | Self::SocketIo | Self::Limit => None,
        }
    }
}

/// A server and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What it speaks.
    pub protocol: Protocol,
    /// Where it listens, as written.
    pub authority: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once("://").and_then(|(scheme, rest)| {
            Some((Protocol::ALL.into_iter().find(|protocol| protocol.scheme() == scheme)?, rest))
        });
        let (protocol, authority) = named.ok_or_else(|| {
            let forms = Protocol::ALL.map(|protocol| format!("{}://HOST:PORT", protocol.scheme()));
            format!("write {}", forms.join(", "))
        })?;
        let authority = authority.trim_end_matches('/');
        match authority.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self { protocol, authority: authority.into() })
            }
            _ => Err("the port is missing: write for example native://127.0.0.1:8080".into()),
        }
    }
}

impl Target {
    /// The address to connect to.
    pub fn address(&self) -> io::Result<SocketAddr> {
        let mut found = self.authority.to_socket_addrs()?;
        found.next().ok_or_else(|| io::Error::other(format!("{} has no address", self.authority)))
    }

    /// The host without its port.
    pub fn host(&self) -> &str {
        self.authority.rsplit_once(':').map_or(&self.authority, |(host, _)| host)
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}://{}", self.protocol.scheme(), self.authority)
    }
}

impl serde::Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Options {
    /// Events in one publish request.
    pub fn events_per_request(&self) -> usize {
        match (self.batch, self.dirty) {
            (0, Dirty::All) => self.channels_per_connection,
            (0, Dirty::One) => 1,
            (batch, _) => batch,
        }
    }

    /// How many numbers of one channel a request may hold.
    pub fn numbers_per_request(&self) -> usize {
        self.events_per_request().div_ceil(self.channels.max(1))
    }

    /// Says what is wrong with them, if anything is.
    pub fn check(&self) -> io::Result<()> {
        let rules = [
            (self.channels > 0, "--channels must be at least 1"),
            (self.channels < 1 << 24, "--channels must be below 16,777,216"),
            (
                self.channels_per_connection > 0
                    && self.channels.is_multiple_of(self.channels_per_connection),
                "--channels must be a multiple of --channels-per-connection",
            ),
            (self.size >= stamp::LENGTH, "--size must be at least 30: each payload carries a stamp"),
            (self.outstanding > 0 && self.opening > 0, "--outstanding and --opening must be at least 1"),
            (
                self.outstanding * self.numbers_per_request() <= sequence::SPAN as usize,
                "--outstanding times the events per channel in a request must not be more than 64",
            ),
            (
                self.target.protocol != Protocol::Limit || (self.channels == 1 && !self.resume && !self.tls),
                "the yardstick knows one channel, no --resume and no --tls",
            ),
            (
                self.target.protocol != Protocol::Pusher || (self.app.is_some() && !self.resume),
                "the Pusher protocol needs the app's key (--app), and knows no --resume",
            ),
            (
                self.target.protocol != Protocol::SocketIo || !self.resume,
                "the load generator knows no --resume over Socket.IO",
            ),
            (
                self.target.protocol.only_channel().is_none() || (self.channels == 1 && !self.resume),
                "pages of this protocol know one channel, and no --resume",
            ),
            (
                self.target.protocol == Protocol::Portico || !self.sessions,
                "only pages of PorticoEstate have --sessions",
            ),
            (!self.resume || self.rate > 0.0, "--resume needs a --rate"),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, sentence)) => Err(io::Error::new(io::ErrorKind::InvalidInput, *sentence)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parse(line: &str) -> Result<Options, String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Command::try_parse_from(words).map(|command| command.options).map_err(|error| error.to_string())
    }

    #[test]
    fn a_target_names_its_protocol_and_its_port() {
        let target = parse("--target limit://127.0.0.1:9001/").expect("valid").target;
        assert_eq!((target.protocol, target.host()), (Protocol::Limit, "127.0.0.1"));
        assert_eq!(target.to_string(), "limit://127.0.0.1:9001");
        for protocol in Protocol::ALL {
            let written = format!("{}://h:1", protocol.scheme());
            let target = parse(&format!("--target {written}")).expect("valid").target;
            assert_eq!((target.protocol, target.to_string()), (protocol, written));
        }
        for wrong in ["127.0.0.1:80", "http://a:80", "native://a", "native://:80", "native://a:99999"] {
            assert!(parse(&format!("--target {wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_that_could_not_be_counted_are_refused() {
        for (line, accepted) in [
            ("", true),
            ("--channels 1000 --batch 100 --outstanding 64", true),
            ("--channels 15 --channels-per-connection 5", true),
            ("--channels 16 --channels-per-connection 5", false),
            ("--channels 0", false),
            ("--channels-per-connection 0", false),
            ("--size 29", false),
            ("--outstanding 0", false),
            ("--outstanding 65", false),
            ("--outstanding 16 --batch 5", false),
            ("--target limit://127.0.0.1:1 --channels 2", false),
            ("--target pusher://127.0.0.1:1 --app k --channels 2", true),
            ("--target pusher://127.0.0.1:1", false),
            ("--target pusher://127.0.0.1:1 --app k --resume --rate 1", false),
            ("--target socketio://127.0.0.1:1 --channels 2", true),
            ("--target socketio://127.0.0.1:1 --resume --rate 1", false),
            ("--target appointease://127.0.0.1:1", true),
            ("--target portico://127.0.0.1:1 --channels 2", false),
            ("--target portico://127.0.0.1:1 --sessions", true),
            ("--sessions", false),
            ("--target appointease://127.0.0.1:1 --resume --rate 1", false),
            ("--resume", false),
        ] {
            assert_eq!(parse(line).expect("parsed").check().is_ok(), accepted, "{line}");
        }
    }

    #[test]
    fn a_batch_follows_the_dirty_channels_unless_it_is_given() {
        let events = |line: &str| parse(line).expect("parsed").events_per_request();
        let five = "--channels 10 --channels-per-connection 5";
        assert_eq!(events(five), 1);
        assert_eq!(events(&format!("{five} --dirty all")), 5);
        assert_eq!(events(&format!("{five} --dirty all --batch 10")), 10);
    }
}
